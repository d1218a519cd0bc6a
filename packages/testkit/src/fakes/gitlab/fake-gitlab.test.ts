import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from './a-merge-request.ts';
import { apiOf } from './api-client.ts';
import { startFakeGitLab } from './start-fake-gitlab.ts';

describe('FakeGitLab', () => {
  it('shows a merge request with its newest version', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    const shown = await call('GET', `/projects/acme%2Fshop/merge_requests/1`);
    const versions = await call('GET', `${path}/versions`);

    expect(shown.body).toMatchObject({ iid: 1, state: 'opened', draft: false, author: { username: 'dana' } });
    const [version] = gitlab.mergeRequest(1).versions;
    expect(shown.body).toMatchObject({
      sha: version?.headSha,
      diff_refs: { base_sha: version?.baseSha, head_sha: version?.headSha, start_sha: version?.startSha },
    });
    expect(versions.body).toMatchObject([{ head_commit_sha: version?.headSha, state: 'collected', real_size: '1' }]);
  });

  it('takes positions as forms', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const place = { old_path: 'a.txt', new_path: 'a.txt', old_line: '', new_line: '6' };
    const fields = { ...gitlab.diffRefs(1), position_type: 'text', ...place };
    const form = new FormData();
    form.set('body', 'Größer?');
    for (const [name, value] of Object.entries(fields)) form.set(`position[${name}]`, value);

    const headers = { Authorization: `Bearer ${gitlab.token}` };
    const response = await fetch(`${gitlab.url}/api/v4${path}/discussions`, { method: 'POST', body: form, headers });

    expect(response.status).toBe(201);
    expect(gitlab.notes(1)).toMatchObject([{ body: 'Größer?', position: { new_line: 6, old_line: null } }]);
  });

  it('reports what a client should not have asked', async () => {
    const gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);

    const unknown = await apiOf(gitlab)('GET', `/projects/${project.id}/nonsense`);
    const parameter = await apiOf(gitlab)('GET', `/projects/${project.id}/merge_requests?foo=1`);

    expect([unknown.status, parameter.status]).toEqual([404, 400]);
    await expect(gitlab[Symbol.asyncDispose]()).rejects.toThrow(/no such route[^]*foo/);
  });
});
