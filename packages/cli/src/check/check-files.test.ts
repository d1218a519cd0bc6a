import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parsePolicy } from '@drydock/policy';
import { exitCodes } from '../exit-codes.ts';
import { startCommand, type CommandPlace } from '../testing/start-command.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-check-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const write = (name: string, text: string) => writeFile(join(folder, name), text);

const checkConfig = (args: readonly string[] = [], place: CommandPlace = {}) =>
  startCommand(['check-config', ...args], { cwd: folder, ...place }).ended;

describe('drydock check-config', () => {
  it('says that no .drydock.yaml is fine', async () => {
    const { code, stdout } = await checkConfig();

    expect(code).toBe(exitCodes.ok);
    expect(stdout).toMatch(/no \.drydock\.yaml here, which is fine/);
  });

  it('checks the .drydock.yaml of the root from anywhere in the repository, and shows each place', async () => {
    await promisify(execFile)('git', ['init', '-q', folder]);
    await mkdir(join(folder, 'a', 'b'), { recursive: true });
    await write('.drydock.yaml', 'minSeverity: hgih\r\nskipLabels: ["日本", 7]\r\n');

    const { code, stdout, stderr } = await checkConfig([], { cwd: join(folder, 'a', 'b') });

    expect({ code, stderr }).toEqual({ code: exitCodes.config, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      '../../.drydock.yaml:1:14 minSeverity: must be one of low, medium, high, critical, not the text "hgih" (did you mean high?)',
      '    minSeverity: hgih',
      '                 ^^^^',
      '../../.drydock.yaml:2:20 skipLabels.1: must be a text, not 7 (did you mean "7"?)',
      '    skipLabels: ["日本", 7]',
      '                         ^',
      '../../.drydock.yaml: 2 problems',
      '',
    ]);
  });

  it('warns of what is idle in the repository it stands in, and is content', async () => {
    const git = (...args: readonly string[]) =>
      promisify(execFile)('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args]);
    await git('init', '-q');
    await write('a.ts', '');
    await git('add', '.');
    await git('commit', '-qm', 'first');
    await write('.drydock.yaml', 'minSeverity: high\nignorePaths: ["*.ts", "a.ts", "b/**"]\n');

    const { code, stdout } = await checkConfig();

    expect(code).toBe(exitCodes.ok);
    expect(stdout).toContain('.drydock.yaml:2:15 warning: ignorePaths.0: matches in the root alone');
    expect(stdout).toContain('.drydock.yaml:2:31 warning: ignorePaths.2: matches no file of this repository');
    expect(stdout).toMatch(
      /^\.drydock\.yaml is right\. With it, other than by default: minSeverity: high, ignorePaths: .*\.$/m,
    );
  });

  it('tells a policy from a .drydock.yaml by the name or by --kind', async () => {
    await write('policy.yaml', 'blockAt: high\n');
    await write('.drydock.yaml', 'blockAt: high\n');

    expect(await checkConfig(['policy.yaml'])).toEqual({
      code: exitCodes.ok,
      stdout: 'policy.yaml is right. Other than by default: blockAt: high.\n',
      stderr: '',
    });
    expect((await checkConfig(['policy.yaml', '.drydock.yaml'])).code).toBe(exitCodes.config);
    expect((await checkConfig(['.drydock.yaml', '--kind', 'policy'])).code).toBe(exitCodes.ok);
    expect((await checkConfig(['-'], { stdin: 'blockAt: high\n' })).code).toBe(exitCodes.ok);
    expect((await checkConfig(['-', '--kind', 'repository'], { stdin: 'blockAt: high\n' })).code).toBe(
      exitCodes.config,
    );
  });

  it('warns of a name that nobody reads', async () => {
    await write('.drydock.yml', 'minSeverity: high\n');

    expect((await checkConfig()).stdout).toContain('nobody reads it: its name must be .drydock.yaml');
  });

  it('holds wishes against the policy that is named', async () => {
    await write('policy.yaml', 'maxComments: 100\n');
    await write('.drydock.yaml', 'maxComments: 50\n');

    expect((await checkConfig()).stdout).toContain('warning');
    expect((await checkConfig(['--policy', 'policy.yaml'])).stdout).not.toContain('warning');
    const environment = { DRYDOCK_POLICY_FILE: 'policy.yaml' };
    expect((await checkConfig([], { environment })).stdout).not.toContain('warning');
  });

  it('shows what is in force as a policy that it takes itself, warnings aside', async () => {
    await write('.drydock.yaml', 'minConfidence: 0.1\nmaxComments: 5\n');

    const { code, stdout, stderr } = await checkConfig(['--show']);

    expect(code).toBe(exitCodes.ok);
    expect(parsePolicy(stdout, 'shown')).toMatchObject({ maxComments: 5, minConfidence: 0.4 });
    expect(stderr).toContain('warning');
  });

  it('answers programs with one JSON object', async () => {
    await write('wrong.yaml', 'minSeverty: high\n');
    await write('right.yaml', 'minSeverity: high\n');

    const { code, stdout } = await checkConfig(['wrong.yaml', 'right.yaml', '--format', 'json']);

    expect(code).toBe(exitCodes.config);
    expect(JSON.parse(stdout)).toMatchObject({
      v: 1,
      files: [
        {
          file: 'wrong.yaml',
          isValid: false,
          problems: [{ line: 1, column: 1, width: 10, path: 'minSeverty', didYouMean: 'minSeverity' }],
          effective: null,
        },
        { file: 'right.yaml', isValid: true, problems: [], effective: { minSeverity: 'high' } },
      ],
    });
  });

  it('says which files it cannot read, and still checks the others', async () => {
    await write('policy.yaml', 'blockAt: hihg\n');

    const { code, stdout, stderr } = await checkConfig(['nowhere.yaml', folder, 'policy.yaml']);

    expect(code).toBe(exitCodes.failed);
    expect(stderr).toContain('nowhere.yaml cannot be read: there is no such file');
    expect(stderr).toContain('it is a folder');
    expect(stdout).toContain('did you mean high?');
  });

  it('follows no link that a repository holds, and waits for no pipe', async () => {
    const place = join(folder, 'linked');
    await mkdir(place);
    await promisify(execFile)('git', ['init', '-q', place]);
    await write('outside.txt', 'of no concern: SECRET\n');
    await symlink('../outside.txt', join(place, '.drydock.yaml'));
    await promisify(execFile)('mkfifo', [join(place, 'pipe.yaml')]);

    const link = await checkConfig([], { cwd: place });
    const pipe = await checkConfig(['pipe.yaml'], { cwd: place });

    expect(link).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect(link.stderr).toContain('symbolic link');
    expect(pipe).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect(pipe.stderr).toContain('it is no file');
  });

  it('lets nothing of a file reach the terminal as a command', async () => {
    await write('.drydock.yaml', '"a\x1b]0;owned\x07": 1\nminSeverity: "\x1b[2J\u202e"\nskipLabels: ["\x1b[31m "]\n');

    const { code, stdout } = await checkConfig();

    expect(code).toBe(exitCodes.config);
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it('has colours where they are asked for, and nowhere else by itself', async () => {
    await write('.drydock.yaml', 'color: blue\n');

    expect((await checkConfig()).stdout).not.toContain('\x1b');
    expect((await checkConfig([], { environment: { FORCE_COLOR: '1' } })).stdout).toContain('\x1b[31m');
  });

  it.each([['--format', 'xml'], ['--kind', 'both'], ['--unknown']])('refuses %s %s', async (...args) => {
    expect(await checkConfig(args)).toMatchObject({ code: exitCodes.usage, stdout: '' });
  });

  it('shows the place in a long line, and counts no byte order mark', async () => {
    const many = Array.from({ length: 30 }, (_, index) => `key${String(index)}: 1`);
    await write('policy.yaml', `\ufeff{${many.join(', ')}}\n`);

    const { stdout } = await checkConfig(['policy.yaml']);
    const lines = stdout.split('\n');

    expect(lines.slice(0, 3)).toEqual([
      'policy.yaml:1:2 key0: unknown key',
      expect.stringMatching(/^ {4}\{key0: 1, key1: 1, .*…$/),
      '     ^^^^',
    ]);
    const last = lines.findIndex((line) => line.endsWith('key29: unknown key'));
    const mark = lines[last + 2] ?? '';
    expect(lines[last + 1]?.slice(mark.indexOf('^'), mark.length)).toBe('key29');
  });

  it('shows the places in a policy that is in force by its variable, too', async () => {
    await write('policy.yaml', 'blockAt: hihg\n');

    const { stdout } = await checkConfig(['policy.yaml'], { environment: { DRYDOCK_POLICY_FILE: 'policy.yaml' } });

    expect(stdout).toContain('^^^^');
  });

  it('says of a file that is too large that it is', async () => {
    await write('policy.yaml', `# ${'x'.repeat(200_000)}\n`);

    const { code, stdout } = await checkConfig(['policy.yaml']);

    expect(code).toBe(exitCodes.config);
    expect(stdout).toContain('larger than 65536 bytes');
    expect(stdout.length).toBeLessThan(1000);
  });
});
