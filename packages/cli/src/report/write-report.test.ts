import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError } from '@drydock/core';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { WriteStream } from 'node:tty';
import { writeReport, type ReportTarget } from './write-report.ts';

const long = Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join('');
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-report-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A terminal of ten rows, or a pipe, and what was written to it. */
function anOutput(isTTY: boolean, failure: Error | null = null) {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done(failure);
    },
  }).on('error', () => undefined);
  const stdout = Object.assign(Object.create(WriteStream.prototype) as WriteStream, {
    isTTY,
    rows: 10,
    columns: 80,
    write: stream.write.bind(stream),
  });
  return { stdout, written: () => Buffer.concat(chunks).toString() };
}

function aTarget(facts: Partial<ReportTarget>): ReportTarget {
  return {
    file: null,
    stdout: anOutput(false).stdout,
    environment: { PATH: process.env['PATH'] },
    mayPage: true,
    ...facts,
  };
}

describe('writeReport to a file', () => {
  it('writes a new file and leaves nothing else behind', async () => {
    await writeReport('text\n', aTarget({ file: join(folder, 'report.json') }));

    expect(await readdir(folder)).toEqual(['report.json']);
    expect(await readFile(join(folder, 'report.json'), 'utf8')).toBe('text\n');
  });

  it('replaces a file and keeps its mode', async () => {
    const file = join(folder, 'report.json');
    await writeFile(file, 'something much longer than the text that comes');
    await chmod(file, 0o640);

    await writeReport('text\n', aTarget({ file }));

    expect(await readFile(file, 'utf8')).toBe('text\n');
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it('writes to where a link points, and keeps the link', async () => {
    await mkdir(join(folder, 'real'));
    await writeFile(join(folder, 'real/report.json'), 'old');
    await symlink('real/report.json', join(folder, 'link.json'));

    await writeReport('text\n', aTarget({ file: join(folder, 'link.json') }));

    expect(await readFile(join(folder, 'real/report.json'), 'utf8')).toBe('text\n');
    expect(await readdir(join(folder, 'real'))).toEqual(['report.json']);
    expect((await readdir(folder)).sort()).toEqual(['link.json', 'real']);
  });

  it('writes into a device and does not replace it', async () => {
    await writeReport('text\n', aTarget({ file: '/dev/null' }));

    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it.each([
    ['a folder that is not there', () => join(folder, 'no/report.json'), 'there is no such folder'],
    ['a folder', () => folder, 'it is a folder'],
  ])('names the path for %s', async (_name, pathOf, reason) => {
    const file = pathOf();

    const failure = await writeReport('text', aTarget({ file })).catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure).toHaveProperty('message', `cannot write the report to ${file}: ${reason}`);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('writeReport to the standard output', () => {
  it('writes it as it is to a pipe', async () => {
    const { stdout, written } = anOutput(false);

    await writeReport(long, aTarget({ stdout, environment: { PAGER: 'false' } }));

    expect(written()).toBe(long);
  });

  it('takes a reader that has left for no fault', async () => {
    const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    const { stdout } = anOutput(false, gone);

    await expect(writeReport(long, aTarget({ stdout }))).resolves.toBeUndefined();
  });

  it('tells of any other fault', async () => {
    const full = Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' });
    const { stdout } = anOutput(false, full);

    await expect(writeReport(long, aTarget({ stdout }))).rejects.toThrow('ENOSPC');
  });

  it('shows a long text in the pager that was asked for, without credentials in its environment', async () => {
    const { stdout, written } = anOutput(true);
    const seen = join(folder, 'seen');
    const environment = {
      PATH: process.env['PATH'],
      DRYDOCK_PAGER: `cat > '${seen}'; echo "$LESS/$ANTHROPIC_API_KEY/$DRYDOCK_GITLAB_TOKEN" >> '${seen}'`,
      PAGER: 'false',
      ANTHROPIC_API_KEY: 'sk-ant-1',
      DRYDOCK_GITLAB_TOKEN: 'glpat-1',
    };

    await writeReport(long, aTarget({ stdout, environment }));

    expect(await readFile(seen, 'utf8')).toBe(`${long}FRX//\n`);
    expect(written()).toBe('');
  });

  it('takes PAGER where there is no pager of its own', async () => {
    const { stdout } = anOutput(true);
    const seen = join(folder, 'seen');

    await writeReport(long, aTarget({ stdout, environment: { PATH: process.env['PATH'], PAGER: `cat > '${seen}'` } }));

    expect(await readFile(seen, 'utf8')).toBe(long);
  });

  it.each([
    ['a short text', 'one line\n', { PAGER: 'false' }, true],
    ['--no-pager', long, { PAGER: 'false' }, false],
    ['an empty pager', long, { DRYDOCK_PAGER: '', PAGER: 'false' }, true],
    ['the pager cat', long, { PAGER: 'cat' }, true],
    ['a dumb terminal', long, { PAGER: 'false', TERM: 'dumb' }, true],
    ['a pager that is missing', long, { PAGER: 'drydock-no-such-pager 2> /dev/null' }, true],
  ])('writes it itself for %s', async (_name, text, environment, mayPage) => {
    const { stdout, written } = anOutput(true);

    await writeReport(text, aTarget({ stdout, environment: { PATH: process.env['PATH'], ...environment }, mayPage }));

    expect(written()).toBe(text);
  });

  it('takes a pager that quits early, or fails, for no fault', async () => {
    const { stdout, written } = anOutput(true);
    const huge = long.repeat(2_000);

    for (const PAGER of ['head -n 1 > /dev/null', 'exit 3', 'true'])
      await writeReport(huge, aTarget({ stdout, environment: { PATH: process.env['PATH'], PAGER } }));

    expect(written()).toBe('');
  });
});
