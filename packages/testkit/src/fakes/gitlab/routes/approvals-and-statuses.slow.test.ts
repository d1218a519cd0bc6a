import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from '../a-merge-request.ts';
import { apiOf } from '../api-client.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

describe('approvals', () => {
  it('need the head that was reviewed', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, project } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    const { head_sha: sha } = gitlab.diffRefs(1);
    await gitlab.push(project, 'feature', { 'c.txt': 'c\n' });

    const stale = await call('POST', `${path}/approve`, { sha });
    const fresh = await call('POST', `${path}/approve`, { sha: gitlab.diffRefs(1).head_sha });

    expect(stale).toMatchObject({ status: 409, body: { message: expect.stringContaining('SHA does not match HEAD') } });
    expect(fresh).toMatchObject({
      status: 201,
      body: { user_has_approved: true, approved_by: [{ user: { username: 'drydock-bot' } }] },
    });
  });

  it('are refused to the author, to reporters and twice', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, project, danaToken } = await aMergeRequestOn(gitlab);
    const reporter = gitlab.createUser({ username: 'reporter' });
    gitlab.setRole(project, reporter, 'reporter');
    const approve = (token: string) => apiOf(gitlab, token)('POST', `${path}/approve`);

    const answers = [
      await approve(danaToken),
      await approve(gitlab.createToken(reporter)),
      await approve(gitlab.token),
      await approve(gitlab.token),
    ];

    expect(answers.map((answer) => answer.status)).toEqual([401, 401, 201, 401]);
    expect(answers[0]?.body).toEqual({ message: '401 Unauthorized' });
  });

  it('are taken back once', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    await call('POST', `${path}/approve`);

    const [first, second] = [await call('POST', `${path}/unapprove`), await call('POST', `${path}/unapprove`)];

    expect([first.status, second.status]).toEqual([201, 404]);
    expect(gitlab.approvals(1)).toEqual([]);
  });
});

describe('commit statuses', () => {
  it('go forward and are listed with the newest of each name', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    const sha = gitlab.diffRefs(1).head_sha;
    const set = (state: string) =>
      call('POST', `/projects/${project.id}/statuses/${sha}`, { state, name: 'drydock/review', description: state });

    const statuses = [
      await set('pending'),
      await set('running'),
      await set('running'),
      await set('success'),
      await set('failed'),
    ];
    const listed = await call('GET', `/projects/${project.id}/repository/commits/${sha}/statuses`);

    expect(statuses.map((answer) => answer.status)).toEqual([201, 201, 400, 201, 201]);
    expect(statuses[2]?.body).toMatchObject({
      message: expect.stringContaining('Cannot transition status via :run from :running'),
    });
    expect(listed.body).toMatchObject([{ name: 'drydock/review', status: 'failed', description: 'failed' }]);
    expect(gitlab.statuses(sha).map((status) => status.status)).toEqual(['success', 'failed']);
  });

  it.each([
    ['a long description', { state: 'success', description: 'x'.repeat(256) }, 400],
    ['an address that is no web address', { state: 'success', target_url: 'javascript:x' }, 400],
  ])('refuse %s', async (_, body, status) => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);

    const answer = await apiOf(gitlab)('POST', `/projects/${project.id}/statuses/${gitlab.diffRefs(1).head_sha}`, body);

    expect(answer.status).toBe(status);
  });

  it('need a role, a commit and a known state', async () => {
    await using gitlab = await startFakeGitLab({ allowViolations: true });
    const { project } = await aMergeRequestOn(gitlab);
    const reporter = gitlab.createUser({ username: 'reporter' });
    gitlab.setRole(project, reporter, 'reporter');
    const sha = gitlab.diffRefs(1).head_sha;
    const path = `/projects/${project.id}/statuses`;

    const low = await apiOf(gitlab, gitlab.createToken(reporter))('POST', `${path}/${sha}`, { state: 'success' });
    const unknown = await apiOf(gitlab)('POST', `${path}/${'0'.repeat(40)}`, { state: 'success' });
    const wrong = await apiOf(gitlab)('POST', `${path}/${sha}`, { state: 'failure' });

    expect(low).toMatchObject({ status: 403, body: { message: '403 Forbidden' } });
    expect(unknown).toMatchObject({ status: 404, body: { message: '404 Commit Not Found' } });
    expect(wrong).toMatchObject({ status: 400, body: { error: 'state does not have a valid value' } });
  });
});

describe('award emoji', () => {
  it('are given once by each user', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, dana } = await aMergeRequestOn(gitlab);
    const note = await gitlab.comment(dana, 1, 'x');
    const call = apiOf(gitlab);

    const first = await call('POST', `${path}/notes/${note?.id}/award_emoji`, { name: 'eyes' });
    const second = await call('POST', `${path}/notes/${note?.id}/award_emoji`, { name: 'eyes' });
    const listed = await call('GET', `${path}/notes/${note?.id}/award_emoji`);
    const onMergeRequest = await call('POST', `${path}/award_emoji`, { name: 'thumbsup' });

    expect(first).toMatchObject({ status: 201, body: { name: 'eyes', awardable_type: 'Note' } });
    expect(second.status).toBe(404);
    expect(listed.body).toHaveLength(1);
    expect(onMergeRequest).toMatchObject({ status: 201, body: { awardable_type: 'MergeRequest' } });
  });
});
