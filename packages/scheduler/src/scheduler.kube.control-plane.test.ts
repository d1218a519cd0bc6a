/**
 * Schedulers on a real API server with the real Job controller. There is no kubelet: what becomes of pods is written into
 * their status by hand.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ReviewPolicy,
  TransientError,
  runIdOf,
  silentLog,
  systemClock,
  type MergeRequestRef,
  type RunRequest,
} from '@drydock/core';
import { jobs, pods } from '@drydock/kube';
import { MemoryTaskQueue, type TaskQueue, type TaskView } from '@drydock/queue';
import { Registry } from 'prom-client';
import type { LeaseLoopSettings } from './lease-loop.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { startScheduler, type RunningScheduler } from './start-scheduler.ts';
import { KubeStage, eventually, type StagedLauncher } from './testing/kube-stage.ts';
import { WorldGateway, anEvent, sha, subject, taskId } from './testing/world-gateway.ts';

const atOnce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };
const never = new AbortController().signal;

describe('schedulers of a cluster', () => {
  let stage: KubeStage;
  let queue: MemoryTaskQueue;
  let gateway: WorldGateway;
  let schedulers: {
    readonly scheduler: RunningScheduler;
    readonly staged: StagedLauncher;
    readonly registry: Registry;
  }[];

  beforeEach(async () => {
    stage = await KubeStage.open();
    queue = new MemoryTaskQueue({ clock: systemClock, settings: quickRetries });
    gateway = new WorldGateway();
    schedulers = [];
    gateway.grant = exchanged(gateway);
  }, 120_000);
  afterEach(async () => {
    await Promise.all(schedulers.map(({ scheduler }) => scheduler.stop()));
    await stage[Symbol.asyncDispose]();
  });

  async function start(changes: Partial<LeaseLoopSettings> = {}, isCut: () => boolean = () => false) {
    const staged = await stage.startLauncher();
    const registry = new Registry();
    const scheduler = startScheduler(
      {
        ...{ queue: mayBeCut(queue, isCut), gateway, launcher: staged.launcher, clock: systemClock, log: silentLog },
        metrics: createSchedulerMetrics(registry),
        policy: ReviewPolicy.parse({}),
        isProjectAllowed: () => true,
      },
      { owner: 'one', maxRunning: 1, leaseTtlMs: 5000, pollMs: 100, blockedDelayMs: 60_000, ...changes },
    );
    const started = { scheduler, staged, registry };
    schedulers.push(started);
    return started;
  }

  const task = async (id = taskId): Promise<TaskView> => {
    const found = await queue.get(id);
    if (found === null) throw new Error('there is no such task');
    return found;
  };
  const inState = (state: string, id = taskId) => eventually(async () => (await task(id)).state === state);
  const runId = (launch = 1, id = taskId) => runIdOf(id, launch);
  /** Its run is begun in the gateway. */
  const recorded = (id: string) => eventually(async () => gateway.runs.has(id) && id);
  const calls = ({ staged }: { readonly staged: StagedLauncher }) =>
    staged.proxy.requests.filter(({ verb }) => verb !== 'watch').map(({ verb, resource }) => `${verb} ${resource}`);

  it('review with two writes and one read, and leave nothing', async () => {
    const one = await start();
    const before = calls(one).length;
    await queue.enqueue(anEvent(), atOnce);

    await stage.begin(runId());
    gateway.submitReview(runId());
    await stage.end(runId());
    await inState('done');

    await eventually(async () => (await stage.jobs()).length === 0);
    expect(calls(one).slice(before)).toEqual(['create jobs', 'get jobs', 'delete jobs']);
    expect(gateway.published).toEqual([sha('a')]);
  });

  it('row 25, reported 13: publish what was handed in, whatever became of the pod after it', async () => {
    await start();
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runId());
    gateway.submitReview(runId());

    const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }];
    await stage.say(runId(), 'Failed', { conditions });

    await inState('done');
    expect(gateway.published).toEqual([sha('a')]);
    expect((await task()).launch).toBe(1);
  });

  it('reported 14: take no exit code for a review', async () => {
    await start();
    await queue.enqueue(anEvent(), atOnce);

    await stage.end(runId());

    await eventually(async () => (await task()).lastError?.code === 'run.incomplete');
    expect(gateway.published).toEqual([]);
  });

  it('row 36: try again, uncounted, what was taken away; but not for ever', async () => {
    await start();
    await queue.enqueue(anEvent(), atOnce);

    for (let launch = 1; launch <= 4; launch += 1) {
      const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }];
      await stage.say(runId(launch), 'Failed', { conditions });
    }

    await inState('dead');
    expect(await task()).toMatchObject({ launch: 4, lastError: { code: 'run.disrupted_too_often' } });
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: false });
  });

  it('row 35: end an agent that runs out of memory, visibly', async () => {
    await start();
    await queue.enqueue(anEvent(), atOnce);

    await stage.say(runId(), 'Failed', { agent: { kind: 'ended', exitCode: 137, reason: 'OOMKilled' } });

    await inState('dead');
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', why: expect.stringContaining('memory') });
  });

  it('launch nothing more where isolation is not enforced, until a person says so', async () => {
    const { registry } = await start();
    await queue.enqueue(anEvent(), atOnce);

    await stage.say(runId(), 'Failed', { preflight: { kind: 'ended', exitCode: 42 } });
    await inState('waiting');
    await queue.enqueue(anEvent({ subject: { ...subject, iid: 8 } }), atOnce);
    await systemClock.sleep(500, never);

    expect((await queue.pauses()).map(({ scope, by }) => [scope.kind, by])).toEqual([['all', 'scheduler']]);
    expect(await task('review:gitlab:42:8')).toMatchObject({ state: 'waiting', launch: 0 });
    expect(await task()).toMatchObject({ failures: 0 });
    expect(await registry.metrics()).toContain('drydock_alarms_total{what="isolation-unenforced"} 1');
  });

  it('reported 36: hand over what runs when they stop, and another goes on at once', async () => {
    const one = await start();
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runId());
    const two = await start({ owner: 'two' });
    const before = calls(two).length;

    await one.scheduler.stop();
    await eventually(async () => (await task()).lease === 2, 2000);
    gateway.submitReview(runId());
    await stage.end(runId());
    await inState('done');

    expect(gateway.revoked).toEqual([runId()]);
    expect((await task()).launch).toBe(1);
    await eventually(async () => (await stage.jobs()).length === 0);
    expect(calls(two).slice(before)).toEqual(['get jobs', 'delete jobs']);
  });

  it('rows 22 and 24: take over what another one lost, with its agent', async () => {
    let isCut = false;
    const one = await start({}, () => isCut);
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runId());
    const before = calls(one).length;
    isCut = true;
    const two = await start({ owner: 'two' });
    await eventually(async () => (await task()).lease === 2, 12_000);

    gateway.submitReview(runId());
    await stage.end(runId());

    await inState('done');
    expect(await task()).toMatchObject({ launch: 1, failures: 0 });
    expect(calls(one).slice(before)).toEqual([]);
    expect(gateway.published).toEqual([sha('a')]);
    expect(await two.registry.metrics()).toContain('drydock_adopted_total 1');
  });

  it('row 23: begin another launch where the one recorded has no Job', async () => {
    await queue.enqueue(anEvent(), atOnce);
    const lost = await queue.lease({ owner: 'x', ttlMs: 1, limits: { total: 1, perForge: null, perProject: null } });
    if (lost === null) throw new Error('no lease');
    await queue.beginLaunch(lost, sha('a'));
    await gateway.startRun(aRequest(1), never);
    await start();

    await stage.begin(runId(2));
    gateway.submitReview(runId(2));
    await stage.end(runId(2));

    await inState('done');
    expect((await stage.jobs()).map(({ metadata }) => metadata.name)).not.toContain(`dd-${runId(1)}`);
    expect(await task()).toMatchObject({ launch: 2, failures: 0 });
  });

  it('end a run whose head moved while nobody had it, before they begin the next', async () => {
    const one = await start();
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runId());
    await one.scheduler.stop();
    gateway.headSha = sha('b');

    await start();
    await stage.begin(runId(2));

    expect(gateway.revoked).toContain(runId(1));
    await eventually(async () => (await stage.jobs()).every(({ metadata }) => metadata.name !== `dd-${runId(1)}`));
    gateway.submitReview(runId(2));
    await stage.end(runId(2));
    await inState('done');
    expect(gateway.published).toEqual([sha('b')]);
  });

  it('supersede: the token is dead at once and the pod soon', async () => {
    await start();
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runId());
    gateway.headSha = sha('b');
    const startMs = performance.now();

    await queue.enqueue(anEvent({ headSha: sha('b') }), atOnce);
    await eventually(async () => gateway.revoked.includes(runId()));
    const revokedMs = performance.now() - startMs;
    await stage.begin(runId(2));

    expect(revokedMs).toBeLessThan(200);
    expect((await stage.pods()).map(({ metadata }) => metadata.labels['drydock.dev/run'])).toEqual([runId(2)]);
  });

  it.each(['no pod yet', 'pending', 'running'])('reported 22: cancel a review with %s', async (when) => {
    await start();
    await queue.enqueue(anEvent(), atOnce);
    await eventually(async () => (await stage.jobs()).length === 1);
    if (when !== 'no pod yet') await stage.podOf(runId());
    if (when === 'running') await stage.begin(runId());

    await queue.cancel(taskId, 'ada');

    await inState('cancelled');
    await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0);
  });

  it('reported 7: end an agent that goes on after its result', async () => {
    await start();
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runId());

    gateway.submitReview(runId());

    await eventually(async () => (await task()).state === 'done', 25_000);
    expect(gateway.published).toEqual([sha('a')]);
    await eventually(async () => (await stage.pods()).length === 0);
  }, 40_000);

  it('row 28: keep a task uncounted while no API server answers, and go on when it does', async () => {
    const { staged } = await start();
    await staged.proxy.down();
    await queue.enqueue(anEvent(), atOnce);
    await eventually(async () => (await task()).lastError?.code.startsWith('kube.') === true, 25_000);
    expect(await task()).toMatchObject({ failures: 0 });
    await staged.proxy.up();

    const { launch } = await eventually(async () => {
      const now = await task();
      return (await stage.jobs()).length > 0 && now;
    });
    gateway.submitReview(runId(launch));
    await stage.end(runId(launch));

    await inState('done');
  }, 60_000);

  it('reported 9: 200 tasks at once with 20 slots, never more, at two writes and a read each', async () => {
    const one = await start({ maxRunning: 20 });
    const before = calls(one).length;
    gateway.changes = { reviewed: null };
    let most = 0;
    const working = new AbortController();
    const nodes = agentsByHand(stage, gateway, working.signal, (count) => {
      most = Math.max(most, count);
    });
    for (let iid = 1; iid <= 200; iid += 1) await queue.enqueue(anEvent({ subject: { ...subject, iid } }), atOnce);

    await eventually(async () => {
      const { waiting, running } = await queue.stats();
      return waiting + running === 0;
    }, 150_000);
    working.abort();
    await nodes;

    const { tasks } = await queue.list({ limit: 300 });
    expect(new Set(tasks.map(({ state }) => state))).toEqual(new Set(['done']));
    expect(tasks).toHaveLength(200);
    expect(most).toBeLessThanOrEqual(20);
    const made = calls(one).slice(before);
    expect(made.filter((call) => call === 'create jobs')).toHaveLength(200);
    expect(made.length).toBeLessThanOrEqual(3 * 200);
    await eventually(async () => (await stage.jobs()).length === 0);
  }, 180_000);

  it('adopt 200 running tasks after a restart within two seconds, without a read or a write', async () => {
    const one = await start({ maxRunning: 200, leaseTtlMs: 60_000 });
    for (let iid = 1; iid <= 200; iid += 1) await queue.enqueue(anEvent({ subject: { ...subject, iid } }), atOnce);
    await eventually(async () => (await stage.jobs()).length === 200, 60_000);
    await one.scheduler.stop();
    const staged = await stage.startLauncher();
    const registry = new Registry();
    const before = staged.proxy.requests.length;

    const startMs = performance.now();
    const scheduler = startScheduler(
      {
        ...{ queue, gateway, launcher: staged.launcher, clock: systemClock, log: silentLog },
        metrics: createSchedulerMetrics(registry),
        policy: ReviewPolicy.parse({}),
        isProjectAllowed: () => true,
      },
      { owner: 'two', maxRunning: 200, leaseTtlMs: 60_000, pollMs: 1000, blockedDelayMs: 60_000 },
    );
    await eventually(async () => (await registry.metrics()).includes('drydock_adopted_total 200'), 30_000);
    const tookMs = performance.now() - startMs;
    await systemClock.sleep(500, never);

    expect(tookMs).toBeLessThan(2000);
    expect(staged.proxy.requests.slice(before).filter(({ verb }) => verb !== 'watch')).toEqual([]);
    expect(await stage.jobs()).toHaveLength(200);
    expect(new Set((await queue.list({ limit: 300 })).tasks.map(({ launch }) => launch))).toEqual(new Set([1]));
    await scheduler.stop();
  }, 120_000);

  it('reported 23 and 30: pay for nothing again when an event comes again, long after its Job is gone', async () => {
    const one = await start();
    await queue.enqueue(anEvent(), atOnce);
    gateway.submitReview(await recorded(runId()));
    await stage.end(runId());
    await inState('done');
    await eventually(async () => (await stage.jobs()).length === 0);
    gateway.reviewed = null; // somebody has deleted the note as well
    const before = calls(one).length;

    await queue.enqueue(anEvent(), atOnce);

    await inState('skipped');
    expect(calls(one).slice(before)).toEqual([]);
  });

  it('reported 3: lose no place to tasks that fail for good', async () => {
    const { registry } = await start({ maxRunning: 2 });
    for (let iid = 1; iid <= 10; iid += 1) await queue.enqueue(anEvent({ subject: { ...subject, iid } }), atOnce);
    for (let iid = 1; iid <= 10; iid += 1) {
      await stage.say(runId(1, `review:gitlab:42:${String(iid)}`), 'Failed', {
        agent: { kind: 'ended', exitCode: 137, reason: 'OOMKilled' },
      });
    }
    await eventually(async () => (await queue.stats()).dead === 10);

    await eventually(async () => (await registry.metrics()).includes('drydock_slots_free 2'));
    await eventually(async () => (await stage.jobs()).length === 0);
  }, 60_000);

  it('go on when a Job cannot be deleted, whatever the reason', async () => {
    const { staged } = await start();
    staged.proxy.add(({ verb }) => verb === 'delete', { kind: 'answer', status: 403, message: 'no right to delete' });
    for (const iid of [7, 8]) {
      gateway.reviewed = null;
      const id = `review:gitlab:42:${String(iid)}`;
      await queue.enqueue(anEvent({ subject: { ...subject, iid } }), atOnce);
      gateway.submitReview(await recorded(runId(1, id)));
      await stage.end(runId(1, id));
      await inState('done', id);
    }

    await eventually(async () => staged.proxy.requests.filter(({ verb }) => verb === 'delete').length === 2);
    expect(await stage.jobs()).toHaveLength(2);
  });

  it('reported 8: start clean after however many unclean ends', async () => {
    await queue.enqueue(anEvent(), atOnce);
    for (let time = 0; time < 5; time += 1) {
      const { scheduler } = await start();
      await eventually(async () => (await stage.jobs()).length === 1);
      await scheduler.stop();
    }

    await start();
    await stage.begin(runId());
    gateway.submitReview(runId());
    await stage.end(runId());

    await inState('done');
    expect(await task()).toMatchObject({ launch: 1, failures: 0 });
  }, 60_000);

  it('reported 1: try again when a pod or a Job is deleted by hand', async () => {
    await start();
    await queue.enqueue(anEvent(), atOnce);
    await stage.begin(runId());
    const { metadata } = await stage.podOf(runId());
    await stage.client.delete(pods, { namespace: stage.namespace, name: metadata.name }, { uid: null, signal: never });
    await stage.begin(runId(2));
    await stage.client.delete(
      jobs,
      { namespace: stage.namespace, name: `dd-${runId(2)}` },
      { uid: null, signal: never },
    );

    await stage.begin(runId(3));
    gateway.submitReview(runId(3));
    await stage.end(runId(3));

    await inState('done');
    expect(await task()).toMatchObject({ launch: 3, failures: 0 });
    expect(gateway.published).toEqual([sha('a')]);
  }, 60_000);
});

const quickRetries = {
  retry: { maxAttempts: 3, baseMs: 100, capMs: 100 },
  infraRetry: { maxAttempts: 40, baseMs: 100, capMs: 100 },
};

/** A queue that neither answers a heartbeat nor gives a task once it is cut off. */
function mayBeCut(queue: MemoryTaskQueue, isCut: () => boolean): TaskQueue {
  return new Proxy(queue, {
    get(target, name) {
      if ((name === 'extend' || name === 'lease') && isCut())
        return () => Promise.reject(new TransientError('queue.unreachable', 'cut'));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value;
    },
  });
}

function aRequest(launch: number, of: MergeRequestRef = subject): RunRequest {
  return {
    v: 1,
    taskId,
    launch,
    subject: of,
    diffRefs: { baseSha: sha('c'), startSha: sha('c'), headSha: sha('a') },
    trigger: 'pushed',
    credential: 'exchange',
  };
}

/** Runs as the gateway records them; nobody is told a token. */
function exchanged(gateway: WorldGateway): WorldGateway['grant'] {
  return (request) => {
    expect(request.credential).toBe('exchange');
    const runId = gateway.record(request);
    return { kind: 'to-exchange', runId, deadlineSeconds: 600 };
  };
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
