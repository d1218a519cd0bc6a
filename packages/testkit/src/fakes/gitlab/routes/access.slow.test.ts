import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from '../a-merge-request.ts';
import { apiOf } from '../api-client.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

describe('access to the API', () => {
  it('is refused to nobody, to wrong and to ended tokens, with GitLab its messages', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const [revoked, expired] = [gitlab.createToken(gitlab.bot), gitlab.createToken(gitlab.bot)];
    gitlab.endToken(revoked);
    gitlab.endToken(expired, 'expired');

    const answers = await Promise.all(
      [null, 'wrong', revoked, expired].map((token) => apiOf(gitlab, token)('GET', `${path}/notes`)),
    );

    expect(answers.map((answer) => answer.status)).toEqual([401, 401, 401, 401]);
    expect(answers.map((answer) => answer.body)).toEqual([
      { message: '401 Unauthorized' },
      { message: '401 Unauthorized' },
      expect.objectContaining({ error: 'invalid_token', error_description: expect.stringContaining('revoked') }),
      expect.objectContaining({ error: 'invalid_token', error_description: expect.stringContaining('expired') }),
    ]);
  });

  it('takes a token as a bearer and knows whose it is', async () => {
    await using gitlab = await startFakeGitLab();

    const response = await fetch(`${gitlab.url}/api/v4/user`, { headers: { Authorization: `Bearer ${gitlab.token}` } });

    expect(await response.json()).toMatchObject({ username: 'drydock-bot', bot: true, id: gitlab.bot.id });
  });

  it('tells a bot from a person', async () => {
    await using gitlab = await startFakeGitLab();
    const dana = gitlab.createUser({ username: 'dana' });
    const call = apiOf(gitlab);

    const shown = [await call('GET', `/users/${gitlab.bot.id}`), await call('GET', `/users/${dana.id}`)];

    expect(shown.map((answer) => answer.body)).toMatchObject([{ bot: true }, { username: 'dana', bot: false }]);
    expect((await call('GET', '/users/1')).status).toBe(404);
  });

  it('needs a scope that allows it', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab, gitlab.createToken(gitlab.bot, ['read_api']));

    expect((await call('GET', path)).status).toBe(200);
    expect(await call('POST', `${path}/notes`, { body: 'x' })).toMatchObject({
      status: 403,
      body: { error: 'insufficient_scope' },
    });
  });

  it('hides a private project from strangers and its merge requests from guests', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, project } = await aMergeRequestOn(gitlab);
    const guest = gitlab.createUser({ username: 'guest' });
    const stranger = gitlab.createUser({ username: 'stranger' });
    gitlab.setRole(project, guest, 'guest');
    const asGuest = apiOf(gitlab, gitlab.createToken(guest));
    const asStranger = apiOf(gitlab, gitlab.createToken(stranger));

    expect(await asStranger('GET', path)).toMatchObject({ status: 404, body: { message: '404 Project Not Found' } });
    expect((await asGuest('GET', `/projects/${project.id}`)).status).toBe(200);
    expect(await asGuest('GET', path)).toMatchObject({ status: 404, body: { message: '404 Not found' } });
    expect((await asGuest('GET', `/projects/${project.id}/merge_requests`)).status).toBe(403);
  });

  it('shows a public project to everybody, but lets nobody write unsigned', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, project } = await aMergeRequestOn(gitlab);
    project.visibility = 'public';
    const call = apiOf(gitlab, null);

    expect((await call('GET', path)).status).toBe(200);
    expect((await call('POST', `${path}/notes`, { body: 'x' })).status).toBe(401);
  });

  it('tells the role of a member, inherited or not', async () => {
    await using gitlab = await startFakeGitLab();
    const { project, dana } = await aMergeRequestOn(gitlab);
    const stranger = gitlab.createUser({ username: 'stranger' });
    const call = apiOf(gitlab);

    const member = await call('GET', `/projects/acme%2Fshop/members/all/${dana.id}`);
    const none = await call('GET', `/projects/${project.id}/members/all/${stranger.id}`);

    expect(member.body).toMatchObject({ username: 'dana', access_level: 40 });
    expect(none).toMatchObject({ status: 404, body: { message: '404 Not found' } });
  });
});

