import { describe, expect, it } from '@jest/globals';
import { TaskState, taskIdOf, type OpenMergeRequest, type TaskOutcome } from '@drydock/core';
import type { TaskView } from '@drydock/queue';
import fc from 'fast-check';
import { sha, subject } from '../testing/world-gateway.ts';
import { planSweep } from './plan-sweep.ts';

const open: OpenMergeRequest = { ref: subject, projectPath: 'shop/orders', headSha: sha('a'), updatedAtMs: 1000 };

function aTask(changes: Partial<TaskView>): TaskView {
  return {
    taskId: taskIdOf('review', subject),
    kind: 'review',
    subject,
    projectPath: 'shop/orders',
    state: 'waiting',
    trigger: 'pushed',
    headSha: sha('a'),
    lease: 1,
    launch: 1,
    failures: 0,
    isDirty: false,
    readyAtMs: null,
    queuedAtMs: 0,
    outcome: null,
    endedAtMs: null,
    lastError: null,
    ...changes,
  };
}

const ended = (outcome: TaskOutcome, changes: Partial<TaskView> = {}) =>
  aTask({ state: outcome.kind, outcome, endedAtMs: 2000, ...changes });

describe('planSweep', () => {
  it('enqueues what the ledger does not know', () => {
    expect(planSweep(open, null)).toEqual({ kind: 'enqueue', reason: 'unknown' });
  });

  it('enqueues a head that is neither running nor done', () => {
    const newer = { ...open, headSha: sha('b') };

    expect(planSweep(newer, ended({ kind: 'done' }))).toEqual({ kind: 'enqueue', reason: 'other-head' });
    expect(planSweep(newer, ended({ kind: 'dead', why: 'x' }))).toEqual({ kind: 'enqueue', reason: 'other-head' });
    expect(planSweep(newer, aTask({ state: 'running' }))).toEqual({ kind: 'enqueue', reason: 'other-head' });
    expect(planSweep(newer, aTask({ state: 'running', isDirty: true }))).toMatchObject({ kind: 'leave' });
    expect(planSweep(newer, aTask({ state: 'waiting' }))).toMatchObject({ kind: 'leave' });
  });

  it('looks again at a draft, a label and a closing once the merge request changed, and not before', () => {
    const later = { ...open, updatedAtMs: 3000 };

    for (const outcome of [
      { kind: 'skipped', why: 'draft' },
      { kind: 'skipped', why: 'label' },
      { kind: 'skipped', why: 'closed' },
      { kind: 'cancelled', why: 'the merge request was closed' },
    ] as const) {
      expect(planSweep(later, ended(outcome))).toEqual({ kind: 'enqueue', reason: 'changed-since' });
      expect(planSweep(open, ended(outcome))).toEqual({ kind: 'leave', reason: 'ended' });
    }
  });

  it('does not overrule a person, a policy or an end for good', () => {
    const later = { ...open, updatedAtMs: 3000 };

    for (const outcome of [
      { kind: 'cancelled', why: 'cancelled by a person' },
      { kind: 'skipped', why: 'head-already-reviewed' },
      { kind: 'skipped', why: 'bot-author' },
      { kind: 'skipped', why: 'switched-off' },
      { kind: 'dead', why: 'run.crashed' },
      { kind: 'done' },
    ] as const) {
      expect(planSweep(later, ended(outcome))).toEqual({ kind: 'leave', reason: 'ended' });
    }
  });

  it('takes up what was superseded by nothing', () => {
    const task = ended({ kind: 'superseded', why: 'a newer head was pushed' });

    expect(planSweep(open, task)).toEqual({ kind: 'enqueue', reason: 'not-finished' });
  });

  const outcomes = fc.constantFrom<TaskOutcome>(
    { kind: 'done' },
    { kind: 'dead', why: 'run.crashed' },
    { kind: 'skipped', why: 'draft' },
    { kind: 'skipped', why: 'fork' },
    { kind: 'superseded', why: 'a newer head was pushed' },
    { kind: 'cancelled', why: 'cancelled by a person' },
    { kind: 'cancelled', why: 'the merge request was closed' },
  );
  const heads = fc.constantFrom(sha('a'), sha('b'), null);
  const anyTask = fc
    .record({
      outcome: outcomes,
      live: fc.constantFrom(...TaskState.options.slice(0, 4), null),
      headSha: heads,
      isDirty: fc.boolean(),
      endedAtMs: fc.nat(10),
    })
    .map(({ outcome, live, headSha, isDirty, endedAtMs }) =>
      live === null ? ended(outcome, { headSha, endedAtMs }) : aTask({ state: live, headSha, isDirty }),
    );
  const anyOpen = fc
    .record({ headSha: heads, updatedAtMs: fc.nat(10) })
    .map((changes): OpenMergeRequest => ({ ...open, ...changes }));

  it('never pays twice for a head, never asks for one that waits or that is not there', () => {
    fc.assert(
      fc.property(anyOpen, anyTask, (mergeRequest, task) => {
        const { kind } = planSweep(mergeRequest, task);
        const isSameHead = task.headSha === mergeRequest.headSha;
        const isSettled = task.state === 'done' || task.state === 'dead';
        if (mergeRequest.headSha === null || task.state === 'waiting') expect(kind).toBe('leave');
        if (isSameHead && isSettled && task.headSha !== null) expect(kind).toBe('leave');
      }),
    );
  });

  it('never leaves a head that ended without having been seen', () => {
    fc.assert(
      fc.property(anyOpen, anyTask, (mergeRequest, task) => {
        const isOther = mergeRequest.headSha !== null && task.headSha !== null && task.headSha !== mergeRequest.headSha;
        if (isOther && task.endedAtMs !== null) expect(planSweep(mergeRequest, task).kind).toBe('enqueue');
      }),
    );
  });

  it('comes to rest: what it enqueued, it leaves the next time', () => {
    fc.assert(
      fc.property(anyOpen, fc.option(anyTask, { nil: null }), (mergeRequest, task) => {
        if (planSweep(mergeRequest, task).kind === 'leave') return;
        const { headSha } = mergeRequest;

        expect(planSweep(mergeRequest, aTask({ state: 'waiting', headSha })).kind).toBe('leave');
        expect(planSweep(mergeRequest, ended({ kind: 'skipped', why: 'draft' }, { headSha, endedAtMs: 10 })).kind).toBe(
          'leave',
        );
      }),
    );
  });
});
