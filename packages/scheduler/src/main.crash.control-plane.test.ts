/**
 * The scheduler as a process, killed at each of its named steps, on a real API server and a real Redis. There is no
 * kubelet: a hand in its stead lets each pod whose run is alive hand in a review and end.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { attemptOf, systemClock, type CrashPoint } from '@drydock/core';
import { ClusterSchedulers, leaseTtlMs } from './testing/cluster-schedulers.ts';
import { KubeStage, eventually } from './testing/kube-stage.ts';
import { anEvent, sha, taskId } from './testing/world-gateway.ts';

const points: readonly CrashPoint[] = [
  'task.leased',
  'task.observed',
  'task.decided',
  'launch.recorded',
  'launch.granted',
  'launch.announced',
  'launch.started',
  'launch.ended',
  'publish.recorded',
  'publish.answered',
  'ending.recording',
  'ending.recorded',
];

describe('a scheduler of a cluster that is killed', () => {
  let stage: KubeStage;
  let schedulers: ClusterSchedulers;
  let nodes: { readonly stop: AbortController; readonly ended: Promise<void> };
  /** Jobs that were not over, at the worst moment. */
  let mostAtOnce: number;

  beforeAll(async () => {
    stage = await KubeStage.open();
  });
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    schedulers = await ClusterSchedulers.open(stage);
    mostAtOnce = 0;
    const stop = new AbortController();
    nodes = { stop, ended: actAsNodes(stop.signal) };
  });
  afterEach(async () => {
    nodes.stop.abort();
    await nodes.ended;
    await schedulers[Symbol.asyncDispose]();
  });

  async function actAsNodes(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { world } = schedulers;
      const jobs = await stage.jobs();
      const working = jobs.filter(({ status }) => status.conditions.length === 0).map(({ metadata }) => metadata.name);
      mostAtOnce = Math.max(mostAtOnce, working.length);
      for (const { metadata, status } of await stage.pods()) {
        const run = world.runs.get(metadata.labels['drydock.dev/run'] ?? '');
        if (status.phase !== 'Pending' || metadata.deletionTimestamp !== undefined || run === undefined) continue;
        if (!run.isRevoked) world.submitReview(run.runId);
        await stage.endPod(metadata.name, run.isRevoked ? 3 : 0).catch(() => undefined); // gone meanwhile
      }
      await systemClock.sleep(100, signal);
    }
  }

  it.each(points)(
    'rows 23 to 25, reported 12: at %s loses and doubles nothing',
    async (point) => {
      const { queue, world } = schedulers;
      const victim = await schedulers.start({ DRYDOCK_CRASH_AT: point });
      await queue.enqueue(anEvent(), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
      expect(await victim.ended).toEqual({ code: null, signal: 'SIGKILL' });
      const freeAtMs = systemClock.nowMs() + leaseTtlMs;

      await schedulers.start();
      const isThereAtMs = systemClock.nowMs();
      const task = await eventually(async () => {
        const now = await queue.get(taskId);
        return now?.endedAtMs === null ? undefined : (now ?? undefined);
      });

      // Within 20 s of a death with the usual lease of 15 s: 5 s after the lease is over, or somebody is there at last.
      // Here there is room for a machine ten times slower.
      const adopted = (await queue.events(taskId)).find(({ what }) => what === 'adopted');
      if (adopted !== undefined) expect(adopted.atMs - Math.max(freeAtMs, isThereAtMs)).toBeLessThan(50_000);
      expect(task).toMatchObject({ failures: 0 });
      expect(['done', 'skipped']).toContain(task.state);
      expect(new Set(world.published)).toEqual(new Set([sha('a')]));
      expect(attemptOf(task.launch)).toBeLessThanOrEqual(2);
      expect(mostAtOnce).toBeLessThanOrEqual(1);
      await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0);
    },
    300_000,
  );

  it('reported 8: ten times in a row, with an agent at work: the next one starts clean', async () => {
    nodes.stop.abort();
    await nodes.ended;
    const { queue, world } = schedulers;
    await queue.enqueue(anEvent(), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    let first = '';
    for (let time = 0; time < 10; time += 1) {
      const victim = await schedulers.start();
      const { metadata } = await eventually(async () => (await stage.pods())[0]);
      first = metadata.labels['drydock.dev/run'] ?? '';
      victim.kill('SIGKILL');
      expect(await victim.ended).toEqual({ code: null, signal: 'SIGKILL' });
    }

    await schedulers.start();
    await stage.begin(first);
    world.submitReview(first);
    await stage.end(first);

    await eventually(async () => (await queue.get(taskId))?.state === 'done');
    const { launch, failures } = (await queue.get(taskId)) ?? {};
    expect([attemptOf(launch ?? 0), failures]).toEqual([1, 0]);
    expect(world.published).toEqual([sha('a')]);
    await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0);
  }, 300_000);

  it('is healthy, elects itself, and hands the lead over when it stops', async () => {
    const { queue } = schedulers;
    const one = await schedulers.start();
    const two = await schedulers.start();

    one.kill('SIGTERM');

    expect(await one.ended).toEqual({ code: 0, signal: null });
    await queue.enqueue(anEvent(), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    await eventually(async () => (await queue.get(taskId))?.state === 'done');
    two.kill('SIGTERM');
    expect(await two.ended).toEqual({ code: 0, signal: null });
  });
});
