import { describe, expect, it } from '@jest/globals';
import { numbersPerEpoch, type Pause, type TaskEvent } from '@drydock/core';
import type { QueueStats, TaskView } from '@drydock/queue';
import { attemptsOf, launchOf, summaryOf, waitingReason } from './task-views.ts';

const nowMs = 1_000_000;
const stats: QueueStats = {
  waiting: 3,
  running: 2,
  dead: 0,
  processedToday: 0,
  oldestReadyMs: 0,
  parked: 0,
  setAside: 0,
};

function aView(changes: Partial<TaskView> = {}): TaskView {
  return {
    taskId: 'review:gitlab:42:7',
    kind: 'review',
    subject: { forge: 'gitlab', projectId: '42', iid: 7 },
    projectPath: 'shop/orders',
    state: 'waiting',
    trigger: 'opened',
    headSha: null,
    lease: 0,
    launch: 0,
    failures: 0,
    isDirty: false,
    readyAtMs: nowMs,
    queuedAtMs: 0,
    outcome: null,
    endedAtMs: null,
    lastError: null,
    ...changes,
  };
}

const reasonOf = (view: TaskView, pauses: readonly Pause[] = []) => waitingReason(view, { pauses, stats, nowMs });
const aPause = (scope: Pause['scope']): Pause => ({ scope, by: 'ada', why: 'upgrade', atMs: 1 });

describe('waitingReason', () => {
  it('is null for what does not wait', () => {
    expect(reasonOf(aView({ state: 'running' }), [aPause({ kind: 'all' })])).toBeNull();
  });

  it.each([
    [{ kind: 'all' } as const, 'ada paused everything: upgrade'],
    [{ kind: 'forge', forge: 'gitlab' } as const, 'ada paused its forge: upgrade'],
    [{ kind: 'project', forge: 'gitlab', projectId: '42' } as const, 'ada paused its project: upgrade'],
  ])('names the pause that holds it back: %j', (scope, why) => {
    expect(reasonOf(aView(), [aPause(scope)])).toEqual({ kind: 'paused', why });
  });

  it.each([
    { kind: 'forge', forge: 'github' } as const,
    { kind: 'project', forge: 'gitlab', projectId: '4' } as const,
    { kind: 'project', forge: 'github', projectId: '42' } as const,
  ])('does not name a pause of others: %j', (scope) => {
    expect(reasonOf(aView(), [aPause(scope)])?.kind).toBe('turn');
  });

  it('tells how long it rests and why', () => {
    const readyAtMs = nowMs + 12_300;

    expect(reasonOf(aView({ readyAtMs }))?.why).toBe('not before 13 s from now: more events may come');
    expect(reasonOf(aView({ readyAtMs, lastError: { code: 'run.crashed', message: '' } }))).toEqual({
      kind: 'delayed',
      why: 'not before 13 s from now: after run.crashed',
    });
  });
});

describe('attemptsOf', () => {
  const event = (atMs: number, what: TaskEvent['what'], detail = ''): TaskEvent => ({ atMs, who: 'x', what, detail });

  it('pairs each start with its end, in the order of the history', () => {
    const events = [
      event(1, 'queued'),
      event(2, 'leased'),
      event(3, 'launched'),
      event(4, 'retrying', 'run.crashed'),
      event(5, 'leased'),
      event(6, 'launched'),
      event(7, 'adopted'),
      event(8, 'publishing'),
    ];

    expect(attemptsOf(events, 2)).toEqual([
      { attempt: 1, startedAtMs: 3, endedAtMs: 4, ending: 'retrying', detail: 'run.crashed' },
      { attempt: 2, startedAtMs: 6, endedAtMs: null, ending: null, detail: '' },
    ]);
  });

  it.each([
    ['while its task is looked at', [event(5, 'adopted')], 5],
    ['when the next agent starts', [event(5, 'adopted'), event(6, 'launched')], 5],
    ['though nothing tells of the take-over', [event(6, 'launched')], 6],
    ['though it was publishing', [event(4, 'publishing'), event(5, 'adopted'), event(6, 'launched')], 5],
  ])('ends an attempt whose scheduler was killed, %s', (_name, later, endedAtMs) => {
    const [first] = attemptsOf([event(3, 'launched'), ...later], later.at(-1)?.what === 'launched' ? 2 : 1);

    expect(first).toEqual({
      attempt: 1,
      startedAtMs: 3,
      endedAtMs,
      ending: 'lost',
      detail: 'its scheduler went away; x goes on',
    });
  });

  it('ends an adopted attempt as its task ended', () => {
    const events = [event(3, 'launched'), event(5, 'adopted'), event(6, 'publishing'), event(7, 'done')];

    expect(attemptsOf(events, 1)).toMatchObject([{ attempt: 1, endedAtMs: 7, ending: 'done' }]);
  });

  it('counts back from the last one when the first are forgotten, and makes none up in a new epoch', () => {
    const events = [event(3, 'launched'), event(4, 'retrying'), event(6, 'launched'), event(7, 'done')];

    expect(attemptsOf(events, 9).map(({ attempt }) => attempt)).toEqual([8, 9]);
    expect(attemptsOf(events, 1).map(({ attempt }) => attempt)).toEqual([1]);
    expect(attemptsOf([], 0)).toEqual([]);
  });
});

describe('launchOf', () => {
  const first = 5 * numbersPerEpoch + 1;
  const second = 9 * numbersPerEpoch + 2;
  const launched = (launch?: number): TaskEvent => ({
    atMs: 1,
    who: 'x',
    what: 'launched',
    detail: '',
    ...(launch === undefined ? {} : { launch }),
  });

  it('is what the event of that attempt tells, in whatever epoch it was', () => {
    expect(launchOf([launched(first), launched(second)], 1, second)).toBe(first);
    expect(launchOf([launched(first), launched(second)], 2, second)).toBe(second);
  });

  it('is counted back in the newest epoch where no event tells', () => {
    expect(launchOf([launched(), launched(second)], 1, second)).toBe(9 * numbersPerEpoch + 1);
  });
});

describe('summaryOf', () => {
  it('counts attempts as people do, in any epoch, and keeps the numbers of the queue to itself', () => {
    const summary = summaryOf(aView({ launch: 5 * numbersPerEpoch + 3, lease: 7 }));

    expect(summary.attempt).toBe(3);
    expect(Object.keys(summary)).not.toEqual(expect.arrayContaining(['lease']));
  });
});
