/**
 * What happens to installations while agents work: on a real API server with the real Job controller, and where it
 * matters a real Redis. There is no kubelet: what becomes of pods is written into their status by hand.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, Secret, runIdOf, silentLog, systemClock, taskIdOf } from '@drydock/core';
import { MemoryTaskQueue, connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import { startRedisServer } from '@drydock/testkit';
import { Registry } from 'prom-client';
import type { LeaseLoopSettings } from './lease-loop.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { reapOnce } from './reap/reap-loop.ts';
import { createReapMetrics } from './reap/reap-metrics.ts';
import { startScheduler, type RunningScheduler } from './start-scheduler.ts';
import { KubeStage, eventually, type StagedLauncher } from './testing/kube-stage.ts';
import { WorldGateway, anEvent, sha, subject, taskId } from './testing/world-gateway.ts';

const atOnce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };
const never = new AbortController().signal;

describe('schedulers of a cluster', () => {
  let stage: KubeStage;
  let gateway: WorldGateway;
  let schedulers: RunningScheduler[];
  let deadlineSeconds: number;

  beforeEach(async () => {
    stage = await KubeStage.open();
    gateway = new WorldGateway();
    schedulers = [];
    deadlineSeconds = 600;
    gateway.grant = (request) => ({ kind: 'to-exchange', runId: gateway.record(request), deadlineSeconds });
  });
  afterEach(async () => {
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    await stage[Symbol.asyncDispose]();
  });

  async function start(queue: TaskQueue, changes: Partial<LeaseLoopSettings> = {}): Promise<StagedLauncher> {
    const staged = await stage.startLauncher();
    const scheduler = startScheduler(
      {
        ...{ queue, gateway, launcher: staged.launcher, clock: systemClock, log: silentLog },
        metrics: createSchedulerMetrics(new Registry()),
        policy: ReviewPolicy.parse({}),
        isProjectAllowed: () => true,
      },
      { owner: 'one', maxRunning: 1, leaseTtlMs: 5000, pollMs: 100, blockedDelayMs: 60_000, ...changes },
    );
    schedulers.push(scheduler);
    return staged;
  }

  const ofMergeRequest = (iid: number) => ({ ...subject, iid });
  const inState = (queue: TaskQueue, state: string, iid = subject.iid) =>
    eventually(async () => (await queue.get(taskIdOf('review', ofMergeRequest(iid))))?.state === state);
  const runsOfJobs = async () => (await stage.jobs()).map(({ metadata }) => metadata.labels['drydock.dev/run']);

  it('row 9: publish once when Redis comes back empty under a running agent, and reap what it has left', async () => {
    await using redis = await startRedisServer({ config: { appendonly: 'no', save: '' } });
    const queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog });
    try {
      const staged = await start(queue);
      await queue.enqueue(anEvent(), atOnce);
      const first = await eventually(async () => ((await queue.get(taskId))?.launch ?? 0) || undefined);
      const old = runIdOf(taskId, first);
      await stage.begin(old);

      await redis.kill();
      await redis.restart();
      await eventually(async () => queue.enqueue(anEvent(), atOnce).catch(() => false as const));
      const { launch } = await eventually(async () => {
        const task = await queue.get(taskId);
        return task?.state === 'running' && task.launch !== 0 && task;
      });
      const renewed = runIdOf(taskId, launch);
      await stage.begin(renewed);
      gateway.submitReview(old);
      gateway.submitReview(renewed);
      await stage.end(renewed);
      await inState(queue, 'done');
      await reapOnce(
        {
          ...{ client: staged.client, jobs: () => staged.board.jobs(), queue, gateway, log: silentLog },
          ...{ isLeader: () => true, clock: systemClock, metrics: createReapMetrics(new Registry()) },
        },
        {
          ...{ namespace: stage.namespace, instance: stage.settings.instance, everyMs: 1000 },
          ...{ ageFloorMs: 0, orphanAgeMs: 3_600_000, mostFinished: 10 },
        },
        never,
      );

      expect(renewed).not.toBe(old);
      expect(gateway.published).toEqual([sha('a')]);
      await eventually(async () => (await stage.jobs()).length === 0);
    } finally {
      await Promise.all(schedulers.splice(0).map((scheduler) => scheduler.stop()));
      await queue.close();
    }
  });

  it('reported 15: end an agent that does nothing more, and give its place to the next', async () => {
    const queue = new MemoryTaskQueue({ clock: systemClock });
    await start(queue);
    deadlineSeconds = 1;
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runIdOf(taskId, 1));
    await queue.enqueue(anEvent({ subject: ofMergeRequest(8) }), atOnce);

    await inState(queue, 'dead');

    expect((await queue.get(taskId))?.lastError).toMatchObject({ code: 'run.timed_out' });
    const next = runIdOf(taskIdOf('review', ofMergeRequest(8)), 1);
    await eventually(async () => (await runsOfJobs()).join() === next);
  });

  it('reported 33: begin nothing beyond their places while the API server lists nothing', async () => {
    const queue = new MemoryTaskQueue({ clock: systemClock });
    const { proxy } = await start(queue, { maxRunning: 2 });
    const iids = [1, 2, 3, 4, 5, 6];
    for (const iid of iids.slice(0, 3)) await queue.enqueue(anEvent({ subject: ofMergeRequest(iid) }), atOnce);
    await eventually(async () => (await stage.jobs()).length === 2);
    proxy.add(({ verb }) => verb === 'list' || verb === 'watch', { kind: 'answer', status: 500 });
    proxy.resetAll();

    for (const iid of iids.slice(3)) await queue.enqueue(anEvent({ subject: ofMergeRequest(iid) }), atOnce);
    await systemClock.sleep(3000, never);

    expect(await stage.jobs()).toHaveLength(2);
    expect(await queue.stats()).toMatchObject({ running: 2, waiting: 4 });
    expect(proxy.requests.filter(({ verb }) => verb === 'create')).toHaveLength(2);
  });

  it('reported 44: end with the result, though a sidecar of somebody else keeps the pod alive', async () => {
    const queue = new MemoryTaskQueue({ clock: systemClock });
    await start(queue);
    await queue.enqueue(anEvent(), atOnce);
    const runId = runIdOf(taskId, 1);
    await stage.begin(runId);

    gateway.submitReview(runId);
    await stage.say(runId, 'Running', {
      preflight: { kind: 'ended', exitCode: 0 },
      agent: { kind: 'ended', exitCode: 0 },
      sidecar: { kind: 'running' },
    });

    await inState(queue, 'done');
    expect(gateway.published).toEqual([sha('a')]);
    await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0);
  });
});
