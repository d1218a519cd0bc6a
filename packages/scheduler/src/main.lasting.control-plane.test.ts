/**
 * What lasts longer than a process, a message or a Job: schedulers as processes, on a real Redis and a real API server.
 * There is no kubelet: the status of pods is written by hand.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, runIdOf, silentLog, systemClock } from '@drydock/core';
import { connectRedis } from '@drydock/queue';
import { ClusterSchedulers } from './testing/cluster-schedulers.ts';
import { KubeStage, eventually } from './testing/kube-stage.ts';
import { anEvent, sha, taskId } from './testing/world-gateway.ts';

const event = (deliveryKey: string) => ({ deliveryKeys: [deliveryKey], debounceMs: 0, maxDebounceMs: 0 });
const loseEveryMs = 5;
const limitMs = 600_000;

describe('schedulers of a cluster', () => {
  let stage: KubeStage;
  let schedulers: ClusterSchedulers;

  beforeEach(async () => {
    stage = await KubeStage.open();
    schedulers = await ClusterSchedulers.open(stage);
  }, limitMs);
  afterEach(async () => {
    await schedulers[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  }, limitMs);

  const inState = (state: string) => eventually(async () => (await schedulers.queue.get(taskId))?.state === state);
  /** By name: the first launch, or the one that came after it. */
  const runOf = async (nth: number) => {
    const launches = () => [...schedulers.world.runs.keys()];
    return eventually(async () => launches()[nth - 1]);
  };

  /** Until it is aborted, whoever listens to Redis is cut off again and again: what is told meanwhile is lost. */
  async function loseMessages(signal: AbortSignal): Promise<void> {
    const redis = await connectRedis({ url: new Secret(schedulers.redisUrl) }, silentLog);
    try {
      while (!signal.aborted) {
        await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await systemClock.sleep(loseEveryMs, signal);
      }
    } finally {
      redis.disconnect();
    }
  }

  it(
    'reported 6: find by themselves what they were told of in vain: an event, and a newer head',
    async () => {
      const { queue, world } = schedulers;
      await schedulers.start();
      const over = new AbortController();
      const losing = loseMessages(over.signal);

      await queue.enqueue(anEvent(), event('a'));
      const first = await runOf(1);
      await stage.begin(first);
      world.headSha = sha('b');
      await queue.enqueue(anEvent({ headSha: sha('b') }), event('b'));
      const second = await runOf(2);
      expect(world.revoked).toEqual([first]);
      await stage.begin(second);
      world.submitReview(second);
      await stage.end(second);
      await inState('done');
      over.abort();
      await losing;

      expect(world.published).toEqual([sha('b')]);
      expect(await queue.get(taskId)).toMatchObject({ failures: 0 });
    },
    limitMs,
  );

  it(
    'reported 23: know what was done when its Job is gone, and the scheduler that did it, and every note of it',
    async () => {
      const { queue, world } = schedulers;
      const one = await schedulers.start();
      await queue.enqueue(anEvent(), event('delivery'));
      const run = await runOf(1);
      await stage.begin(run);
      world.submitReview(run);
      await stage.end(run);
      await inState('done');
      await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0);
      one.kill('SIGKILL');
      await one.ended;
      world.reviewed = null;
      world.runs.clear();
      await schedulers.start();

      const sameDelivery = await queue.enqueue(anEvent(), event('delivery'));
      const sameHead = await queue.enqueue(anEvent(), event('sent by hand'));
      await inState('skipped');

      expect([sameDelivery.kind, sameHead.kind]).toEqual(['duplicate', 'queued']);
      expect(await queue.get(taskId)).toMatchObject({ outcome: { kind: 'skipped', why: 'head-already-reviewed' } });
      expect(world.runs.size).toBe(0);
      expect(world.published).toEqual([sha('a')]);
      expect(await stage.jobs()).toEqual([]);
      expect(run).toBe(runIdOf(taskId, (await queue.get(taskId))?.launch ?? 0));
    },
    limitMs,
  );
});
