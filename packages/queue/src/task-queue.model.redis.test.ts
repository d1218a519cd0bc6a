/** Random sequences of operations leave the queue on Redis and the one in memory in the same state after each step. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DrydockError, Secret, Trigger, silentLog, type TaskOutcome } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import fc from 'fast-check';
import {
  MovableTime,
  aFailure,
  aTaskRequest,
  noonEpoch,
  noonMs,
  room,
  sha,
  taskIdOfIid,
} from './contract/queue-under-test.ts';
import { MemoryTaskQueue } from './memory-task-queue.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisTaskQueue } from './redis-task-queue.ts';
import type { HeldLease, TaskQueue } from './task-queue.ts';

const sequences = 300;
const settings = {
  retentionMs: 100_000,
  deliveryTtlMs: 50_000,
  retry: { maxAttempts: 2, baseMs: 4_000, capMs: 10_000 },
  infraRetry: { maxAttempts: 2, baseMs: 1_000, capMs: 10_000 },
};

/** One operation on a queue; `held` picks one of all leases given so far, old ones included. */
interface Step {
  readonly label: string;
  readonly run: (queue: TaskQueue, leases: readonly HeldLease[]) => Promise<unknown>;
}

const iid = fc.constantFrom(1, 2);
const head = fc.constantFrom(sha('a'), sha('b'));
/** Counted back from the newest lease, which mostly still holds. */
const heldIndex = fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 1 }) }, { weight: 1, arbitrary: fc.nat({ max: 9 }) });

const enqueueStep = fc
  .record({
    iid,
    trigger: fc.oneof(fc.constantFrom(...Trigger.options), fc.constantFrom('pushed' as const, 'commanded' as const)),
    headSha: fc.option(head, { freq: 3 }),
    occurredAtMs: fc.option(fc.integer({ min: noonMs, max: noonMs + 2 }), { freq: 3 }),
    hasCommand: fc.boolean(),
    path: fc.constantFrom('group/project', 'moved/project'),
    deliveryKeys: fc.uniqueArray(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8'), { maxLength: 2 }),
    times: fc.constantFrom([0, 0], [3_000, 10_000], [20_000, 5_000]),
  })
  .map(({ hasCommand, path, deliveryKeys, times: [debounceMs = 0, maxDebounceMs = 0], ...facts }): Step => {
    const command = hasCommand ? { verb: 'review' as const, noteId: '1', userId: '2' } : null;
    const request = aTaskRequest({ ...facts, projectPath: path, command });
    return {
      label: `enqueue ${JSON.stringify({ request, deliveryKeys, debounceMs, maxDebounceMs })}`,
      run: (queue) => queue.enqueue(request, { deliveryKeys, debounceMs, maxDebounceMs }),
    };
  });

const leaseStep = fc.constantFrom(0, 1, 2, 2, 2).map((maxRunning): Step => ({
  label: `lease of ${maxRunning}`,
  run: (queue) => queue.lease({ owner: 'model', ttlMs: 10_000, limits: room(maxRunning) }),
}));

const outcome: fc.Arbitrary<TaskOutcome> = fc.oneof(
  fc.constant({ kind: 'done' as const }),
  fc.constant({ kind: 'superseded' as const, why: 'model' }),
  fc.constantFrom('skipped' as const, 'cancelled' as const, 'dead' as const).map((kind) => ({ kind, why: 'model' })),
);
const failure = fc
  .record({
    class: fc.constantFrom('transient' as const, 'terminal' as const, 'infra' as const),
    retryAfterMs: fc.constantFrom(null, 0, 2_500),
  })
  .map(aFailure);

type HeldAct = readonly [string, (queue: TaskQueue, held: HeldLease) => Promise<unknown>];
const heldAct: fc.Arbitrary<HeldAct> = fc.oneof(
  fc.constantFrom<HeldAct>(
    ['extend', (queue, held) => queue.extend(held, 10_000)],
    ['beginPublishing', (queue, held) => queue.beginPublishing(held)],
    ['release', (queue, held) => queue.release(held, { delayMs: 0, why: 'model' })],
    ['release for 7 s', (queue, held) => queue.release(held, { delayMs: 7_000, why: 'model' })],
  ),
  head.map((commit): HeldAct => [`beginLaunch ${commit}`, (queue, held) => queue.beginLaunch(held, commit)]),
  outcome.map((end): HeldAct => [`complete ${JSON.stringify(end)}`, (queue, held) => queue.complete(held, end)]),
  failure.map((fault): HeldAct => [`fail ${JSON.stringify(fault)}`, (queue, held) => queue.fail(held, fault)]),
);
const heldStep = fc.tuple(heldIndex, heldAct).map(([index, [name, act]]): Step => ({
  label: `${name} by ${index}`,
  run: async (queue, leases) => {
    const held = leases.at(-1 - index);
    return held === undefined ? null : act(queue, held);
  },
}));

const interruptStep = fc
  .tuple(iid, fc.constantFrom('superseded' as const, 'closed' as const, 'cancelled' as const))
  .map(([number, interrupt]): Step => ({
    label: `interrupt ${number} ${interrupt}`,
    run: (queue) => queue.interrupt(taskIdOfIid(number), interrupt),
  }));

const advanceStep = fc
  .oneof(
    { weight: 6, arbitrary: fc.constantFrom(1, 1_000, 3_000) },
    { weight: 2, arbitrary: fc.constantFrom(10_000, 60_000) },
    { weight: 1, arbitrary: fc.constant(43_200_000) },
  )
  .map((ms) => ({ ms }));

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: enqueueStep },
    { weight: 4, arbitrary: leaseStep },
    { weight: 7, arbitrary: heldStep },
    { weight: 1, arbitrary: interruptStep },
    { weight: 3, arbitrary: advanceStep },
  ),
  { minLength: 10, maxLength: 40, size: 'max' },
);

