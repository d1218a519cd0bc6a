import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from '../a-merge-request.ts';
import { apiOf } from '../api-client.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

describe('draft notes', () => {
  it('are seen by their author alone until they are published', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, position, danaToken } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    const created = await call('POST', `${path}/draft_notes`, { note: 'one', position });
    await call('POST', `${path}/draft_notes`, { note: 'two' });
    const [draft] = gitlab.draftNotes(1);
    const hers = await apiOf(gitlab, danaToken)('GET', `${path}/draft_notes`);
    const published = await call('PUT', `${path}/draft_notes/${draft?.id}/publish`);

    expect(created).toMatchObject({
      status: 201,
      body: { note: 'one', author_id: gitlab.bot.id, position: { new_line: 6 } },
    });
    expect(hers.body).toEqual([]);
    expect(published).toMatchObject({ status: 204, body: null });
    expect(gitlab.notes(1)).toMatchObject([{ body: 'one', type: 'DiffNote' }]);
    expect(gitlab.draftNotes(1)).toMatchObject([{ note: 'two' }]);
  });

  it('are not checked when made; publishing all of them then breaks in the middle and keeps every draft', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, position } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    await call('POST', `${path}/draft_notes`, { note: 'good', position });
    const bad = await call('POST', `${path}/draft_notes`, { note: 'bad', position: { ...position, new_line: 999 } });
    await call('POST', `${path}/draft_notes`, { note: 'late', position });

    const first = await call('POST', `${path}/draft_notes/bulk_publish`);
    const second = await call('POST', `${path}/draft_notes/bulk_publish`);

    expect([bad.status, first.status, second.status]).toEqual([201, 500, 500]);
    expect(gitlab.notes(1).map((note) => note.body)).toEqual(['good', 'good']);
    expect(gitlab.draftNotes(1)).toHaveLength(3);
  });

  it('are published together', async () => {
    await using gitlab = await startFakeGitLab({ version: '19.2.0' });
    const { path, position } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    await call('POST', `${path}/draft_notes`, { note: 'one', position });
    await call('POST', `${path}/draft_notes`, { note: 'two', position });

    const answer = await call('POST', `${path}/draft_notes/bulk_publish`, { note: 'All in all' });

    expect(answer.status).toBe(204);
    expect(gitlab.notes(1).map((note) => note.body)).toEqual(['one', 'two', 'All in all']);
    expect(gitlab.draftNotes(1)).toEqual([]);
  });

  it('answer into a thread and resolve it', async () => {
    await using gitlab = await startFakeGitLab();
    const { path, position } = await aMergeRequestOn(gitlab);
    const note = await gitlab.comment(gitlab.bot, 1, 'x', { position });
    const call = apiOf(gitlab);
    const reply = { note: 'done', in_reply_to_discussion_id: note?.discussionId, resolve_discussion: true };

    await call('POST', `${path}/draft_notes`, reply);
    const unknown = await call('POST', `${path}/draft_notes`, { note: 'x', in_reply_to_discussion_id: 'nope' });
    await call('POST', `${path}/draft_notes/bulk_publish`);

    expect(unknown).toMatchObject({ status: 400, body: { message: { base: ['Thread to reply to cannot be found'] } } });
    expect(gitlab.discussions(1)).toHaveLength(1);
    expect(gitlab.notes(1).map((each) => each.resolvedById)).toEqual([gitlab.bot.id, gitlab.bot.id]);
  });

  it('are edited and deleted', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    await call('POST', `${path}/draft_notes`, { note: 'one' });
    const { id } = gitlab.draftNotes(1)[0] ?? { id: 0 };

    const edited = await call('PUT', `${path}/draft_notes/${id}`, { note: 'uno' });
    const deleted = await call('DELETE', `${path}/draft_notes/${id}`);
    const gone = await call('GET', `${path}/draft_notes/${id}`);

    expect([edited.status, deleted.status, gone.status]).toEqual([200, 204, 404]);
  });

  it('refuse line numbers in a range on instances that do', async () => {
    await using gitlab = await startFakeGitLab({ draftsRefuseRangeLines: true });
    const { path, position } = await aMergeRequestOn(gitlab);
    const line_range = {
      start: { line_code: 'a_1_1', type: 'new', new_line: 6 },
      end: { line_code: 'a_1_1', type: 'new' },
    };

    const answer = await apiOf(gitlab)('POST', `${path}/draft_notes`, {
      note: 'x',
      position: { ...position, line_range },
    });

    expect(answer).toMatchObject({ status: 400, body: { message: { position: ['must be a valid json schema'] } } });
  });
});
