import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from '../a-merge-request.ts';
import { apiOf } from '../api-client.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

/** A clock that stands until it is told. */
function aClock() {
  let nowMs = 1_760_000_000_000;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.resolve(),
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('versions', () => {
  it('appear some time after a push, newest first', async () => {
    const clock = aClock();
    await using gitlab = await startFakeGitLab({ clock, diffRefsDelayMs: 3000 });
    const { path, project } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    const old = gitlab.diffRefs(1);
    clock.advance(3000);
    await gitlab.push(project, 'feature', { 'c.txt': 'c\n' });

    const early = await call('GET', path);
    clock.advance(3000);
    const late = await call('GET', path);
    const versions = await call('GET', `${path}/versions`);

    expect(early.body).toMatchObject({ sha: old.head_sha, diff_refs: old });
    expect(late.body).toMatchObject({ sha: gitlab.diffRefs(1).head_sha, diff_refs: gitlab.diffRefs(1) });
    expect(versions.body).toMatchObject([
      { head_commit_sha: gitlab.diffRefs(1).head_sha },
      { head_commit_sha: old.head_sha },
    ]);
  });

  it('show their commits and diffs', async () => {
    await using gitlab = await startFakeGitLab();
    const { path } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);
    const id = gitlab.mergeRequest(1).versions[0]?.id ?? 0;

    const version = await call('GET', `${path}/versions/${id}`);
    const diffs = await call('GET', `${path}/diffs`);

    const diff = {
      old_path: 'a.txt',
      new_path: 'a.txt',
      new_file: false,
      diff: expect.stringContaining('+five\n+and a half\n'),
    };
    expect(version.body).toMatchObject({ id, commits: [{ title: 'Change files' }], diffs: [diff] });
    expect(diffs.body).toMatchObject([{ ...diff, too_large: false, collapsed: false }]);
  });

  it('are made for pushes, not while the merge request is closed, and again when it opens', async () => {
    await using gitlab = await startFakeGitLab();
    const { project, dana } = await aMergeRequestOn(gitlab);
    const count = () => gitlab.mergeRequest(1).versions.length;
    const counts = [count()];

    await gitlab.updateMergeRequest(1, { state: 'closed' }, { by: dana });
    await gitlab.push(project, 'feature', { 'c.txt': 'c\n' });
    counts.push(count());
    await gitlab.updateMergeRequest(1, { state: 'opened' }, { by: dana });
    counts.push(count());
    await gitlab.push(project, 'main', { 'm.txt': 'm\n' });
    counts.push(count());

    expect(counts).toEqual([1, 1, 2, 2]);
  });

  it('end with the merge, which moves the target branch', async () => {
    await using gitlab = await startFakeGitLab();
    const { project, dana } = await aMergeRequestOn(gitlab);

    await gitlab.updateMergeRequest(1, { state: 'merged' }, { by: dana });

    const merged = gitlab.mergeRequest(1);
    expect(await project.repository.branchTip('main')).toBe(merged.mergeCommitSha);
    expect((await project.repository.readFile('main', 'a.txt'))?.toString()).toContain('and a half');
  });
});
