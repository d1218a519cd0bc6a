import { beforeEach, describe, expect, it } from '@jest/globals';
import { StaleError, TransientError, silentLog, type RunId } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { OverdueRuns } from './overdue-runs.ts';
import { WorldGateway, aResult, sha } from './testing/world-gateway.ts';

const everyMs = 10_000;
const lingerMs = 10_000;

describe('OverdueRuns', () => {
  let clock: ManualClock;
  let world: WorldGateway;
  let overdue: OverdueRuns;
  let asked: (readonly RunId[])[];
  let ended: RunId[];

  beforeEach(() => {
    clock = new ManualClock();
    world = new WorldGateway();
    asked = [];
    ended = [];
    const gateway = {
      overRuns: (runIds: readonly RunId[], signal: AbortSignal) => {
        asked.push(runIds);
        return world.overRuns(runIds, signal);
      },
    };
    overdue = new OverdueRuns({ gateway, clock, log: silentLog }, everyMs);
  });

  const begin = (launch: number): RunId =>
    world.record({
      v: 1,
      taskId: 'review:gitlab:42:7',
      launch,
      subject: { forge: 'gitlab', projectId: '42', iid: 7 },
      diffRefs: { baseSha: sha('c'), startSha: sha('c'), headSha: sha('a') },
      trigger: 'pushed',
    });
  const watch = (runId: RunId) =>
    overdue.watch(runId, () => {
      ended.push(runId);
    });

  it('ends an agent that goes on for ten seconds after its result was seen', async () => {
    const runId = begin(1);
    watch(runId);
    await clock.advance(everyMs);
    world.submit(runId, aResult(sha('a')));

    await clock.advance(everyMs + lingerMs - 1);
    expect(ended).toEqual([]);
    await clock.advance(1);

    expect(ended).toEqual([runId]);
    expect(clock.sleeping).toBe(0);
  });

  it('ends an agent whose run was ended in the gateway', async () => {
    const runId = begin(1);
    watch(runId);
    await world.revokeRun(runId, new AbortController().signal);

    await clock.advance(everyMs + lingerMs);

    expect(ended).toEqual([runId]);
  });

  it('leaves those alone that go on with their work, and those that nobody knows', async () => {
    watch(begin(1));
    watch('ffffffffffffffff-1');

    await clock.advance(10 * everyMs);

    expect(ended).toEqual([]);
  });

  it('asks by one call for many, and for no more than the gateway answers at once', async () => {
    for (let launch = 1; launch <= 450; launch += 1) {
      watch(begin(launch));
      await clock.advance(1);
    }

    await clock.advance(everyMs);

    expect(asked.map((runIds) => runIds.length)).toEqual([200, 200, 50]);
  });

  it('asks for the latest to come no later for those that came before', async () => {
    const first = begin(1);
    world.submit(first, aResult(sha('a')));
    watch(first);
    await clock.advance(everyMs); // it lingers from now on
    const second = begin(2);
    watch(second);
    await clock.advance(5_000);
    watch(begin(3));

    await clock.advance(5_000);

    expect(ended).toEqual([first]);
    expect(asked.at(-1)).toContain(second);
  });

  it('asks again when nobody answers', async () => {
    const runId = begin(1);
    world.submit(runId, aResult(sha('a')));
    world.faults.set('overRuns', [
      new TransientError('gateway.unreachable', 'away'),
      new StaleError('run.revoked', ''),
    ]);
    watch(runId);

    await clock.advance(3 * everyMs + lingerMs);

    expect(ended).toEqual([runId]);
  });

  it('asks no more, and leaves no timer behind, when the last is watched no more', async () => {
    const unwatch = [watch(begin(1)), watch(begin(2))];
    await clock.advance(everyMs);
    for (const each of unwatch) each();
    const count = asked.length;

    await clock.advance(10 * everyMs);

    expect(asked).toHaveLength(count);
    expect(clock.sleeping).toBe(0);
  });

  it('gives up a question that is on its way when nobody waits for it any more', async () => {
    const left = Promise.withResolvers<undefined>();
    world.interludes.set('overRuns', (signal) => {
      signal.addEventListener('abort', () => {
        left.resolve(undefined);
      });
      return left.promise.then(() => Promise.reject(new Error('given up')));
    });
    const unwatch = watch(begin(1));
    await clock.advance(everyMs);

    unwatch();
    await left.promise;
    watch(begin(2));
    await clock.advance(everyMs);

    expect(asked.at(-1)).toHaveLength(1);
  });
});
