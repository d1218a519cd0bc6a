import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ReviewReport } from '@drydock/core';
import { aGitRepository, reply, scriptedReviewer, startFakeClaude, type GitRepositoryFixture } from '@drydock/testkit';
import { exitCodes } from '../exit-codes.ts';

const bin = new URL('../../bin/drydock.js', import.meta.url).pathname;
const before =
  'export function sum(list) {\n  let s = 0;\n  for (let i = 0; i < list.length; i++) s += list[i];\n  return s;\n}\n';
const range = ['--base', 'first', '--head', 'second'];

describe('drydock review', () => {
  let folder: string;
  let repository: GitRepositoryFixture;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-review-command-'));
    repository = await aGitRepository();
    await repository.commit({ 'src/sum.js': before });
    await repository.commit({ 'src/sum.js': before.replace('i < list', 'i <= list') }, { message: 'Sum faster' });
    await repository.git(['tag', 'first', 'main~1']);
    await repository.git(['tag', 'second', 'main']);
  });
  afterAll(async () => {
    await repository[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  function start(args: readonly string[], environment: Record<string, string> = {}) {
    const child = spawn(process.execPath, [bin, 'review', ...args], {
      cwd: repository.gitDir,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
    const ended = once(child, 'close').then(([code]: unknown[]) => ({ code, ...output }));
    return { child, output, ended };
  }
  const run = (args: readonly string[], environment: Record<string, string> = {}) => start(args, environment).ended;
  const scripted = (...args: readonly string[]) => run([...range, '--model', 'scripted', ...args]);

  it('tells a newcomer without a key what is missing and how to try it, in three lines', async () => {
    const { code, stdout, stderr } = await run([]);

    expect({ code, stdout }).toEqual({ code: exitCodes.config, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringContaining('ANTHROPIC_API_KEY is not set'),
      expect.stringContaining('DRYDOCK_MODEL_URL='),
      expect.stringContaining('--model scripted'),
    ]);
  });

  it('prints the review to read, and its stages as lines where there is no terminal', async () => {
    const { code, stdout, stderr } = await scripted();

    expect(code).toBe(exitCodes.ok);
    expect(stdout).toMatch(/src\/sum\.js:3/);
    expect(stdout).toContain('> 3 │   for (let i = 0; i <= list.length; i++)');
    expect(stdout).not.toContain('\u001b');
    expect(stderr).toMatch(/^drydock: .*commit/);
    expect(stderr).toMatch(/drydock: reviewing: [\d.]+ s, \d+ turns, 1 finding before checking/);
  });

  it.each([
    ['json', (text: string) => ReviewReport.parse(JSON.parse(text)).findings.length],
    ['sarif', (text: string) => (JSON.parse(text) as { runs: [{ results: unknown[] }] }).runs[0].results.length],
    ['codequality', (text: string) => (JSON.parse(text) as unknown[]).length],
    ['markdown', (text: string) => (text.match(/src\/sum\.js/g) ?? []).length],
  ])('prints nothing but the report as %s', async (format, findingsIn) => {
    const { code, stdout, stderr } = await scripted('--format', format, '--quiet');

    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' });
    expect(findingsIn(stdout)).toBeGreaterThanOrEqual(1);
  });

  it('writes the report to a file, and says a line', async () => {
    const file = join(folder, 'report.sarif');

    const { code, stdout, stderr } = await scripted('--format', 'sarif', '-o', file);

    expect({ code, stdout }).toEqual({ code: exitCodes.ok, stdout: '' });
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ version: '2.1.0' });
    expect(stderr).toMatch(/1 finding.*report in .*report\.sarif/);
  });

  it.each([
    ['critical', exitCodes.ok],
    ['high', exitCodes.findings],
    ['low', exitCodes.findings],
  ])('with --fail-on %s ends with %i', async (severity, expected) => {
    expect((await scripted('--fail-on', severity, '--quiet')).code).toBe(expected);
  });

  it('reviews only some files, told with commas and with a flag again', async () => {
    const findings = async (...flags: readonly string[]) =>
      ReviewReport.parse(JSON.parse((await scripted('--quiet', '--format', 'json', ...flags)).stdout)).findings.length;

    expect(await findings('--only', 'docs/**', '--only', 'lib/**,src/*.{js,ts}')).toBe(1);
    expect(await findings('--skip', 'docs/**,src/*.{js,ts}')).toBe(0);
  });

  it('takes an address after globs for a merge request', async () => {
    const url = 'https://gitlab.com/a/b/-/merge_requests/1';
    const { code, stderr } = await run(['--model', 'scripted', '--only', 'src/**', '--skip', '*.md', url]);

    expect({ code, stderr }).toMatchObject({
      code: exitCodes.config,
      stderr: expect.stringContaining('TOKEN is not set'),
    });
  });

  it('takes settings from the environment, and flags before them', async () => {
    const environment = { DRYDOCK_MODEL: 'scripted', DRYDOCK_FAIL_ON: 'low', DRYDOCK_BASE: 'first' };

    const byEnvironment = await run(['--quiet'], environment);
    const byFlag = await run(['--quiet', '--fail-on', 'critical'], environment);

    expect([byEnvironment.code, byFlag.code]).toEqual([exitCodes.findings, exitCodes.ok]);
  });

  it('tells its progress as JSON lines', async () => {
    const { stderr } = await scripted('--json-progress');

    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { v: number; kind: string; usage?: object });
    expect(events[0]).toMatchObject({ v: 1, kind: 'change', told: expect.any(String) });
    expect(events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['stage-started', 'stage-ended', 'turn', 'tool', 'finding']),
    );
  });

  it.each([
    ['an unknown severity', ['--fail-on', 'awful'], 'low, medium, high, critical'],
    ['no amount', ['--max-cost', 'much'], 'amount of dollars'],
    ['what excludes each other', ['--staged', '--worktree'], 'cannot be used with'],
    ['--post without a merge request', ['--post'], 'is about a merge request'],
    [
      'a range of a merge request',
      ['https://gitlab.com/a/b/-/merge_requests/1', '--base', 'main'],
      'about this repository',
    ],
  ])('takes %s for a wrong call', async (_, args, why) => {
    const { code, stdout, stderr } = await run(args);

    expect({ code, stdout }).toEqual({ code: exitCodes.usage, stdout: '' });
    expect(stderr).toContain(why);
  });

  it.each([
    ['a policy that is not there', ['--policy', 'none.yaml'], exitCodes.config, 'none.yaml'],
    ['a revision that is not there', ['--base', 'no-such'], exitCodes.notReviewed, 'no-such'],
    ['a revision that looks like an option', ['--base=--output=x'], exitCodes.notReviewed, 'What to do'],
    [
      'another GitLab than ours',
      ['https://gitlab.other.example/a/b/-/merge_requests/1'],
      exitCodes.notReviewed,
      'not the',
    ],
    ['a report into no folder', [...range, '-o', '/no/such/folder/x'], exitCodes.config, 'cannot write'],
  ])('says what is wrong with %s, without a stack trace', async (_, args, expected, why) => {
    const { code, stderr } = await run(['--model', 'scripted', ...args]);

    expect(code).toBe(expected);
    expect(stderr).toContain(why);
    expect(stderr).not.toContain('reviewing'); // nothing was paid for
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  it('says that there is nothing to review', async () => {
    const { code, stderr } = await run(['--model', 'scripted', '--base', 'main', '--head', 'main']);

    expect(code).toBe(exitCodes.ok);
    expect(stderr).toMatch(/no commits since main/);
  });

  it('leaves no report of an earlier review for this one', async () => {
    const file = join(folder, 'stale.json');
    await writeFile(file, 'STALE');

    const nothing = await run(['--base', 'main', '--model', 'scripted', '--format', 'sarif', '-o', file]);
    const empty: unknown = JSON.parse(await readFile(file, 'utf8'));
    const failed = await run(['--base', 'no-such', '--model', 'scripted', '-o', file]);

    expect([nothing.code, failed.code]).toEqual([exitCodes.ok, exitCodes.notReviewed]);
    expect(empty).toMatchObject({ version: '2.1.0', runs: [{ results: [] }] });
    await expect(readFile(file)).rejects.toThrow('ENOENT');
  });

  it('prints an empty report for programs where there is nothing to review', async () => {
    const { code, stdout } = await run(['--base', 'main', '--model', 'scripted', '--format', 'json']);

    expect(code).toBe(exitCodes.ok);
    expect(ReviewReport.parse(JSON.parse(stdout))).toMatchObject({ findings: [], changedFiles: 0 });
  });

  it('gives no orders to the runner of GitHub', async () => {
    const odd = '::error file=x::hi.bin';
    const head = await repository.commit({ [odd]: Buffer.from([0, 1, 2]), 'a.js': 'eval(input);\n' });
    const args = ['--base', `${head}~1`, '--head', head, '--model', 'scripted'];

    const plain = await run(args);
    const onGitHub = await run(args, { GITHUB_ACTIONS: 'true' });

    expect(plain.stdout).toContain(odd);
    expect(onGitHub.stdout).not.toMatch(/^\s*::/m);
    expect(onGitHub.stdout).toContain(': :error file=x::hi.bin');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends by %s with what it cost so far, and leaves nothing running', async (signal, expected) => {
    const rules = scriptedReviewer();
    await using claude = await startFakeClaude({
      apiKey: 'key',
      script: (request, place) => (place.turn === 1 ? rules(request, place) : reply.fault({ kind: 'hang' })),
    });
    const { child, output, ended } = start([...range, '--json-progress', '--no-cache'], {
      ANTHROPIC_API_KEY: 'key',
      DRYDOCK_MODEL_URL: claude.url,
    });
    while (!output.stderr.includes('"kind":"tool"')) await once(child.stderr, 'data');

    child.kill(signal);
    const { code, stdout, stderr } = await ended;

    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(/Cancelled\. It used [\d,]+ tokens, \$0\.\d+ so far\./);
    expect((await readdir(folder)).filter((name) => name.startsWith('drydock-'))).toEqual([]);
  });

  it('ends over budget', async () => {
    await using claude = await startFakeClaude({ apiKey: 'key', script: scriptedReviewer() });

    const { code, stderr } = await run([...range, '--max-cost', '0.0001'], {
      ANTHROPIC_API_KEY: 'key',
      DRYDOCK_MODEL_URL: claude.url,
    });

    expect(code).toBe(exitCodes.overBudget);
    expect(stderr).toContain('Over budget');
  });
});
