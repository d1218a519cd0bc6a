/**
 * Schedulers that take agents over while forge, gateway or API server fail, on a real API server with the real Job
 * controller. There is no kubelet: what becomes of pods is written into their status by hand.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, ReviewPolicy, TransientError, runIdOf, silentLog, systemClock } from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import { Registry } from 'prom-client';
import { createSchedulerMetrics } from './metrics.ts';
import { startScheduler, type RunningScheduler } from './start-scheduler.ts';
import { KubeStage, eventually, type StagedLauncher } from './testing/kube-stage.ts';
import { WorldGateway, anEvent, sha, taskId, type GatewayCall } from './testing/world-gateway.ts';

const atOnce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };
const never = new AbortController().signal;
const first = runIdOf(taskId, 1);

describe('schedulers of a cluster, one of which goes on for another', () => {
  let stage: KubeStage;
  let queue: MemoryTaskQueue;
  let gateway: WorldGateway;
  let schedulers: RunningScheduler[];
  let watching: { readonly stop: AbortController; readonly ended: Promise<void> };
  /** Jobs that were not over, at the worst moment. */
  let mostAtOnce: number;

  beforeEach(async () => {
    stage = await KubeStage.open();
    queue = new MemoryTaskQueue({ clock: systemClock });
    gateway = new WorldGateway();
    gateway.grant = (request) => ({ kind: 'to-exchange', runId: gateway.record(request), deadlineSeconds: 600 });
    schedulers = [];
    mostAtOnce = 0;
    const stop = new AbortController();
    watching = { stop, ended: countJobs(stop.signal) };
  });
  afterEach(async () => {
    watching.stop.abort();
    await watching.ended;
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    await stage[Symbol.asyncDispose]();
  });

  async function countJobs(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const working = (await stage.jobs()).filter(({ status }) => status.conditions.length === 0);
      mostAtOnce = Math.max(mostAtOnce, working.length);
      await systemClock.sleep(50, signal);
    }
  }

  function start({ launcher }: StagedLauncher): RunningScheduler {
    const scheduler = startScheduler(
      {
        ...{ queue, gateway, launcher, clock: systemClock, log: silentLog },
        metrics: createSchedulerMetrics(new Registry()),
        policy: ReviewPolicy.parse({}),
        isProjectAllowed: () => true,
      },
      // More places than tasks: nothing but the task itself keeps a second agent from being begun.
      { owner: 'one', maxRunning: 5, leaseTtlMs: 5000, pollMs: 100, blockedDelayMs: 300 },
    );
    schedulers.push(scheduler);
    return scheduler;
  }

  /** One launched an agent and handed its task over. */
  async function leaveAgent(): Promise<void> {
    const one = start(await stage.startLauncher());
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(first);
    await one.stop();
  }

  /** The next has it for a while; then the agent hands in its review and ends. */
  async function isGoneOnWith(): Promise<void> {
    await systemClock.sleep(3000, never);
    expect(await queue.get(taskId)).toMatchObject({ state: 'running', launch: 1, lease: 2 });
    expect(gateway.revoked).toEqual([]);
    gateway.faults.clear();
    gateway.submitReview(first);
    await stage.end(first);
    await eventually(async () => (await queue.get(taskId))?.state === 'done');

    expect(await queue.get(taskId)).toMatchObject({ launch: 1, failures: 0 });
    expect(gateway.published).toEqual([sha('a')]);
    expect(mostAtOnce).toBe(1);
    await eventually(async () => (await stage.jobs()).length === 0);
  }

  it.each<[string, readonly GatewayCall[], Error]>([
    ['the forge fails', ['readMergeRequest'], new TransientError('forge.unavailable', '503')],
    ['the forge refuses our token', ['readMergeRequest'], new BlockedError('forge.unauthorized', '401')],
    [
      'the gateway is away',
      ['readMergeRequest', 'readRun', 'revokeRun', 'writeState'],
      new TransientError('gateway.unreachable', 'ECONNREFUSED'),
    ],
  ])('keep its agent, the only one, while %s', async (_what, calls, error) => {
    await leaveAgent();
    for (const call of calls)
      gateway.faults.set(
        call,
        Array.from({ length: 10_000 }, () => error),
      );

    start(await stage.startLauncher());

    await isGoneOnWith();
  });

  it('keep its agent, the only one, while neither they nor their watches hear of the API server', async () => {
    const two = await stage.startLauncher(); // before there was a Job
    await two.proxy.down();
    await leaveAgent();

    start(two);
    await systemClock.sleep(3000, never);
    await two.proxy.up();

    await isGoneOnWith();
  });
});
