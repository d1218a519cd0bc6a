import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DrydockError, Secret, agentRoutes } from '@drydock/core';
import { aGitRepository, type GitRepositoryFixture } from '@drydock/testkit';
import { readChange } from '../diff/read-change.ts';
import { aContext } from '../testing/builders.ts';
import { testSearchPath } from '../testing/open-review.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../testing/test-gateway.ts';
import { checkOut } from './git-checkout.ts';
import { GitWorkspace } from './git-workspace.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-checkout-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function aChange(repository: GitRepositoryFixture) {
  const plans = Array.from({ length: 130 }, (_, at) => ({ changes: { 'count.txt': `${at}\n` } }));
  await repository.commitAll(plans);
  const baseSha = await repository.commit({ 'a.js': 'one\n', 'unread.bin': 'x'.repeat(10_000) });
  const headSha = await repository.commit({ 'a.js': 'two\n' });
  return { baseSha, startSha: baseSha, headSha };
}

function settings(gateway: TestGateway, searchPath = testSearchPath) {
  return { workDir: join(folder, 'work'), gatewayUrl: gateway.url, token: new Secret(gateway.token), searchPath };
}

function gatewayFor(repository: GitRepositoryFixture, options: Partial<TestGatewayOptions> = {}) {
  const refs = { baseSha: 'a'.repeat(40), startSha: 'a'.repeat(40), headSha: 'b'.repeat(40) };
  return startTestGateway({ gitDir: repository.gitDir, context: aContext(refs), ...options });
}

