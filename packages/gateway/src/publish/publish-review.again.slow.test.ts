import { describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import { markerKeys } from './marker.ts';
import { PublishBench, type Claim } from './publish.contract.ts';

const base = Array.from({ length: 30 }, (_, index) => `const line${index + 1} = ${index + 1};`);
const bug = 'const total = price * amunt;';
const leak = 'console.log(user.password);';
const dropped = 'const line20 = 20;';
const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;
const version1 = [...base.slice(0, 5), bug, ...base.slice(5, 12), leak, ...base.slice(12)].filter(
  (line) => line !== dropped,
);
const setup = { before: { 'src/a.ts': text(base), 'src/b.ts': 'b\n' }, after: { 'src/a.ts': text(version1) } };

const bugClaim: Claim = { path: 'src/a.ts', at: bug, severity: 'high', title: 'Unknown name' };
const leakClaim: Claim = { path: 'src/a.ts', at: leak, category: 'security', title: 'Logs a password' };
const dropClaim: Claim = { path: 'src/a.ts', at: dropped, side: 'old', title: 'Was needed' };
const claims = [bugClaim, leakClaim, dropClaim];

const isResolved = (bench: PublishBench) => bench.threads.map((thread) => thread.notes[0]?.resolvedById ?? null);

describe('publishReview after an earlier review', () => {
  it('repeats nothing that was moved or worded anew, and resolves what was fixed', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish(claims);
    const moved = ['// a new comment', '', ...version1.filter((line) => line !== leak)];
    await bench.push({ 'src/a.ts': text(moved) });

    const publication = await bench.publish(
      [{ ...bugClaim, title: 'amunt is misspelt', reason: 'Other words.', severity: 'medium' }, dropClaim],
      { attempt: 2 },
    );

    expect(bench.threads).toHaveLength(3);
    expect(publication.resolved).toBe(1);
    expect(isResolved(bench)).toEqual([null, bench.gitlab.bot.id, null]);
    expect(publication.comments).toMatchObject([
      { startLine: 8, isNew: false, placement: 'inline' },
      { side: 'old', isNew: false },
    ]);
    expect(bench.summaries).toHaveLength(1);
    expect(bench.summaries[0]).toContain('**Fixed**: the code of 1 earlier comment is gone.');
    expect(bench.gitlab.notes(1).filter((note) => note.authorId === bench.gitlab.bot.id)).toHaveLength(4);
  });

  it('keeps its threads when the file is renamed, and when a new file is moved', async () => {
    await using bench = await PublishBench.start({
      ...setup,
      after: { ...setup.after, 'new.ts': text(['alpha', bug]) },
    });
    const inNew: Claim = { path: 'new.ts', at: bug, title: 'Unknown name' };
    await bench.publish([...claims, inNew]);
    await bench.push({
      'src/a.ts': null,
      'src/z.ts': text(version1),
      'new.ts': null,
      'lib/moved.ts': text(['alpha', bug]),
    });

    const publication = await bench.publish(
      [...claims, inNew].map((claim) => ({
        ...claim,
        path: claim.path === 'new.ts' ? 'lib/moved.ts' : claim.side === 'old' ? 'src/a.ts' : 'src/z.ts',
      })),
    );

    expect(bench.threads).toHaveLength(4);
    expect(isResolved(bench)).toEqual([null, null, null, null]);
    expect(publication).toMatchObject({ resolved: 0 });
    expect(publication.comments.map(({ path }) => path)).toEqual(['lib/moved.ts', 'src/a.ts', 'src/z.ts', 'src/z.ts']);
  });

  it('does not take a moved file for a fix when nobody says it again', async () => {
    await using bench = await PublishBench.start({ before: setup.before, after: { 'new.ts': text(['alpha', bug]) } });
    await bench.publish([{ path: 'new.ts', at: bug }]);
    await bench.push({ 'new.ts': null, 'lib/moved.ts': text(['alpha', bug, 'more']) });

    const publication = await bench.publish([]);

    expect(publication).toMatchObject({ resolved: 0, comments: [{ isNew: false }] });
  });

  it('resolves a thread about removed lines once they are back', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish(claims);
    await bench.push({ 'src/a.ts': text([...base.slice(0, 5), bug, ...base.slice(5, 12), leak, ...base.slice(12)]) });

    const publication = await bench.publish([bugClaim, leakClaim]);

    expect(publication.resolved).toBe(1);
    expect(isResolved(bench)).toEqual([null, null, bench.gitlab.bot.id]);
  });

  it('leaves fixed threads to people where the policy says so', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { resolveFixed: false } });
    await bench.publish(claims);
    await bench.push({ 'src/a.ts': text(base) });

    const publication = await bench.publish([]);

    expect(publication).toMatchObject({ resolved: 0, comments: [], verdict: 'clean' });
    expect(isResolved(bench)).toEqual([null, null, null]);
  });

  it('keeps what it said before and did not find again: in the table, and in the verdict', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { blockAt: 'high' } });
    await bench.publish(claims);
    await bench.push({ 'src/b.ts': 'c\n' });

    const publication = await bench.publish([leakClaim]);

    expect(publication.verdict).toBe('block');
    expect(publication.comments).toHaveLength(3);
    expect(publication.comments.every(({ isNew }) => !isNew)).toBe(true);
    expect(bench.summaries[0]).toContain('Unknown name (still open)');
  });

  it('opens a thread again that it had resolved, when the code comes back', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish([bugClaim]);
    await bench.push({ 'src/a.ts': text(version1.filter((line) => line !== bug)) });
    await bench.publish([]);
    await bench.push({ 'src/a.ts': text(version1) });

    const publication = await bench.publish([bugClaim]);

    expect(bench.threads).toHaveLength(1);
    expect(isResolved(bench)).toEqual([null]);
    expect(publication.comments).toMatchObject([{ isNew: false }]);
  });

  it('never raises again what a person resolved, however it is worded', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { blockAt: 'high' } });
    await bench.publish(claims);
    await bench.gitlab.resolve(bench.author, 1, bench.threads[0]?.id ?? '');
    await bench.push({ 'src/a.ts': text(['// on top', ...version1]) });

    const publication = await bench.publish([{ ...bugClaim, title: 'Really, look', severity: 'critical' }, leakClaim]);

    expect(bench.threads).toHaveLength(3);
    expect(isResolved(bench)).toEqual([bench.author.id, null, null]);
    expect(publication).toMatchObject({ heldBack: { declined: 1 }, verdict: 'comment' });
    expect(publication.comments.map(({ category }) => category)).toEqual(['security', 'correctness']);
  });

  it('never posts again what a person deleted', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish(claims);
    bench.gitlab.deleteNote(1, bench.threads[1]?.notes[0]?.id ?? 0);

    const publication = await bench.publish(claims);

    expect(bench.threads).toHaveLength(2);
    expect(publication.heldBack).toEqual({ declined: 1 });
  });

  it('does not believe a marker in a comment of somebody else', async () => {
    await using bench = await PublishBench.start(setup);
    await using other = await PublishBench.start(setup);
    await other.publish([bugClaim]);
    await bench.publish([leakClaim]);
    const copied = [...bench.threads, ...other.threads].map((thread) => thread.notes[0]?.body ?? '');
    for (const body of [...copied, ...bench.summaries]) await bench.gitlab.comment(bench.author, 1, body);
    const foreign = bench.gitlab.notes(1).length;

    const publication = await bench.publish(claims);

    expect(publication.comments).toHaveLength(3);
    expect(bench.gitlab.notes(1)).toHaveLength(foreign + 2);
  });

  it('does not believe a marker of another merge request, though it stands in a comment of its own', async () => {
    await using bench = await PublishBench.start(setup);
    const { gitlab, project, author } = bench;
    await bench.publish([bugClaim]);
    const copied = bench.threads[0]?.notes[0]?.body ?? '';
    await gitlab.push(project, 'second', setup.after, { by: author, from: 'main' });
    const second = await gitlab.openMergeRequest({ project, sourceBranch: 'second', title: 'Again', author });
    await gitlab.comment(gitlab.bot, second.iid, copied);
    const review = await bench.review([bugClaim]);
    const ref = { ...bench.ref, iid: second.iid };
    const { mergeRequest } = await bench.forge.readMergeRequest(ref, new AbortController().signal);

    const refs = mergeRequest.diffRefs ?? review.refs;
    const publication = await bench.publishUntilDone({
      ...review,
      refs,
      mergeRequest: { ...mergeRequest, reviewed: null },
    });

    expect(publication.comments).toMatchObject([{ placement: 'inline', isNew: true }]);
  });

  it('knows its comments after the marker key was rotated, and forgets them when the old key is dropped', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish(claims);

    bench.keys = markerKeys([new Secret('a new key'), new Secret('a marker key for tests')]);
    await bench.publish(claims);
    expect(bench.threads).toHaveLength(3);
    expect(bench.summaries).toHaveLength(1);

    bench.keys = markerKeys([new Secret('a new key')]);
    await bench.publish(claims);
    expect(bench.threads).toHaveLength(6);
  });

  it('keeps one summary note, the oldest, also where there are several or a person deleted it', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish(claims);
    const [body] = bench.summaries;
    await bench.gitlab.comment(bench.gitlab.bot, 1, body ?? '');
    expect(bench.summaries).toHaveLength(2);

    await bench.publish(claims);
    expect(bench.summaries).toHaveLength(1);

    const summary = bench.gitlab.notes(1).find((note) => note.body.includes('drydock:summary'));
    bench.gitlab.deleteNote(1, summary?.id ?? 0);
    await bench.publish(claims);
    expect(bench.summaries).toHaveLength(1);
    expect(bench.threads).toHaveLength(3);
  });
});
