/**
 * Tasks whose agents want more than they may have, on a real API server with the real Job and quota controllers. There
 * is no kubelet: what becomes of pods is written into their status by hand.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DrydockError, ReviewPolicy, runIdOf, silentLog, systemClock } from '@drydock/core';
import { defineResource, jobs, ObjectMetadata, pods } from '@drydock/kube';
import { MemoryTaskQueue, type TaskView } from '@drydock/queue';
import { Registry } from 'prom-client';
import { z } from 'zod';
import type { KubeLauncherSettings } from './launchers/kube/kube-launcher.ts';
import { PodSettings } from './launchers/pod-settings.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { startScheduler, type RunningScheduler } from './start-scheduler.ts';
import { KubeStage, eventually, quotas } from './testing/kube-stage.ts';
import { WorldGateway, anEvent, sha, taskId } from './testing/world-gateway.ts';

const atOnce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };
const never = new AbortController().signal;

/** What a pod may use. */
const podLimits = defineResource({
  ...{ group: '', version: 'v1', plural: 'pods', kind: 'Pod', isNamespaced: true },
  schema: z.object({
    metadata: ObjectMetadata,
    spec: z.object({
      containers: z.array(
        z.object({ name: z.string(), resources: z.object({ limits: z.record(z.string(), z.string()) }) }),
      ),
    }),
  }),
});