async function filesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('checkOut', () => {
  it('fetches the three commits, a part of their history, and no blob', async () => {
    await using repository = await aGitRepository();
    const refs = await aChange(repository);
    await using gateway = await gatewayFor(repository);

    await using checkout = await checkOut(refs, settings(gateway), never);

    const objects = git(checkout.target.repo.gitDir, 'cat-file', '--batch-all-objects', '--batch-check');
    expect(objects).not.toContain(' blob ');
    expect(objects.match(/ commit /g)?.length).toBe(101);
    expect(gateway.violations).toEqual([]);
  });

  it('fetches what is read, in one request for the whole diff', async () => {
    await using repository = await aGitRepository();
    const refs = await aChange(repository);
    await using gateway = await gatewayFor(repository);
    await using checkout = await checkOut(refs, settings(gateway), never);
    const before = gateway.requests.length;

    const { files } = await readChange(checkout, never);
    await using workspace = new GitWorkspace(checkout, files);

    expect(files.map((file) => file.newPath)).toEqual(['a.js']);
    expect(gateway.requests.slice(before).filter((request) => request.startsWith('POST'))).toHaveLength(1);
    expect(await workspace.read('head', 'a.js', never)).toEqual({ kind: 'text', lines: ['two'] });
    expect(await workspace.read('base', 'a.js', never)).toEqual({ kind: 'text', lines: ['one'] });
    const afterwards = gateway.requests.length;
    expect(await workspace.read('head', 'unread.bin', never)).toMatchObject({ kind: 'text' });
    expect(gateway.requests.length).toBeGreaterThan(afterwards);
  });

  it('puts no file of the repository anywhere, and runs nothing of it', async () => {
    await using repository = await aGitRepository();
    const baseSha = await repository.commit({ 'a.js': 'one\n' });
    const headSha = await repository.commit({
      'a.js': 'two\n',
      '.gitattributes': '* filter=evil diff=evil merge=evil\n',
      '.gitconfig': `[core]\n\thooksPath = hooks\n\tfsmonitor = touch ${folder}/pwned\n`,
      '.gitmodules': `[submodule "s"]\n\tpath = s\n\turl = ext::touch% ${folder}/pwned\n`,
      hooks: { submodule: 'c'.repeat(40) },
      'hooks2/post-checkout': { content: `#!/bin/sh\ntouch ${folder}/pwned\n`, mode: '100755' },
      out: { content: `${folder}/pwned`, mode: '120000' },
    });
    await using gateway = await gatewayFor(repository);

    await using checkout = await checkOut({ baseSha, startSha: baseSha, headSha }, settings(gateway), never);
    const { files } = await readChange(checkout, never);
    await using workspace = new GitWorkspace(checkout, files);

    expect(files.find((file) => file.newPath === 'a.js')?.rows.count).toBe(2);
    expect(await workspace.read('head', 'hooks', never)).toMatchObject({ kind: 'submodule' });
    expect(await workspace.read('head', 'out', never)).toEqual({ kind: 'symlink', target: `${folder}/pwned` });
    expect(await readdir(folder)).toEqual(['work']);
    expect((await filesIn(folder)).filter((path) => /a\.js|post-checkout|gitmodules/.test(path))).toEqual([]);
  });

  it('reads Git LFS pointers as the text they are', async () => {
    await using repository = await aGitRepository();
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n';
    const baseSha = await repository.commit({ '.gitattributes': '*.big filter=lfs diff=lfs merge=lfs -text\n' });
    const headSha = await repository.commit({ 'model.big': pointer });
    await using gateway = await gatewayFor(repository);

    await using checkout = await checkOut({ baseSha, startSha: baseSha, headSha }, settings(gateway), never);
    await using workspace = new GitWorkspace(checkout, []);

    expect(await workspace.read('head', 'model.big', never)).toMatchObject({
      kind: 'text',
      lines: expect.arrayContaining(['size 12345']),
    });
  });

  it('keeps the token out of arguments, environment and addresses, in a file for us alone', async () => {
    await using repository = await aGitRepository();
    const refs = await aChange(repository);
    await using gateway = await gatewayFor(repository);
    const seen = join(folder, 'seen');
    const wrapper = await wrapGit(seen);
    const work = join(folder, 'work');

    {
      await using checkout = await checkOut(refs, settings(gateway, `${wrapper}:${testSearchPath}`), never);
      await readChange(checkout, never);
      const holders = await filesHolding(work, gateway.token);
      expect(holders).toHaveLength(1);
      expect((await stat(holders[0] ?? '')).mode & 0o777).toBe(0o600);
    }

    const text = await readFile(seen, 'utf8');
    expect(text).toContain('fetch');
    expect(text).toContain('remote-http');
    expect(text).toContain('GIT_CONFIG_GLOBAL=');
    expect(text).not.toContain(gateway.token);
    expect(gateway.requests.join('\n')).not.toContain(gateway.token);
    expect(await filesHolding(work, gateway.token)).toEqual([]);
  });

  it('works in a repository of SHA-256', async () => {
    await using repository = await aGitRepository({ objectFormat: 'sha256' });
    const baseSha = await repository.commit({ 'a.js': 'one\n' });
    const headSha = await repository.commit({ 'a.js': 'two\n' });
    await using gateway = await gatewayFor(repository);

    await using checkout = await checkOut({ baseSha, startSha: baseSha, headSha }, settings(gateway), never);

    expect((await readChange(checkout, never)).files).toHaveLength(1);
  });

  it('fails when a commit is not to be had, and leaves no token behind', async () => {
    await using repository = await aGitRepository();
    const refs = await aChange(repository);
    await using gateway = await gatewayFor(repository);

    const failed = checkOut({ ...refs, headSha: 'd'.repeat(40) }, settings(gateway), never);

    await expect(failed).rejects.toBeInstanceOf(DrydockError);
    expect(await filesHolding(join(folder, 'work'), gateway.token)).toEqual([]);
  });

  it.each([
    ['a broken answer', { kind: 'status', status: 500, body: 'oops' }],
    ['a lost connection', { kind: 'reset' }],
  ] as const)('says that %s may pass', async (_, fault) => {
    await using repository = await aGitRepository();
    const refs = await aChange(repository);
    const isGit = (route: string) => route.includes(agentRoutes.git);
    await using gateway = await gatewayFor(repository, { fault: (route) => (isGit(route) ? fault : null) });

    await expect(checkOut(refs, settings(gateway), never)).rejects.toMatchObject({ kind: 'transient' });
  });

  it('ends at once when it is told to', async () => {
    await using repository = await aGitRepository();
    const refs = await aChange(repository);
    const stop = new AbortController();
    await using gateway = await gatewayFor(repository, {
      fault: (route) => {
        if (!route.includes(agentRoutes.git)) return null;
        stop.abort();
        return { kind: 'hang' };
      },
    });

    await expect(checkOut(refs, settings(gateway), stop.signal)).rejects.toBeInstanceOf(DrydockError);
  });
});

function git(gitDir: string, ...args: readonly string[]): string {
  return execFileSync('git', ['-C', gitDir, ...args], { encoding: 'utf8' });
}

/** A git that writes down its arguments and environment, and those of the processes it starts. */
async function wrapGit(seen: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const script = `#!/bin/sh\nprintf '%s\\n' "$@" >> '${seen}'\nenv >> '${seen}'\nexport GIT_TRACE='${seen}'\nexec /usr/bin/env -u DRYDOCK PATH='${testSearchPath}' git "$@"\n`;
  await writeFile(join(bin, 'git'), script);
  await chmod(join(bin, 'git'), 0o755);
  return bin;
}

async function filesHolding(path: string, text: string): Promise<readonly string[]> {
  const files = await filesIn(path);
  const contents = await Promise.all(files.map((file) => readFile(file)));
  return files.filter((_, at) => contents[at]?.includes(text) === true);
}
