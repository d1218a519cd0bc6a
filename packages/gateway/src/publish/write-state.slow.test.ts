import { describe, expect, it } from '@jest/globals';
import type { ReviewState } from '@drydock/core';
import { PublishBench, never } from './publish.contract.ts';
import { readEarlierFindings } from './read-earlier-findings.ts';
import { readReviewed } from './read-reviewed.ts';
import { writeState } from './write-state.ts';

const setup = { before: { 'a.ts': 'one\ntwo\n', 'b.ts': 'bee\n' }, after: { 'a.ts': 'one\nTWO\nthree\n' } };

async function headOf(bench: PublishBench) {
  const { headSha, diffRefs } = await bench.forge.readHead(bench.ref, never);
  return { headSha: headSha ?? '', baseSha: diffRefs?.baseSha ?? '' };
}

const write = (bench: PublishBench, state: ReviewState, createNote = true) =>
  writeState(bench.ports, bench.ref, { v: 1, state, createNote }, bench.policy, never);

describe('writeState', () => {
  it('creates the note once, edits it in place, and says when nothing changed', async () => {
    await using bench = await PublishBench.start(setup);
    const { headSha } = await headOf(bench);
    const reviewing: ReviewState = { kind: 'reviewing', headSha, attempt: 1 };

    const kinds = [
      await write(bench, reviewing, false),
      await write(bench, reviewing),
      await write(bench, reviewing),
      await write(bench, { kind: 'skipped', headSha, why: 'a draft' }, false),
    ];

    expect(kinds).toEqual(['absent', 'written', 'unchanged', 'written']);
    expect(bench.summaries).toHaveLength(1);
    expect(bench.summaries[0]).toMatch(/^\*\*Drydock: skipped\*\* `[0-9a-f]{12}`: a draft/);
    expect(bench.gitlab.notes(1)).toHaveLength(1);
  });

  it('is read back as what was reviewed', async () => {
    await using bench = await PublishBench.start(setup);
    const { headSha, baseSha } = await headOf(bench);

    expect(await readReviewed(bench.ports, bench.ref, never)).toBeNull();
    await write(bench, { kind: 'reviewing', headSha, attempt: 1 });
    expect(await readReviewed(bench.ports, bench.ref, never)).toEqual({ state: 'reviewing', headSha, baseSha });
    await bench.publish([]);
    expect(await readReviewed(bench.ports, bench.ref, never)).toEqual({ state: 'done', headSha, baseSha });
    await write(bench, { kind: 'skipped', headSha: null, why: 'the source branch is gone' });
    expect(await readReviewed(bench.ports, bench.ref, never)).toBeNull();
  });

  it('does not call a review of this head failed that stands, only one that is given up', async () => {
    await using bench = await PublishBench.start(setup);
    const { headSha } = await headOf(bench);
    await bench.publish([]);
    const failed = { kind: 'failed', headSha, why: 'the answer was lost' } as const;

    expect(await write(bench, { ...failed, willRetry: true })).toBe('unchanged');
    expect(await readReviewed(bench.ports, bench.ref, never)).toMatchObject({ state: 'done' });
    expect(await write(bench, { ...failed, willRetry: false })).toBe('written');
  });

  it('keeps the last review below a new state, through several of them, until the next review', async () => {
    await using bench = await PublishBench.start(setup);
    const { headSha } = await headOf(bench);
    await bench.publish([{ path: 'b.ts', at: 'bee', title: 'In the summary only' }]);

    await write(bench, { kind: 'reviewing', headSha, attempt: 2 });
    await write(bench, { kind: 'failed', headSha, why: 'the model is down', willRetry: true });

    const [body = ''] = bench.summaries;
    expect(body).toMatch(
      /^\*\*Drydock: failed\*\* to review `[0-9a-f]{12}`: the model is down\n\nIt will be tried again\./,
    );
    expect(body.match(/Drydock: 1 finding/g)).toHaveLength(1);
    expect(body).toContain('In the summary only');
    expect(await readEarlierFindings(bench.ports, bench.ref, never)).toMatchObject([{ title: 'In the summary only' }]);
    await bench.publish([]);
    expect(bench.summaries[0]).toMatch(/^\*\*Drydock: no findings\*\*/);
    expect(bench.summaries[0]).not.toContain('In the summary only');
  });

  it('goes by the policy of the project where the scheduler tells of it', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { commitStatus: true } });
    const { headSha } = await headOf(bench);
    const state: ReviewState = { kind: 'over-budget', headSha, why: 'the budget of the day is spent' };

    const request = { v: 1 as const, state, createNote: true, commitStatus: false };
    await writeState(bench.ports, bench.ref, request, bench.policy, never);

    expect(bench.gitlab.statuses(headSha)).toEqual([]);
  });

  it('says the same by commit status where the policy wants it', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { commitStatus: true } });
    const { headSha } = await headOf(bench);
    const states: ReviewState[] = [
      { kind: 'reviewing', headSha, attempt: 1 },
      { kind: 'reviewing', headSha, attempt: 1 },
      { kind: 'failed', headSha, why: 'the model is down', willRetry: true },
      { kind: 'over-budget', headSha, why: 'the budget of the day is spent' },
      { kind: 'reviewing', headSha, attempt: 2 },
    ];

    for (const state of states) await write(bench, state);
    await bench.publish([]);

    expect(bench.gitlab.statuses(headSha).map(({ status, description }) => [status, description])).toEqual([
      ['failed', 'Over budget: the budget of the day is spent'],
      ['success', 'No findings'],
    ]);
  });

  it('writes one note though every write is done and then fails', async () => {
    await using bench = await PublishBench.start(setup);
    const { headSha } = await headOf(bench);
    for (const method of ['POST', 'PUT', 'DELETE'])
      bench.gitlab.faults.add({ match: { method }, mode: 'execute-then-fail', status: 500, times: 99 });

    await write(bench, { kind: 'reviewing', headSha, attempt: 1 });
    await write(bench, { kind: 'over-budget', headSha, why: 'spent' });

    expect(bench.summaries).toHaveLength(1);
    expect(bench.summaries[0]).toContain('over budget');
  });
});

describe('readEarlierFindings', () => {
  it('tells what stands in threads and in the summary, with what people did about it', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish([
      { path: 'a.ts', at: 'TWO', title: 'First', severity: 'high' },
      { path: 'a.ts', at: 'three', title: 'Second' },
      { path: 'b.ts', at: 'bee', title: 'Third', category: 'tests' },
    ]);
    await bench.gitlab.resolve(bench.author, 1, bench.threads[0]?.id ?? '');

    const earlier = await readEarlierFindings(bench.ports, bench.ref, never);

    const common = { side: 'new', category: 'correctness', severity: 'medium', isResolved: false };
    expect(earlier).toEqual([
      { ...common, path: 'b.ts', line: null, title: 'Third', category: 'tests' },
      { ...common, path: 'a.ts', line: 3, title: 'Second' },
      { ...common, path: 'a.ts', line: 2, title: 'First', severity: 'high', isResolved: true },
    ]);
  });
});
