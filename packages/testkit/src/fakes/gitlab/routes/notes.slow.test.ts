import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from '../a-merge-request.ts';
import { apiOf } from '../api-client.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

describe('notes', () => {
  it('are written, listed newest first, edited and deleted', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    const first = await call('POST', `${path}/notes`, { body: 'one' });
    await call('POST', `${path}/notes`, { body: 'two' });
    const { id } = gitlab.notes(1)[0] ?? { id: 0 };
    const edited = await call('PUT', `${path}/notes/${id}`, { body: 'uno' });
    const listed = await call('GET', `${path}/notes`);
    const deleted = await call('DELETE', `${path}/notes/${id}`);

    expect(first).toMatchObject({
      status: 201,
      body: { id, type: null, body: 'one', system: false, resolvable: false, noteable_iid: 1 },
    });
    expect(edited).toMatchObject({ status: 200, body: { body: 'uno' } });
    expect(listed.body).toMatchObject([{ body: 'two' }, { body: 'uno' }]);
    expect(deleted).toMatchObject({ status: 204, body: null });
    expect(gitlab.notes(1).map((note) => note.body)).toEqual(['two']);
  });

  it('are changed by their author and maintainers alone', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, dana, danaToken } = await aMergeRequestOn(gitlab);
    const hers = await gitlab.comment(dana, 1, 'hers');
    const his = await gitlab.comment(gitlab.bot, 1, 'his');

    const refused = await apiOf(gitlab)('PUT', `${path}/notes/${hers?.id}`, { body: 'mine' });
    const allowed = await apiOf(gitlab, danaToken)('DELETE', `${path}/notes/${his?.id}`);

    expect(refused).toMatchObject({ status: 403, body: { message: '403 Forbidden' } });
    expect(allowed.status).toBe(204);
  });

  it('cannot be empty', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    const empty = await call('POST', `${path}/notes`, { body: ' ' });

    expect(empty).toMatchObject({
      status: 400,
      body: { message: `400 Bad request - Note {:note=>["can't be blank"]}` },
    });
  });

  it('run commands, and only then say so', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    const mixed = await call('POST', `${path}/notes`, { body: 'Looks good.\n/approve\n' });
    const alone = await call('POST', `${path}/notes`, { body: '/title Renamed' });
    const thread = await call('POST', `${path}/discussions`, { body: '/close' });

    expect(mixed).toMatchObject({ status: 201, body: { body: 'Looks good.' } });
    expect(alone).toMatchObject({ status: 202, body: { commands_changes: {} } });
    expect(thread).toMatchObject({ status: 400, body: { message: '400 Bad request - Note {}' } });
    expect(gitlab.approvals(1)).toEqual([gitlab.bot]);
    expect(gitlab.mergeRequest(1)).toMatchObject({ title: 'Renamed', state: 'closed' });
    expect(gitlab.notes(1)).toHaveLength(1);
    expect(gitlab.effects.map((effect) => `${effect.kind} ${effect.detail}`)).toEqual([
      'quick-action /approve',
      'quick-action /title Renamed',
      'quick-action /close',
    ]);
  });

  it('record whom they mention and where they lead', async () => {
    await using gitlab = await startFakeGitLab();
    await aMergeRequestOn(gitlab);

    await gitlab.comment(gitlab.bot, 1, '@dana see https://evil.example and `@nobody`');

    expect(gitlab.effects).toMatchObject([
      { kind: 'link', detail: 'https://evil.example', authorId: gitlab.bot.id, iid: 1 },
      { kind: 'mention', detail: 'dana' },
    ]);
  });
});

