/** Schedulers on a real Redis that lose it, sleep too long, or meet a task that kills whatever works on it. */
import { ReviewPolicy, Secret, silentLog, systemClock } from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import {
  skewedClock,
  startProcess,
  startRedisServer,
  startTcpFaultProxy,
  whyNoSkewedClock,
  type RedisServer,
} from '@drydock/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { createSchedulerMetrics } from './metrics.ts';
import { startScheduler, type RunningScheduler } from './start-scheduler.ts';
import { HandLauncher, exitedWell } from './testing/hand-launcher.ts';
import { WorldGateway, anEvent, sha, subject, taskId } from './testing/world-gateway.ts';

const atOnce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };
const leaseTtlMs = 2_500;
const never = new AbortController().signal;
const noClock = whyNoSkewedClock();
if (noClock !== null) process.stderr.write(`skipped: row 57: ${noClock}\n`);

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`still not so: ${isSo.toString()}`);
    await systemClock.sleep(10, never);
  }
}

/** A scheduler with launcher and queue of its own. */
interface Member {
  readonly queue: TaskQueue;
  readonly launcher: HandLauncher;
  readonly scheduler: RunningScheduler;
}

describe('a scheduler on Redis', () => {
  let redis: RedisServer;
  let gateway: WorldGateway;
  let queue: TaskQueue;
  const members: Member[] = [];

  beforeEach(async () => {
    redis = await startRedisServer();
    queue = await connect(redis.port);
    gateway = new WorldGateway();
  });
  afterEach(async () => {
    for (const { scheduler, launcher } of members) {
      for (const { end } of launcher.agents) end(exitedWell);
      await scheduler.stop().catch(() => undefined);
    }
    await Promise.all(members.splice(0).map((member) => member.queue.close()));
    await queue.close();
    await redis[Symbol.asyncDispose]();
  });

  const connect = (port: number) =>
    connectRedisTaskQueue({
      url: new Secret(`redis://127.0.0.1:${port}`),
      log: silentLog,
      commandTimeoutMs: 300,
      settings: { retry: { maxAttempts: 3, baseMs: 10, capMs: 20 } },
    });

  async function start(owner: string, port = redis.port): Promise<Member> {
    const own = await connect(port);
    const launcher = new HandLauncher();
    const scheduler = startScheduler(
      {
        queue: own,
        gateway,
        launcher,
        clock: systemClock,
        log: silentLog,
        metrics: createSchedulerMetrics(new Registry()),
        policy: ReviewPolicy.parse({}),
        isProjectAllowed: () => true,
      },
      { owner, maxRunning: 1, leaseTtlMs, pollMs: 50, blockedDelayMs: 60_000 },
    );
    const member = { queue: own, launcher, scheduler };
    members.push(member);
    return member;
  }

  it('row 22: cut off from Redis stops its agent and publishes nothing; another one reviews with a higher lease', async () => {
    await using proxy = await startTcpFaultProxy({ upstream: { port: redis.port } });
    const cutOff = await start('cut off', proxy.port);
    await queue.enqueue(anEvent(), atOnce);
    await until(() => cutOff.launcher.running === 1);
    const before = await queue.get(taskId);
    proxy.add({ kind: 'black-hole', closeAfterMs: null });

    const other = await start('other');
    await until(() => other.launcher.running === 1);

    await until(() => cutOff.launcher.running === 0); // by its own watch, for nobody can tell it
    const [first] = cutOff.launcher.agents;
    const [second] = other.launcher.agents;
    gateway.submitReview(first?.launch.runId ?? ''); // even had it finished
    first?.end(exitedWell);
    const task = await queue.get(taskId);
    expect(task?.lease).toBeGreaterThan(before?.lease ?? 0);
    expect(task?.launch).toBeGreaterThan(before?.launch ?? 0);
    gateway.submitReview(second?.launch.runId ?? '');
    second?.end(exitedWell);
    await until(async () => (await queue.get(taskId))?.state === 'done');
    proxy.clear();
    await queue.enqueue(anEvent({ subject: { ...subject, iid: 8 }, headSha: sha('b') }), atOnce);
    await until(async () => (await queue.get('review:gitlab:42:8'))?.outcome !== null);
    expect(gateway.published).toEqual([sha('a')]);
    expect(cutOff.launcher.agents.length + other.launcher.agents.length).toBe(2);
  });

  it.each(['startRun', 'readRun', 'publishRun'] as const)(
    'row 27: blocked for longer than its lease in %s notices it before it writes again',
    async (call) => {
      const blocked = await start('blocked');
      let other: ReturnType<typeof startProcess> | undefined;
      let writtenThen = 0;
      gateway.interludes.set(call, async () => {
        other = startProcess(new URL('./testing/take-task.ts', import.meta.url), {}, [redis.url]);
        // Nothing else of this process runs meanwhile. The other one needs up to a second to start on a busy machine.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * leaseTtlMs);
        writtenThen = gateway.writes.length;
        await Promise.resolve();
      });
      await queue.enqueue(anEvent(), atOnce);
      await until(() => blocked.launcher.running === 1 || other !== undefined);
      const [agent] = blocked.launcher.agents;
      if (agent !== undefined) {
        gateway.submitReview(agent.launch.runId);
        agent.end(exitedWell);
      }
      await until(() => other !== undefined);
      const taken = await other?.logged('taken');
      await other?.[Symbol.asyncDispose]();
      await blocked.scheduler.stop();

      // The call on whose way it slept is fenced by the gateway; none followed it.
      expect(gateway.writes.length).toBeLessThanOrEqual(writtenThen + 1);
      expect(await queue.get(taskId)).toMatchObject({ lease: taken?.['lease'], failures: 0, lastError: null });
      expect(blocked.launcher.running).toBe(0);
    },
  );

  it('row 61: with a task that kills its agent each time ends it as a dead letter, and serves the others', async () => {
    const { launcher } = await start('one');
    await queue.enqueue(anEvent(), atOnce);
    const other = 'review:gitlab:42:8';
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await until(() => launcher.agents.length === attempt);
      launcher.agents.at(-1)?.end({ kind: 'exited', code: null, signal: 'SIGABRT', lastWords: '' });
    }

    await until(async () => (await queue.get(taskId))?.state === 'dead');

    expect(await queue.get(taskId)).toMatchObject({ failures: 3, lastError: { code: 'run.crashed' } });
    await queue.enqueue(anEvent({ subject: { ...subject, iid: 8 } }), atOnce);
    await until(() => launcher.agents.length === 4);
    gateway.submitReview(launcher.agents.at(-1)?.launch.runId ?? '');
    launcher.agents.at(-1)?.end(exitedWell);
    await until(async () => (await queue.get(other))?.state === 'done');
    expect(await queue.stats()).toMatchObject({ dead: 1, waiting: 0, running: 0 });
  });

  (noClock === null ? it.each([600, -600]) : it.skip.each([600, -600]))(
    'row 57: with a clock that is %d s wrong takes no lease before its time',
    async (offsetSeconds) => {
      using clock = skewedClock(offsetSeconds);
      const holder = await start('holder');
      await queue.enqueue(anEvent(), atOnce);
      await until(() => holder.launcher.running === 1);
      await using other = startProcess(new URL('./testing/take-task.ts', import.meta.url), clock.environment, [
        redis.url,
      ]);

      await systemClock.sleep(2 * leaseTtlMs, never); // the other one asks all the time

      expect(other.stdout).toBe('');
      expect(holder.launcher.running).toBe(1);
      await holder.scheduler.stop(); // now it may have it
      expect(await other.logged('taken')).toMatchObject({ msg: 'taken' });
    },
  );
});
