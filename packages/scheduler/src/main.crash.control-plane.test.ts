/**
 * The scheduler as a process, killed at each of its named steps, on a real API server and a real Redis. There is no
 * kubelet: a hand in its stead lets each pod whose run is alive hand in a review and end.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, attemptOf, silentLog, systemClock, type CrashPoint } from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import { startProcess, startRedisServer, type RedisServer, type StartedProcess } from '@drydock/testkit';
import { KubeStage, eventually } from './testing/kube-stage.ts';
import { controlToken, serveGateway, type ServedGateway } from './testing/serve-gateway.ts';
import { WorldGateway, anEvent, sha, taskId } from './testing/world-gateway.ts';

const main = new URL('./main.ts', import.meta.url);
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

const leaseTtlMs = 5000;

describe('a scheduler of a cluster that is killed', () => {
  let stage: KubeStage;
  let redis: RedisServer;
  let queue: TaskQueue;
  let world: WorldGateway;
  let gateway: ServedGateway;
  let processes: StartedProcess[];
  let nodes: { readonly stop: AbortController; readonly ended: Promise<void> };
  /** Jobs that were not over, at the worst moment. */
  let mostAtOnce: number;

  beforeAll(async () => {
    stage = await KubeStage.open();
  }, 120_000);
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    redis = await startRedisServer({ config: { appendonly: 'no' } });
    queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog });
    world = new WorldGateway();
    world.grant = (request) => ({ kind: 'to-exchange', runId: world.record(request), deadlineSeconds: 600 });
    gateway = await serveGateway(world);
    processes = [];
    mostAtOnce = 0;
    const stop = new AbortController();
    nodes = { stop, ended: actAsNodes(stop.signal) };
  }, 60_000);
  afterEach(async () => {
    for (const process of processes) await process[Symbol.asyncDispose]();
    nodes.stop.abort();
    await nodes.ended;
    await gateway[Symbol.asyncDispose]();
    await queue.close();
    await redis[Symbol.asyncDispose]();
  }, 60_000);

  async function actAsNodes(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
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

  async function start(changes: Record<string, string> = {}): Promise<StartedProcess> {
    const process = startProcess(main, {
      NODE_ENV: 'test',
      DRYDOCK_REDIS_URL: redis.url,
      DRYDOCK_GATEWAY_URL: gateway.url,
      DRYDOCK_CONTROL_TOKEN: controlToken,
      DRYDOCK_SCHEDULER_HOST: '127.0.0.1',
      DRYDOCK_SCHEDULER_PORT: '0',
      DRYDOCK_LEASE_TTL_MS: String(leaseTtlMs),
      DRYDOCK_POLL_MS: '200',
      DRYDOCK_SWEEP_EVERY_MS: '0',
      DRYDOCK_LAUNCHER: 'kube',
      DRYDOCK_KUBECONFIG: stage.kubeconfigPath,
      DRYDOCK_KUBE_NAMESPACE: stage.namespace,
      DRYDOCK_KUBE_CONTROL_NAMESPACE: stage.namespace,
      DRYDOCK_AGENT_IMAGE: 'agent',
      DRYDOCK_PREFLIGHT_IMAGE: 'preflight',
      DRYDOCK_AGENT_GATEWAY_IP: '10.96.0.7',
      DRYDOCK_PREFLIGHT_HARD: '10.96.0.1:443',
      DRYDOCK_REAP_EVERY_SECONDS: '1',
      DRYDOCK_REAP_AGE_SECONDS: '1',
      DRYDOCK_POD_GRACE_SECONDS: '1',
      ...changes,
    });
    processes.push(process);
    await process.logged('scheduler started');
    return process;
  }

  it.each(points)(
    'rows 23 to 25, reported 12: at %s loses and doubles nothing',
    async (point) => {
      const victim = await start({ DRYDOCK_CRASH_AT: point });
      await queue.enqueue(anEvent(), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
      expect(await victim.ended).toEqual({ code: null, signal: 'SIGKILL' });
      const freeAtMs = systemClock.nowMs() + leaseTtlMs;

      await start();
      const isThereAtMs = systemClock.nowMs();
      const task = await eventually(async () => {
        const now = await queue.get(taskId);
        return now?.endedAtMs === null ? undefined : (now ?? undefined);
      }, 30_000);

      // Within 20 s of a death with the usual lease of 15 s: 5 s after the lease is over, or somebody is there at last.
      const adopted = (await queue.events(taskId)).find(({ what }) => what === 'adopted');
      if (adopted !== undefined) expect(adopted.atMs - Math.max(freeAtMs, isThereAtMs)).toBeLessThan(5000);
      expect(task).toMatchObject({ failures: 0 });
      expect(['done', 'skipped']).toContain(task.state);
      expect(new Set(world.published)).toEqual(new Set([sha('a')]));
      expect(attemptOf(task.launch)).toBeLessThanOrEqual(2);
      expect(mostAtOnce).toBeLessThanOrEqual(1);
      await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0, 40_000);
    },
    100_000,
  );

  it('is healthy, elects itself, and hands the lead over when it stops', async () => {
    const one = await start();
    const two = await start();

    one.kill('SIGTERM');

    expect(await one.ended).toEqual({ code: 0, signal: null });
    await queue.enqueue(anEvent(), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    await eventually(async () => (await queue.get(taskId))?.state === 'done');
    two.kill('SIGTERM');
    expect(await two.ended).toEqual({ code: 0, signal: null });
  }, 60_000);
});
