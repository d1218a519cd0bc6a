/**
 * Very many tasks, on a real API server with the real Job controller. There is no kubelet: what becomes of pods is
 * written into their status by hand.
 */
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@drydock/core';
import { eventually, type KubeStage } from './testing/kube-stage.ts';
import { UsedSchedulers, callsOf } from './testing/used-schedulers.ts';
import type { WorldGateway } from './testing/world-gateway.ts';

const never = new AbortController().signal;

describe('schedulers of a cluster', () => {
  const used = new UsedSchedulers();

  it('reported 9: 200 tasks at once with 20 slots, never more, at two writes and a read each', async () => {
    const one = await used.start({ maxRunning: 20 });
    const before = callsOf(one).length;
    used.gateway.changes = { reviewed: null };
    let most = 0;
    const working = new AbortController();
    const nodes = agentsByHand(used.stage, used.gateway, working.signal, (count) => {
      most = Math.max(most, count);
    });
    for (let iid = 1; iid <= 200; iid += 1) await used.enqueue({ iid });

    await eventually(async () => {
      const { waiting, running } = await used.queue.stats();
      return waiting + running === 0;
    }, 300_000);
    working.abort();
    await nodes;

    const { tasks } = await used.queue.list({ limit: 300 });
    expect(new Set(tasks.map(({ state }) => state))).toEqual(new Set(['done']));
    expect(tasks).toHaveLength(200);
    expect(most).toBeLessThanOrEqual(20);
    const made = callsOf(one).slice(before);
    expect(made.filter((call) => call === 'create jobs')).toHaveLength(200);
    expect(made.length).toBeLessThanOrEqual(3 * 200);
    await used.noJobs();
  }, 400_000);

  it('adopt 200 running tasks within two seconds of a restart, without a read or a write', async () => {
    const one = await used.start({ maxRunning: 200, leaseTtlMs: 60_000 });
    for (let iid = 1; iid <= 200; iid += 1) await used.enqueue({ iid });
    await eventually(async () => (await used.stage.jobs()).length === 200, 120_000);
    await one.scheduler.stop();
    const tookMs: number[] = [];

    for (const owner of ['two', 'three', 'four']) {
      const startMs = performance.now();
      const next = await used.start({ owner, maxRunning: 200, leaseTtlMs: 60_000, pollMs: 1000 });
      await eventually(async () => (await next.registry.metrics()).includes('drydock_adopted_total 200'));
      tookMs.push(performance.now() - startMs);
      await systemClock.sleep(500, never);

      expect([...callsOf(next)].sort()).toEqual(['list jobs', 'list pods']);
      if (owner !== 'four') await next.scheduler.stop();
    }

    // One at each look at the queue would take more than three minutes. A loaded machine may take the processor away for
    // seconds; hardly from all three.
    expect(Math.min(...tookMs)).toBeLessThan(2000);
    expect(await used.stage.jobs()).toHaveLength(200);
    expect(new Set((await used.queue.list({ limit: 300 })).tasks.map(({ launch }) => launch))).toEqual(new Set([1]));
  }, 300_000);

  it('reported 3: lose no place to 100 tasks that fail for good', async () => {
    const { registry } = await used.start({ maxRunning: 20 });
    for (let iid = 1; iid <= 100; iid += 1) await used.enqueue({ iid });
    const working = new AbortController();
    const nodes = failingByHand(used.stage, working.signal);

    await eventually(async () => (await used.queue.stats()).dead === 100, 120_000);
    working.abort();
    await nodes;

    const { tasks } = await used.queue.list({ limit: 200 });
    expect(new Set(tasks.map(({ launch, lastError }) => `${String(launch)} ${lastError?.code ?? ''}`))).toEqual(
      new Set(['1 run.out_of_memory']),
    );
    await eventually(async () => (await registry.metrics()).includes('drydock_slots_free 20'));
    await used.noJobs();
  }, 180_000);
});

/** In the stead of nodes: what gets a pod uses more memory than it may. */
async function failingByHand(stage: KubeStage, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const waiting = (await stage.pods()).filter(({ status }) => status.phase === 'Pending');
    const oom = { agent: { kind: 'ended', exitCode: 137, reason: 'OOMKilled' } } as const;
    await Promise.all(waiting.map(({ metadata }) => stage.sayPod(metadata.name, 'Failed', oom)));
    await systemClock.sleep(50, signal);
  }
}

/** In the stead of nodes: what gets a pod hands in a review and ends. Told how many Jobs there are that have not ended. */
async function agentsByHand(
  stage: KubeStage,
  gateway: WorldGateway,
  signal: AbortSignal,
  onCount: (count: number) => void,
): Promise<void> {
  const seen = new Set<string>();
  while (!signal.aborted) {
    const found = await stage.pods();
    onCount(found.filter(({ status }) => status.phase === 'Pending').length);
    const fresh = found.filter(({ metadata, status }) => status.phase === 'Pending' && !seen.has(metadata.uid));
    await Promise.all(
      fresh.map(async ({ metadata }) => {
        seen.add(metadata.uid);
        gateway.submitReview(metadata.labels['drydock.dev/run'] ?? '');
        await stage.endPod(metadata.name, 0);
      }),
    ).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    await systemClock.sleep(50, signal);
  }
}