describe('discussions', () => {
  it('hold a thread with a position, replies and a state', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, position } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    const created = await call('POST', `${path}/discussions`, { body: 'Why?', position });
    const { id } = gitlab.discussions(1)[0] ?? { id: '' };
    const reply = await call('POST', `${path}/discussions/${id}/notes`, { body: 'So.' });
    const resolved = await call('PUT', `${path}/discussions/${id}`, { resolved: true });
    const late = await call('POST', `${path}/discussions/${id}/notes`, { body: 'Late.' });
    const reopened = await call('PUT', `${path}/discussions/${id}`, { resolved: false });

    expect(created).toMatchObject({
      status: 201,
      body: {
        id,
        individual_note: false,
        notes: [
          {
            type: 'DiffNote',
            body: 'Why?',
            resolvable: true,
            resolved: false,
            position: { ...position, old_line: null, line_range: null },
          },
        ],
      },
    });
    expect(gitlab.notes(1)[0]?.lineCode).toMatch(/^[0-9a-f]{40}_6_6$/);
    expect(reply).toMatchObject({ status: 201, body: { type: 'DiffNote', position: { new_line: 6 } } });
    expect(resolved.body).toMatchObject({
      notes: [{ resolved: true, resolved_by: { id: gitlab.bot.id } }, { resolved: true }],
    });
    expect(late.body).toMatchObject({ resolved: true });
    expect(reopened.body).toMatchObject({ notes: [{ resolved: false }, { resolved: false }, { resolved: false }] });
  });

  it('answer refused positions as GitLab does', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, position } = await aMergeRequestOn(gitlab);
    const post = (change: object) =>
      apiOf(gitlab)('POST', `${path}/discussions`, { body: 'x', position: { ...position, ...change } });

    const line = await post({ new_line: 1 });
    const empty = await post({ head_sha: '' });

    expect(line).toMatchObject({
      status: 400,
      body: { message: `400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"]}` },
    });
    expect(empty).toMatchObject({ status: 500, body: { message: '500 Internal Server Error' } });
    expect(gitlab.notes(1)).toEqual([]);
    expect(gitlab.violations).toEqual([]);
  });

  it.each([
    ['a missing sha', { head_sha: undefined }, 'position[head_sha] is missing'],
    ['an unknown type', { position_type: 'line' }, null],
    ['an unknown key', { line: 3 }, 'position[line] is not allowed'],
    ['a number that is none', { new_line: 'six' }, 'position[new_line] is invalid'],
  ])('refuse %s', async (_, change, error) => {
    await using gitlab = await startFakeGitLab({ allowViolations: true });
    const { path, position } = await aMergeRequestOn(gitlab);

    const answer = await apiOf(gitlab)('POST', `${path}/discussions`, {
      body: 'x',
      position: { ...position, ...change },
    });

    const expected = error ?? 'position[position_type] does not have a valid value';
    expect(answer).toMatchObject({ status: 400, body: { error: expected } });
    expect(gitlab.violations).toHaveLength(error === null ? 0 : 1);
  });

  it('know whole files from 16.4 on', async () => {
    await using old = await startFakeGitLab({ version: '16.3.0' });
    await using current = await startFakeGitLab();
    const statuses: number[] = [];
    for (const gitlab of [old, current]) {
      const { path, position } = await aMergeRequestOn(gitlab);
      const whole = { ...position, position_type: 'file', new_line: null };
      statuses.push((await apiOf(gitlab)('POST', `${path}/discussions`, { body: 'x', position: whole })).status);
    }

    expect(statuses).toEqual([400, 201]);
  });

  it('cannot be placed before the diff is prepared', async () => {
    await using gitlab = await startFakeGitLab({ diffRefsDelayMs: 60_000 });
    const { path, position } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    expect((await call('GET', path)).body).toMatchObject({
      diff_refs: null,
      detailed_merge_status: 'preparing',
      prepared_at: null,
    });
    expect((await call('GET', `${path}/versions`)).body).toEqual([]);
    expect((await call('POST', `${path}/discussions`, { body: 'x', position })).status).toBe(400);
  });

  it('are resolved by developers and the author of the change', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, project, position, dana } = await aMergeRequestOn(gitlab);
    const reporter = gitlab.createUser({ username: 'reporter' });
    gitlab.setRole(project, reporter, 'reporter');
    gitlab.setRole(project, dana, 'reporter');
    const note = await gitlab.comment(gitlab.bot, 1, 'x', { position });
    const resolve = (token: string) =>
      apiOf(gitlab, token)('PUT', `${path}/discussions/${note?.discussionId}`, { resolved: true });

    expect((await resolve(gitlab.createToken(reporter))).status).toBe(403);
    expect((await resolve(gitlab.createToken(dana))).status).toBe(200);
  });

  it('make a thread of a note that stood alone when someone answers', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, dana } = await aMergeRequestOn(gitlab);
    const note = await gitlab.comment(dana, 1, 'alone');
    expect(gitlab.discussions(1)).toHaveLength(0);

    await apiOf(gitlab)('POST', `${path}/discussions/${note?.discussionId}/notes`, { body: 'answer' });

    expect(gitlab.discussions(1)).toHaveLength(1);
    expect(gitlab.notes(1).map((each) => each.type)).toEqual(['DiscussionNote', 'DiscussionNote']);
  });
});