describe('lists', () => {
  it('come in pages with links', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, dana } = await aMergeRequestOn(gitlab);
    for (let index = 0; index < 5; index++) await gitlab.comment(dana, 1, `note ${index}`);
    const call = apiOf(gitlab);

    const first = await call('GET', `${path}/notes?per_page=2&sort=asc`);
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await call('GET', next.replace(`${gitlab.url}/api/v4`, ''));
    const last = await call('GET', `${path}/notes?per_page=2&sort=asc&page=3`);

    expect(first.body).toMatchObject([{ body: 'note 0' }, { body: 'note 1' }]);
    expect(first.headers.get('x-total')).toBe('5');
    expect(first.headers.get('x-next-page')).toBe('2');
    expect(second.body).toMatchObject([{ body: 'note 2' }, { body: 'note 3' }]);
    expect(last.body).toMatchObject([{ body: 'note 4' }]);
    expect(last.headers.get('link')).not.toContain('rel="next"');
  });

  it('of merge requests are filtered and sorted', async () => {
    await using gitlab = await startFakeGitLab();
    const { project, dana } = await aMergeRequestOn(gitlab);
    await gitlab.push(project, 'second', { 'c.txt': 'c\n' });
    await gitlab.openMergeRequest({
      project,
      sourceBranch: 'second',
      title: 'Two',
      author: dana,
      draft: true,
      labels: ['bug'],
    });
    await gitlab.updateMergeRequest(1, { state: 'closed' }, { by: dana });
    const iids = async (query: string) => {
      const { body } = await apiOf(gitlab)('GET', `/projects/${project.id}/merge_requests${query}`);
      return Array.isArray(body) ? body.map((item: { iid: number }) => item.iid) : body;
    };

    expect(await iids('?sort=asc')).toEqual([1, 2]);
    expect(await iids('?state=opened')).toEqual([2]);
    expect(await iids('?state=closed')).toEqual([1]);
    expect(await iids('?labels=bug')).toEqual([2]);
    expect(await iids('?updated_after=2100-01-01T00:00:00Z')).toEqual([]);
    expect(gitlab.isDraft(2)).toBe(true);
  });
});

describe('limits', () => {
  it('let one user write 60 notes in a minute', async () => {
    await using gitlab = await startFakeGitLab({ notesPerMinute: 2, clock: frozenClock });
    const { path, danaToken } = await aMergeRequestOn(gitlab);
    const write = () => apiOf(gitlab)('POST', `${path}/notes`, { body: 'x' });

    await write();
    await write();
    const third = await write();

    expect(third.status).toBe(429);
    expect(third.body).toEqual({
      message: { error: 'This endpoint has been requested too many times. Try again later.' },
    });
    expect(third.headers.get('retry-after')).toBe('40');
    expect((await apiOf(gitlab, danaToken)('POST', `${path}/notes`, { body: 'x' })).status).toBe(201);
    expect(gitlab.notes(1)).toHaveLength(3);
  });

  it('tell how many requests are left, and need not tell when to come back', async () => {
    await using gitlab = await startFakeGitLab({ requestsPerMinute: 2, sendsRetryAfter: false, clock: frozenClock });
    const call = apiOf(gitlab);

    const first = await call('GET', '/user');
    await call('GET', '/user');
    const third = await call('GET', '/user');

    expect(first.headers.get('ratelimit-remaining')).toBe('1');
    expect(third.status).toBe(429);
    expect(third.body).toBe('Retry later\n');
    expect(third.headers.get('retry-after')).toBeNull();
  });
});

const frozenClock = {
  nowMs: () => 1_760_000_000_000,
  monotonicMs: () => 0,
  sleep: () => Promise.resolve(),
};
