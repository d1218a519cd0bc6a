import { describe, expect, it } from '@jest/globals';
import type { DiffPosition } from './check-position.ts';
import type { FakeGitLab } from './fake-gitlab.ts';
import type { GitLabFileChanges } from './git-repository.ts';
import { startFakeGitLab } from './start-fake-gitlab.ts';

const base = Array.from({ length: 30 }, (_, index) => `line ${index + 1}\n`).join('');
const head = base.replace('line 10\n', 'ten\nten and a half\n').replace('line 20\n', '');

/** A note at a place, then a push: where the note stands now. */
async function follow(place: Partial<DiffPosition>, then: GitLabFileChanges | ((gitlab: FakeGitLab) => Promise<void>)) {
  await using gitlab = await startFakeGitLab();
  const dana = gitlab.createUser({ username: 'dana' });
  const project = await gitlab.createProject({ path: 'acme/shop', files: { a: base, b: 'b\n' } });
  await gitlab.push(project, 'feature', { a: head });
  await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'A', author: dana });
  const before = gitlab.diffRefs(1);
  const position = { ...before, position_type: 'text', old_path: 'a', new_path: 'a', ...place };
  const note = await gitlab.comment(dana, 1, 'Here', { position });

  if (typeof then === 'function') await then(gitlab);
  else await gitlab.push(project, 'feature', then);

  expect(note?.originalPosition).toEqual(position);
  const { old_path, new_path, old_line, new_line, head_sha } = note?.position ?? {};
  return {
    isOutdated: note?.isOutdated,
    place: [old_path, new_path, old_line ?? null, new_line ?? null],
    isNew: head_sha === gitlab.diffRefs(1).head_sha,
    systemNotes: gitlab.systemNotes(1).map((system) => system.body),
  };
}

describe('a note after a push', () => {
  it('moves with its added line', async () => {
    const now = await follow({ new_line: 11 }, { a: `zero\n${head}` });

    expect(now).toMatchObject({ isOutdated: false, isNew: true, place: ['a', 'a', null, 12] });
  });

  it('moves with its line into a renamed file', async () => {
    const now = await follow({ new_line: 11 }, { a: null, renamed: head });

    expect(now).toMatchObject({ isOutdated: false, isNew: true, place: ['a', 'renamed', null, 11] });
  });

  it('stays with a removed line', async () => {
    const now = await follow({ old_line: 20 }, { a: `zero\n${head}` });

    expect(now).toMatchObject({ isOutdated: false, isNew: true, place: ['a', 'a', 20, null] });
  });

  it('moves with an unchanged line, also outside the hunks', async () => {
    const now = await follow({ old_line: 15, new_line: 16 }, { a: `zero\n${head}` });

    expect(now).toMatchObject({ isOutdated: false, isNew: true, place: ['a', 'a', 15, 17] });
  });

  it('is outdated once its line is gone, and keeps its place', async () => {
    const now = await follow({ new_line: 11 }, { a: head.replace('ten and a half\n', '') });

    expect(now).toMatchObject({ isOutdated: true, isNew: false, place: ['a', 'a', null, 11] });
    expect(now.systemNotes).toContain('changed this line in version 2 of the diff');
  });

  it('is outdated once its removed line is back', async () => {
    const now = await follow({ old_line: 20 }, { a: base.replace('line 10\n', 'ten\n') });

    expect(now).toMatchObject({ isOutdated: true, isNew: false });
  });

  it('is outdated once its file is as before', async () => {
    const now = await follow({ old_line: 15, new_line: 16 }, { a: base, b: 'bb\n' });

    expect(now).toMatchObject({ isOutdated: true, isNew: false });
  });

  it('turns into one on an unchanged line when the line is merged elsewhere', async () => {
    const now = await follow({ new_line: 11 }, async (gitlab) => {
      const { repository } = gitlab.project();
      const sha = await gitlab.push(gitlab.project(), 'main', {
        a: base.replace('line 10\n', 'ten\nten and a half\n'),
      });
      const tip = await repository.commit(sha, { files: { a: head } });
      await gitlab.push(gitlab.project(), 'feature', [], { from: tip });
    });

    expect(now).toMatchObject({ isOutdated: false, isNew: true, place: ['a', 'a', 11, 11] });
  });

  it('stays with a whole file until it changes', async () => {
    const kept = await follow({ position_type: 'file' }, { b: 'bb\n' });
    const changed = await follow({ position_type: 'file' }, { a: `zero\n${head}` });

    expect(kept).toMatchObject({ isOutdated: false, isNew: true });
    expect(changed).toMatchObject({ isOutdated: true, isNew: false });
  });
});

describe('a note on an older version', () => {
  it('is followed to the newest one when it is written', async () => {
    await using gitlab = await startFakeGitLab();
    const dana = gitlab.createUser({ username: 'dana' });
    const project = await gitlab.createProject({ path: 'acme/shop', files: { a: base } });
    await gitlab.push(project, 'feature', { a: head });
    await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'A', author: dana });
    const position = { ...gitlab.diffRefs(1), position_type: 'text', old_path: 'a', new_path: 'a' };
    await gitlab.push(project, 'feature', { a: `zero\n${head.replace('ten and a half\n', '')}` });

    const kept = await gitlab.comment(dana, 1, 'Here', { position: { ...position, new_line: 10 } });
    const gone = await gitlab.comment(dana, 1, 'There', { position: { ...position, new_line: 11 } });

    expect([kept?.position?.new_line, kept?.isOutdated]).toEqual([11, false]);
    expect([gone?.position?.new_line, gone?.isOutdated]).toEqual([11, true]);
  });
});
