import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from './a-merge-request.ts';
import type { FakeGitLab } from './fake-gitlab.ts';
import { gitEnvironment } from './git-process.ts';
import { startFakeGitLab } from './start-fake-gitlab.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'git-http-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const run = promisify(execFile);

async function git(token: string | null, ...args: string[]): Promise<string> {
  const basic = Buffer.from(`oauth2:${token ?? ''}`).toString('base64');
  const auth = token === null ? [] : ['-c', `http.extraHeader=Authorization: Basic ${basic}`];
  const { stdout } = await run('git', [...auth, ...args], { cwd: dir, env: { ...gitEnvironment, HOME: dir } });
  return stdout;
}

async function fetchSha(gitlab: FakeGitLab, sha: string): Promise<string> {
  await git(null, 'init', '-q', '.');
  await git(gitlab.token, 'fetch', '-q', '--depth=1', '--filter=blob:none', `${gitlab.url}/acme/shop.git`, sha);
  return (await git(null, 'rev-parse', 'FETCH_HEAD')).trim();
}

describe('git over HTTP', () => {
  it('gives a commit by its id, also one that a forced push left behind', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);
    const before = gitlab.diffRefs(1).head_sha;

    await gitlab.push(project, 'feature', { 'c.txt': 'c\n' }, { from: 'refs/heads/main' });

    expect(gitlab.diffRefs(1).head_sha).not.toBe(before);
    expect(await fetchSha(gitlab, before)).toBe(before);
  });

  it('advertises the heads of merge requests, also from forks, and hides its own refs', async () => {
    await using gitlab = await startFakeGitLab();
    const { project, dana } = await aMergeRequestOn(gitlab);
    const fork = await gitlab.createProject({ path: 'dana/shop', forkOf: project });
    await gitlab.push(fork, 'theirs', { 'c.txt': 'c\n' }, { by: dana });
    const opened = { project, sourceProject: fork, sourceBranch: 'theirs', title: 'Theirs', author: dana };
    await gitlab.openMergeRequest(opened);
    const first = gitlab.diffRefs(2).head_sha;
    await gitlab.push(fork, 'theirs', { 'c.txt': 'cc\n' }, { by: dana });

    const refs = await git(gitlab.token, 'ls-remote', `${gitlab.url}/acme/shop.git`);

    const names = refs
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[1]);
    expect(names).toEqual([
      'HEAD',
      'refs/heads/feature',
      'refs/heads/main',
      'refs/merge-requests/1/head',
      'refs/merge-requests/2/head',
    ]);
    expect(refs).toContain(`${gitlab.diffRefs(2).head_sha}\trefs/merge-requests/2/head`);
    expect(gitlab.diffRefs(2).head_sha).not.toBe(first);
    expect(gitlab.mergeRequest(2).sourceProjectId).toBe(fork.id);
  });

  it('keeps the head of a merge request whose branch is gone', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);
    await gitlab.deleteBranch(project, 'feature');

    const refs = await git(gitlab.token, 'ls-remote', `${gitlab.url}/acme/shop.git`);

    expect(refs).not.toContain('refs/heads/feature');
    expect(refs).toContain(`${gitlab.diffRefs(1).head_sha}\trefs/merge-requests/1/head`);
  });

  it('is closed to strangers and open for public projects', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);
    const stranger = gitlab.createToken(gitlab.createUser({ username: 'stranger' }));
    const url = `${gitlab.url}/acme/shop.git`;

    await expect(git(null, 'ls-remote', url)).rejects.toThrow(/could not read Username|terminal prompts disabled/);
    await expect(git('wrong', 'ls-remote', url)).rejects.toThrow(/could not read Username|Authentication failed/);
    await expect(git(stranger, 'ls-remote', url)).rejects.toThrow(/not found/);
    project.visibility = 'public';
    expect(await git(null, 'ls-remote', url)).toContain('refs/heads/main');
  });

  it('takes requests that git compresses, in protocol 0 too', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);
    for (let index = 0; index < 40; index++)
      await project.repository.setRef(`refs/heads/b${index}`, gitlab.diffRefs(1).head_sha);
    await gitlab.push(project, 'other', { 'c.txt': 'c\n' });

    await git(
      gitlab.token,
      '-c',
      'protocol.version=0',
      'clone',
      '-q',
      '--mirror',
      `${gitlab.url}/acme/shop.git`,
      'mirror',
    );

    expect(await git(null, '-C', 'mirror', 'rev-parse', 'refs/heads/other')).toMatch(/^[0-9a-f]{40}/);
  });

  it('refuses pushes, loudly', async () => {
    await using gitlab = await startFakeGitLab({ allowViolations: true });
    await aMergeRequestOn(gitlab);
    const url = `${gitlab.url}/acme/shop.git`;
    await git(gitlab.token, 'clone', '-q', url, 'clone');

    await expect(git(gitlab.token, '-C', 'clone', 'push', '-q', 'origin', 'HEAD:refs/heads/mine')).rejects.toThrow(
      /403/,
    );
    expect(gitlab.violations).toMatchObject([{ what: 'git asked for git-receive-pack' }]);
  });

  it('holds repositories of SHA-256', async () => {
    await using gitlab = await startFakeGitLab();
    const project = await gitlab.createProject({ path: 'acme/shop', files: { a: 'a\n' }, objectFormat: 'sha256' });
    await gitlab.push(project, 'feature', { a: 'b\n' });

    const mergeRequest = await gitlab.openMergeRequest({
      project,
      sourceBranch: 'feature',
      title: 'A',
      author: gitlab.bot,
    });

    expect(mergeRequest.versions[0]?.headSha).toMatch(/^[0-9a-f]{64}$/);
  });
});
