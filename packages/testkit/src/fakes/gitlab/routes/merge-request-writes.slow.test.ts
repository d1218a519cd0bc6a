import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from '../a-merge-request.ts';
import { apiOf } from '../api-client.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

const mergeRequests = '/projects/acme%2Fshop/merge_requests';

describe('merge requests through the API', () => {
  it('are opened, edited, closed and opened again', async () => {
    await using gitlab = await startFakeGitLab();
    const { project, dana, danaToken } = await aMergeRequestOn(gitlab);
    await gitlab.push(project, 'work', { 'c.txt': 'c\n' });
    const call = apiOf(gitlab, danaToken);
    const branches = { source_branch: 'work', target_branch: 'main' };

    const opened = await call('POST', mergeRequests, { ...branches, title: 'Work', labels: 'a,b' });
    const closed = await call('PUT', `${mergeRequests}/2`, { state_event: 'close', title: 'Draft: Work' });
    const again = await call('PUT', `${mergeRequests}/2`, { state_event: 'reopen' });

    const author = { id: dana.id, username: 'dana' };
    expect(opened).toMatchObject({ status: 201, body: { iid: 2, state: 'opened', labels: ['a', 'b'], author } });
    expect(closed).toMatchObject({ status: 200, body: { state: 'closed', draft: true } });
    expect(again).toMatchObject({ status: 200, body: { state: 'opened' } });
  });

  it.each([
    ['a twin', {}, 409, ['Another open merge request already exists for this source branch: !1']],
    ['its own target', { target_branch: 'feature' }, 422, ["You can't use same project/branch for source and target"]],
    ['no such branch', { source_branch: 'gone' }, 400, { source_branch: ['does not exist'] }],
    ['no title', { title: ' ' }, 400, { title: ["can't be blank"] }],
  ])('are not opened for %s', async (_, changes, status, message) => {
    await using gitlab = await startFakeGitLab();
    await aMergeRequestOn(gitlab);
    const open = { source_branch: 'feature', target_branch: 'main', title: 'Again', ...changes };

    const answer = await apiOf(gitlab)('POST', mergeRequests, open);

    expect(answer).toMatchObject({ status, body: { message } });
  });

  it('are edited by developers and the author alone, and something must be asked for', async () => {
    await using gitlab = await startFakeGitLab({ allowViolations: true });
    const { project, dana, danaToken } = await aMergeRequestOn(gitlab);
    const reporter = gitlab.createUser({ username: 'reporter' });
    gitlab.setRole(project, reporter, 'reporter');
    gitlab.setRole(project, dana, 'reporter');
    const edit = (token: string, change: object) => apiOf(gitlab, token)('PUT', `${mergeRequests}/1`, change);

    const statuses = [
      (await edit(gitlab.createToken(reporter), { title: 'x' })).status,
      (await edit(danaToken, { title: 'x' })).status,
      (await edit(danaToken, {})).status,
      (await edit(danaToken, { state: 'closed' })).status,
    ];

    expect(statuses).toEqual([403, 200, 400, 400]);
    expect(gitlab.violations).toHaveLength(1);
  });
});