describe('a task in a cluster', () => {
  let stage: KubeStage;
  let queue: MemoryTaskQueue;
  let gateway: WorldGateway;
  let schedulers: RunningScheduler[];

  beforeEach(async () => {
    stage = await KubeStage.open();
    queue = new MemoryTaskQueue({
      clock: systemClock,
      settings: { retry: { maxAttempts: 3, baseMs: 100, capMs: 100 } },
    });
    gateway = new WorldGateway();
    schedulers = [];
    gateway.grant = (request) => ({ kind: 'to-exchange', runId: gateway.record(request), deadlineSeconds: 600 });
  });
  afterEach(async () => {
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    await stage[Symbol.asyncDispose]();
  });

  async function start(pod: PodSettings, changes: Partial<KubeLauncherSettings> = {}) {
    const staged = await stage.startLauncher(changes);
    schedulers.push(
      startScheduler(
        {
          ...{ queue, gateway, launcher: staged.launcher, clock: systemClock, log: silentLog, pod },
          metrics: createSchedulerMetrics(new Registry()),
          policy: ReviewPolicy.parse({}),
          isProjectAllowed: () => true,
        },
        { owner: 'one', maxRunning: 1, leaseTtlMs: 30_000, pollMs: 100, blockedDelayMs: 60_000 },
      ),
    );
    return staged;
  }

  const task = async (): Promise<TaskView> => {
    const found = await queue.get(taskId);
    if (found === null) throw new Error('there is no such task');
    return found;
  };
  const inState = (state: string) => eventually(async () => (await task()).state === state);

  /** What the agent of a launch may use of memory, as its pod says. */
  async function memoryOf(launch: number): Promise<string | undefined> {
    const { metadata } = await stage.podOf(runIdOf(taskId, launch));
    const place = { namespace: stage.namespace, name: metadata.name };
    const pod = await stage.client.read(podLimits, place, { signal: never });
    return pod?.spec.containers.find(({ name }) => name === 'agent')?.resources.limits['memory'];
  }

  /** By hand: the kernel ended the agent of a launch. */
  const runsOutOfMemory = (launch: number) =>
    stage.say(runIdOf(taskId, launch), 'Failed', { agent: { kind: 'ended', exitCode: 137, reason: 'OOMKilled' } });

  /** By hand: the agent of a launch hands in a review and ends. */
  async function reviews(launch: number): Promise<void> {
    await stage.begin(runIdOf(taskId, launch));
    gateway.submitReview(runIdOf(taskId, launch));
    await stage.end(runIdOf(taskId, launch));
  }

  describe('whose policy gives more memory after a lack of it', () => {
    const pod = PodSettings.parse({ memory: '1Gi', memoryAfterOom: '3Gi' });

    it('row 35: is tried once more, with that, and ends well', async () => {
      await start(pod);
      await queue.enqueue(anEvent(), atOnce);
      const before = await memoryOf(1);

      await runsOutOfMemory(1);
      const after = await memoryOf(2);
      await reviews(2);

      await inState('done');
      expect([before, after]).toEqual(['1Gi', '3Gi']);
      expect(await task()).toMatchObject({ launch: 2, failures: 1 });
      expect(gateway.states.map((state) => ('willRetry' in state ? state.willRetry : null))).toContain(true);
      expect(gateway.published).toEqual([sha('a')]);
    });

    it('row 35: is tried no third time', async () => {
      await start(pod);
      await queue.enqueue(anEvent(), atOnce);

      await runsOutOfMemory(1);
      await runsOutOfMemory(2);

      await inState('dead');
      expect(await task()).toMatchObject({ launch: 2, lastError: { code: 'run.out_of_memory' } });
      expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: false });
      await eventually(async () => (await stage.jobs()).length === 0);
    });

    it('has what others have when it was another fault', async () => {
      await start(pod);
      await queue.enqueue(anEvent(), atOnce);

      await stage.end(runIdOf(taskId, 1), 1);

      expect(await memoryOf(2)).toBe('1Gi');
    });
  });

  /** Resolves once the API server refuses what the quota does not allow. */
  async function useUp(what: 'count/jobs.batch' | 'pods'): Promise<() => Promise<void>> {
    const place = { namespace: stage.namespace, name: 'used-up' };
    const { object } = await stage.client.create(
      quotas,
      { metadata: place, spec: { hard: { [what]: '0' } } },
      { signal: never },
    );
    const containers = [{ name: 'probe', image: 'probe' }];
    for (let tries = 0; ; tries += 1) {
      const metadata = { namespace: stage.namespace, name: `probe-${String(tries)}` };
      const template = { spec: { restartPolicy: 'Never', containers } };
      const how = { signal: never };
      try {
        if (what === 'pods') await stage.client.create(pods, { metadata, spec: { containers } }, how);
        else await stage.client.create(jobs, { metadata, spec: { suspend: true, template } }, how);
      } catch (error) {
        if (!(error instanceof DrydockError) || error.code !== 'kube.quota') throw error;
        break;
      }
      await stage.client.delete(what === 'pods' ? pods : jobs, metadata, { uid: null, ...how });
      await systemClock.sleep(50, never);
    }
    return async () => {
      await stage.client.delete(quotas, place, { uid: object.metadata.uid, signal: never });
    };
  }

  it.each(['count/jobs.batch', 'pods'] as const)(
    'row 31, reported 4: waits while the quota of %s is used up, uncounted, and runs when there is room',
    async (what) => {
      const giveRoom = await useUp(what);
      const { proxy } = await start(PodSettings.parse({}), { pendingLimitMs: 3000 });
      await queue.enqueue(anEvent(), atOnce);
      await eventually(
        async () => (await queue.events(taskId)).some(({ detail }) => detail === 'kube.no_room'),
        60_000,
      );
      const told = gateway.states.at(-1);
      expect(await task()).toMatchObject({ state: 'waiting', failures: 0 });
      expect(await stage.pods()).toEqual([]);

      await giveRoom();
      const launch = await eventually(async () => {
        const { launch: newest } = await task();
        const runs = (await stage.pods()).map(({ metadata }) => metadata.labels['drydock.dev/run']);
        return runs.includes(runIdOf(taskId, newest)) && newest;
      });
      await reviews(launch);

      await inState('done');
      expect(told).toMatchObject({ kind: 'failed', willRetry: true, why: expect.stringContaining('no room') });
      expect(await task()).toMatchObject({ failures: 0 });
      expect(gateway.published).toEqual([sha('a')]);
      // Each launch asks for its Job once: who is refused does not ask again and again.
      expect(proxy.requests.filter(({ verb }) => verb === 'create')).toHaveLength(launch);
      await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0);
    },
    120_000,
  );
});
