import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { apiOf } from './api-client.ts';
import type { FakeGitLab } from './fake-gitlab.ts';
import { startFakeGitLab } from './start-fake-gitlab.ts';

const base = 'one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\ntwelve\n';
const head = base.replace('five\n', 'FIVE\nfive and a half\n');

async function aProject(gitlab: FakeGitLab) {
  const dana = gitlab.createUser({ username: 'dana' });
  const project = await gitlab.createProject({ path: 'acme/shop', files: { 'a.txt': base, 'b.txt': 'b\n' } });
  gitlab.setRole(project, dana, 'maintainer');
  await gitlab.push(project, 'feature', { 'a.txt': head }, { by: dana });
  const mergeRequest = await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Half', author: dana });
  return { dana, project, mergeRequest };
}

describe('FakeGitLab', () => {
  it('shows a merge request with its newest version', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aProject(gitlab);
    const call = apiOf(gitlab);

    const shown = await call('GET', `/projects/acme%2Fshop/merge_requests/1`);
    const versions = await call('GET', `/projects/${project.id}/merge_requests/1/versions`);

    expect(shown.body).toMatchObject({ iid: 1, state: 'opened', draft: false, author: { username: 'dana' } });
    const [version] = gitlab.mergeRequest(1).versions;
    expect(shown.body).toMatchObject({
      sha: version?.headSha,
      diff_refs: { base_sha: version?.baseSha, head_sha: version?.headSha, start_sha: version?.startSha },
    });
    expect(versions.body).toMatchObject([{ head_commit_sha: version?.headSha, state: 'collected', real_size: '1' }]);
  });

  it('takes a note on a diff line and keeps it through a push', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aProject(gitlab);
    const call = apiOf(gitlab);
    const refs = gitlab.diffRefs(1);
    const position = { ...refs, position_type: 'text', old_path: 'a.txt', new_path: 'a.txt', new_line: 6 };

    const created = await call('POST', `/projects/${project.id}/merge_requests/1/discussions`, {
      body: 'Why?',
      position,
    });
    await gitlab.push(project, 'feature', { 'a.txt': `zero\n${head}` });

    expect(created.status).toBe(201);
    const [note] = gitlab.notes(1);
    expect(note?.position?.new_line).toBe(7);
    expect(note?.originalPosition?.new_line).toBe(6);
    expect(note?.isOutdated).toBe(false);
  });

  it('takes positions as forms', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aProject(gitlab);
    const refs = gitlab.diffRefs(1);
    const form = new FormData();
    form.set('body', 'Why?');
    for (const [name, value] of Object.entries(refs)) form.set(`position[${name}]`, value);
    const rest = { position_type: 'text', old_path: 'a.txt', new_path: 'a.txt', old_line: '', new_line: '6' };
    for (const [name, value] of Object.entries(rest)) form.set(`position[${name}]`, value);

    const headers = { Authorization: `Bearer ${gitlab.token}` };
    const url = `${gitlab.url}/api/v4/projects/${project.id}/merge_requests/1/discussions`;
    const response = await fetch(url, { method: 'POST', body: form, headers });

    expect(response.status).toBe(201);
    expect(gitlab.discussions(1)).toHaveLength(1);
  });

  it('calls webhooks signed', async () => {
    await using gitlab = await startFakeGitLab();
    const received: { event: string; body: { object_kind: string } }[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        received.push({
          event: String(request.headers['x-gitlab-event']),
          body: JSON.parse(Buffer.concat(chunks).toString()) as { object_kind: string },
        });
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    const { project, dana } = await aProject(gitlab);
    gitlab.addWebhook(
      { url: `http://127.0.0.1:${address.port}/`, signingToken: 'whsec_c2VjcmV0LXNlY3JldA==' },
      project,
    );

    await gitlab.comment(dana, 1, '/drydock review');
    await gitlab.push(project, 'feature', { 'a.txt': 'x\n' });
    await gitlab.deliveriesSettled();
    server.close();

    expect(received.map((call) => call.event)).toEqual(['Note Hook', 'Push Hook', 'Merge Request Hook']);
    expect(gitlab.deliveries.map((delivery) => delivery.status)).toEqual([200, 200, 200]);
  });

  it('serves git to whoever may read, and to nobody else', async () => {
    await using gitlab = await startFakeGitLab();
    await aProject(gitlab);
    const dir = await mkdtemp(join(tmpdir(), 'clone-'));
    const run = promisify(execFile);
    const env = { PATH: process.env['PATH'], GIT_TERMINAL_PROMPT: '0', HOME: dir };
    const clone = (token: string, to: string) => {
      const auth = `http.extraHeader=Authorization: Basic ${Buffer.from(`oauth2:${token}`).toString('base64')}`;
      const refs = ['--filter=blob:none', '--branch', 'feature'];
      return run('git', ['-c', auth, 'clone', '-q', ...refs, `${gitlab.url}/acme/shop.git`, join(dir, to)], { env });
    };

    await clone(gitlab.token, 'good');
    await expect(clone('wrong', 'bad')).rejects.toThrow(/Authentication failed|Access denied|could not read/);
    const { stdout } = await run('git', ['ls-remote', join(dir, 'good')], { env });
    await rm(dir, { recursive: true });

    expect(stdout).toContain('refs/heads/feature');
  });

  it('reports what a client should not have asked', async () => {
    const gitlab = await startFakeGitLab();
    const { project } = await aProject(gitlab);

    const unknown = await apiOf(gitlab)('GET', `/projects/${project.id}/nonsense`);
    const parameter = await apiOf(gitlab)('GET', `/projects/${project.id}/merge_requests?foo=1`);

    expect([unknown.status, parameter.status]).toEqual([404, 400]);
    await expect(gitlab[Symbol.asyncDispose]()).rejects.toThrow(/no such route[^]*foo/);
  });
});
