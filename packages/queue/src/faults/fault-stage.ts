import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret, silentLog, systemClock, type Log, type TaskId } from '@drydock/core';
import { whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { describe } from '@jest/globals';
import { aTaskRequest, atOnce } from '../contract/queue-under-test.ts';
import { connectRedis, type RedisConnection } from '../redis-connection.ts';
import { connectRedisTaskQueue, type RedisTaskQueue } from '../redis-task-queue.ts';
import type { LeasedTask, TaskQueue } from '../task-queue.ts';

/** Suites about faults of a real store; skipped where there is none. */
export const describeFaults = whyNoRedisServer() === null ? describe : describe.skip;

const never = new AbortController().signal;

/** A queue that ends with its test, however that ends. */
export type QueueOfTest = RedisTaskQueue & AsyncDisposable;

/** A queue over this address, whose commands have the time that a server gives them. */
export async function queueAt(
  port: number,
  options: { readonly log?: Log; readonly commandTimeoutMs?: number; readonly testNowMs?: () => number } = {},
): Promise<QueueOfTest> {
  const queue = await connectRedisTaskQueue({ url: new Secret(`redis://127.0.0.1:${port}`), ...options });
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() });
}

/** A connection of the operator's, past all proxies. */
export async function operatorOf({ port }: RedisServer): Promise<RedisConnection & AsyncDisposable> {
  const redis = await connectRedis(
    { url: new Secret(`redis://127.0.0.1:${port}`), commandTimeoutMs: 10_000 },
    silentLog,
  );
  return Object.assign(redis, {
    [Symbol.asyncDispose]: () => {
      redis.disconnect();
      return Promise.resolve();
    },
  });
}

/**
 * A folder in memory where there is one. Under `everysec` Redis acknowledges before it writes while the disk is still
 * busy with the last second, for two seconds at the most; with such a disk a killed process can lose what it
 * acknowledged, and a test of anything else would fail now and then.
 */
export async function folderInMemory(): Promise<{ readonly folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'drydock-redis-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Asks until it answers without an error; throws the last one after `limitMs`. */
export async function eventually<T>(ask: () => T | Promise<T>, limitMs = 15_000): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await systemClock.sleep(10, never);
    }
  }
}

/** Waits until it is so. */
export function until(isSo: () => boolean | Promise<boolean>, limitMs?: number): Promise<void> {
  return eventually(async () => {
    if (!(await isSo())) throw new Error(`still not so: ${isSo.toString()}`);
  }, limitMs);
}

/** Leases the next task, with room for all. */
export function take(queue: TaskQueue, { owner = 'one', ttlMs = 60_000 } = {}): Promise<LeasedTask | null> {
  return queue.lease({ owner, ttlMs, limits: { total: 1_000_000, perForge: null, perProject: null } });
}

/** As `take`, where the test knows that there is one. */
export async function mustTake(queue: TaskQueue, options?: Parameters<typeof take>[1]): Promise<LeasedTask> {
  const task = await take(queue, options);
  if (task === null) throw new Error('nothing to lease');
  return task;
}

/** Leases all that waits. A task that could not be read whole would not be among them. */
export async function drain(queue: TaskQueue): Promise<readonly LeasedTask[]> {
  const taken: LeasedTask[] = [];
  const hour = { ttlMs: 3_600_000 }; // longer than any of this takes: none is taken over and counted twice
  for (let task = await take(queue, hour); task !== null; task = await take(queue, hour)) taken.push(task);
  return taken;
}

/** Producers that send one event after another, each of a merge request of its own, and go on when one fails. */
export class Producers implements AsyncDisposable {
  /** Tasks whose events were acknowledged, in that order. */
  readonly acknowledged: TaskId[] = [];
  refused = 0;
  readonly #queue: TaskQueue;
  readonly #working: Promise<unknown>;
  #iid = 0;
  #isOver = false;

  constructor(queue: TaskQueue, count = 16) {
    this.#queue = queue;
    this.#working = Promise.all(Array.from({ length: count }, () => this.#produce()));
  }

  /** Resolves when so many more were acknowledged. */
  more(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    return until(() => this.acknowledged.length >= goal, 60_000);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#working;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Those that were acknowledged and are not among these. */
  missingIn(tasks: readonly { readonly taskId: TaskId }[]): readonly TaskId[] {
    const found = new Set(tasks.map(({ taskId }) => taskId));
    return this.acknowledged.filter((taskId) => !found.has(taskId));
  }

  async #produce(): Promise<void> {
    while (!this.#isOver) {
      this.#iid += 1;
      const iid = this.#iid;
      const deliveryKeys = [`gitlab:${iid}`];
      try {
        const { taskId } = await this.#queue.enqueue(aTaskRequest({ iid }), { ...atOnce, deliveryKeys });
        this.acknowledged.push(taskId);
      } catch {
        this.refused += 1;
        await systemClock.sleep(5, never);
      }
    }
  }
}
