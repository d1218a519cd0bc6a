import { describe, expect, it } from '@jest/globals';
import { aJob } from '../testing/kube-facts.ts';
import { beyondCap, planReap, type ReapFacts } from './plan-reap.ts';

const minuteMs = 60_000;
const limits = { ageFloorMs: 2 * minuteMs, orphanAgeMs: 120 * minuteMs, mostFinished: 2 };
const alive = { isRevoked: false, result: null };
const ended = { isRevoked: true, result: null };

function facts(changes: Partial<ReapFacts>): ReapFacts {
  return {
    job: aJob(),
    launch: 3,
    task: { state: 'done', launch: 3 },
    run: ended,
    nowMs: 10 * minuteMs,
    isBeyondCap: false,
    ...changes,
  };
}

describe('what becomes of a Job', () => {
  it.each<[string, Partial<ReapFacts>, string]>([
    ['of a task that ended', {}, 'reap ended'],
    ['finished, of a task that ended', { job: aJob({ finishedAtMs: 1 }) }, 'reap finished'],
    ['of a run that the gateway has forgotten', { run: null }, 'reap ended'],
    ['of a task that nobody knows', { task: null }, 'reap unknown-task'],
    ['reported 25: a minute old', { nowMs: minuteMs }, 'skip young'],
    ['a minute old, beyond the cap', { nowMs: minuteMs, isBeyondCap: true }, 'reap ended'],
    ['reported 21: that somebody works on', { task: { state: 'running', launch: 3 } }, 'skip held'],
    ['that is being published', { task: { state: 'publishing', launch: 3 } }, 'skip held'],
    [
      'reported 32: finished, that somebody works on',
      { job: aJob({ finishedAtMs: 1 }), task: { state: 'running', launch: 3 } },
      'skip held',
    ],
    [
      'beyond the cap, that somebody works on',
      { isBeyondCap: true, task: { state: 'running', launch: 3 } },
      'skip held',
    ],
    ['of an older launch', { task: { state: 'running', launch: 4 }, run: alive }, 'reap old-launch'],
    ['of a task that waits, its run alive', { task: { state: 'waiting', launch: 3 }, run: alive }, 'skip run-alive'],
    [
      'the same, after very long',
      { task: { state: 'waiting', launch: 3 }, run: alive, nowMs: 200 * minuteMs },
      'reap orphan',
    ],
  ])('%s', (_name, changes, expected) => {
    const plan = planReap(facts(changes), limits);

    expect(`${plan.kind} ${plan.why}`).toBe(expected);
  });

  it('reported 31: keeps only so many finished ones, the newest', () => {
    const jobs = [3, 1, 4, 2].map((at) => aJob({ uid: String(at), finishedAtMs: at }));

    expect([...beyondCap([...jobs, aJob({ uid: 'works' })], 2)]).toEqual(['1', '2']);
  });
});