async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    return { refused: error.code };
  }
}

async function observe(queue: TaskQueue): Promise<unknown> {
  return Promise.all([queue.list({ limit: 10 }), queue.stats()]);
}

const missing = whyNoRedisServer();

(missing === null ? describe : describe.skip)('both queues', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  beforeAll(async () => {
    server = await startRedisServer({ config: { appendonly: 'no' } });
    redis = await connectRedis({ url: new Secret(server.url) }, silentLog);
  });
  afterAll(async () => {
    await redis.quit();
    await server[Symbol.asyncDispose]();
  });

  it('answer alike and stay alike', async () => {
    let run = 0;

    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        run += 1;
        const time = new MovableTime();
        const random = () => 0.5;
        const memory = new MemoryTaskQueue({ clock: time.clock(), settings, random, epoch: noonEpoch });
        const onRedis = new RedisTaskQueue({
          redis,
          keyPrefix: `model-${run}:`,
          settings,
          random,
          testNowMs: time.nowMs,
        });
        await onRedis.epoch();
        const leases: HeldLease[] = [];
        const story: string[] = [];
        for (const step of sequence) {
          if ('ms' in step) {
            time.advance(step.ms);
            story.push(`advance ${step.ms}`);
          } else {
            story.push(step.label);
            const expected = await outcomeOf(step.run(memory, leases));
            const actual = await outcomeOf(step.run(onRedis, leases));
            expect({ story, answer: actual }).toEqual({ story, answer: expected });
            if (isLease(expected)) leases.push({ taskId: expected.taskId, lease: expected.lease });
          }
          expect({ story, state: await observe(onRedis) }).toEqual({ story, state: await observe(memory) });
        }
      }),
      { numRuns: sequences },
    );
  }, 120_000);
});

function isLease(answer: unknown): answer is HeldLease {
  return typeof answer === 'object' && answer !== null && 'lease' in answer && 'adopted' in answer;
}
