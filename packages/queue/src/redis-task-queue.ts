import {
  BlockedError,
  StaleError,
  TaskState,
  silentLog,
  taskIdOf,
  type Log,
  type Sha,
  type TaskId,
  type TaskOutcome,
  type TaskRequest,
} from '@drydock/core';
import { z } from 'zod';
import { planRetry } from './plan-retry.ts';
import { defaultQueueSettings, type QueueSettings } from './queue-settings.ts';
import { connectRedis, type RedisConnection, type RedisSettings } from './redis-connection.ts';
import { translateRedisError } from './redis-error.ts';
import { RedisKeys } from './redis-keys.ts';
import * as scripts from './redis-scripts.ts';
import { parseTaskHash } from './redis-task-record.ts';
import { RedisWake } from './redis-wake.ts';
import { isForgotten, isRunning, leasedTaskOf, runningPayload, viewOf, type TaskRecord } from './task-record.ts';
import type {
  Enqueued,
  EnqueueOptions,
  Extended,
  Failed,
  HeldLease,
  Interrupt,
  LeasedTask,
  QueueStats,
  TaskFailure,
  TaskFilter,
  TaskQueue,
  TaskView,
} from './task-queue.ts';
import { countedFailure } from './task-transitions.ts';

/** A list is read in two steps of bounded size. */
const longestList = 1_000;
const pingTtlMs = 60_000;

/** What a queue on Redis is made of; the settings left out hold as in `defaultQueueSettings`. */
export interface RedisTaskQueueOptions {
  /** Belongs to the queue from now on: `close` ends it. */
  readonly redis: RedisConnection;
  /** Comes before all keys: letters, digits, `:`, `-` and `_`, so that installations can share a Redis. */
  readonly keyPrefix?: string;
  readonly settings?: Partial<QueueSettings>;
  readonly log?: Log;
  /** Spreads retries; numbers from 0 to below 1. */
  readonly random?: () => number;
  /** For tests alone: replaces Redis TIME. */
  readonly testNowMs?: () => number;
}

/**
 * The queue on Redis, one script for each operation. Ages are Redis TIME's. Nothing acknowledged is lost while Redis
 * keeps its disk (`appendfsync always`; about a second of it otherwise).
 *
 * When an answer is lost, the operation may have happened: `enqueue` is safe to repeat by its delivery keys,
 * `beginLaunch` answers the same launch again, `extend`, `beginPublishing` and `interrupt` change nothing twice, a
 * repeated `complete`, `fail` or `release` says `lost`, and a lease that nobody heard of runs out.
 */
export class RedisTaskQueue implements TaskQueue {
  readonly #redis: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #settings: QueueSettings;
  readonly #log: Log;
  readonly #random: () => number;
  readonly #testNowMs: (() => number) | null;
  readonly #wake: RedisWake;

  constructor(options: RedisTaskQueueOptions) {
    const { redis, keyPrefix = '', settings, log = silentLog, random = Math.random, testNowMs } = options;
    if (!/^[\w:-]*$/.test(keyPrefix)) throw new Error('a key prefix is made of letters, digits, ":", "-" and "_"');
    this.#redis = redis;
    this.#keys = new RedisKeys(keyPrefix);
    this.#settings = { ...defaultQueueSettings, ...settings };
    this.#log = log;
    this.#random = random;
    this.#testNowMs = testNowMs ?? null;
    this.#wake = new RedisWake(redis, this.#keys.wakeChannel);
  }

  async enqueue(request: TaskRequest, options: EnqueueOptions): Promise<Enqueued> {
    const { deliveryTtlMs } = this.#settings;
    const kind = await scripts.enqueue(this.#redis, { ...this.#context(), request, options, deliveryTtlMs });
    return { kind, taskId: taskIdOf(request.kind, request.subject) };
  }

  async lease(request: { owner: string; ttlMs: number; maxRunning: number }): Promise<LeasedTask | null> {
    const { parked, leased } = await scripts.lease(this.#redis, { ...this.#context(), ...request });
    for (const taskId of parked) {
      this.#log.error({ taskId, reason: 'its hash is gone or of another form' }, 'task parked');
    }
    if (leased === null) return null;
    return leasedTaskOf(parseTaskHash(leased.taskId, leased.hash), leased.adoptedIn);
  }

  async extend(held: HeldLease, ttlMs: number): Promise<Extended> {
    return scripts.extend(this.#redis, { ...this.#context(), held, ttlMs });
  }

  async beginLaunch(held: HeldLease, headSha: Sha): Promise<{ kind: 'begun'; launch: number } | { kind: 'lost' }> {
    const begun = await scripts.beginLaunch(this.#redis, { ...this.#context(), held, headSha });
    if (begun.kind !== 'head-moved') return begun;
    throw new StaleError('merge_request.head_moved', 'this lease has begun a launch on another head');
  }

  async beginPublishing(held: HeldLease): Promise<{ kind: 'publishing' } | { kind: 'lost' }> {
    return { kind: await scripts.beginPublishing(this.#redis, { ...this.#context(), held }) };
  }

  async complete(
    held: HeldLease,
    outcome: TaskOutcome,
  ): Promise<{ kind: 'completed'; requeued: boolean } | { kind: 'lost' }> {
    const settled = await scripts.settle(this.#redis, { ...this.#context(), held, outcome, fault: null });
    return settled === 'lost' ? { kind: 'lost' } : { kind: 'completed', requeued: settled === 'requeued' };
  }

  async fail(held: HeldLease, failure: TaskFailure): Promise<Failed> {
    const context = this.#context();
    // Only its holder changes a task's counts, so what is read here still holds when the script finds the same lease.
    const record = await this.#read(held.taskId);
    if (record === null || !isRunning(record) || record.lease !== held.lease) return { kind: 'lost' };
    const plan = planRetry(this.#settings, runningPayload(record), failure, this.#random);
    const fault = countedFailure(plan, failure);
    if (plan.kind === 'dead') {
      const outcome = { kind: 'dead', why: failure.code } as const;
      const settled = await scripts.settle(this.#redis, { ...context, held, outcome, fault });
      return settled === 'lost' ? { kind: 'lost' } : { kind: 'dead' };
    }
    const { delayMs } = plan;
    const back = await scripts.putBack(this.#redis, { ...context, held, delayMs, why: null, fault });
    return back.kind === 'lost' ? back : { ...back, kind: 'retrying' };
  }

  async release(
    held: HeldLease,
    request: { delayMs: number; why: string },
  ): Promise<{ kind: 'released' } | { kind: 'lost' }> {
    const back = await scripts.putBack(this.#redis, { ...this.#context(), held, ...request, fault: null });
    return back.kind === 'lost' ? back : { kind: 'released' };
  }

  async interrupt(taskId: TaskId, interrupt: Interrupt): Promise<{ kind: 'interrupted' | 'absent' }> {
    return { kind: await scripts.interrupt(this.#redis, { ...this.#context(), taskId, interrupt }) };
  }

  async get(taskId: TaskId): Promise<TaskView | null> {
    const [record, nowMs] = await Promise.all([this.#read(taskId), this.#nowMs()]);
    return record === null || isForgotten(record, this.#settings.retentionMs, nowMs) ? null : viewOf(record);
  }

  async list({ states = TaskState.options, limit }: TaskFilter): Promise<readonly TaskView[]> {
    const count = Math.min(limit, longestList);
    const nowMs = await this.#nowMs();
    const entries = (await Promise.all(states.map((state) => this.#newest(state, count, nowMs)))).flat();
    const newest = entries
      .sort((left, right) => right.updatedAtMs - left.updatedAtMs || (left.taskId < right.taskId ? 1 : -1))
      .slice(0, count);
    const records = await Promise.all(newest.map(({ taskId }) => this.#readForList(taskId)));
    // Between the two steps a task may have moved on.
    return records.flatMap((record) => (record !== null && states.includes(record.state) ? [viewOf(record)] : []));
  }

  async stats(): Promise<QueueStats> {
    return scripts.stats(this.#redis, this.#context());
  }

  /** A write, for a full disk or a replica answers PING or reads as if nothing were wrong. */
  async ping(): Promise<void> {
    await ask(async () => {
      await this.#redis.ping();
      await this.#redis.set(this.#keys.ping, '1', 'PX', pingTtlMs);
    });
  }

  onWake(listener: () => void): () => void {
    return this.#wake.add(listener);
  }

  async close(): Promise<void> {
    this.#wake.close();
    if (this.#redis.status === 'end') return;
    try {
      await this.#redis.quit();
    } catch {
      this.#redis.disconnect(); // not connected, or no answer in time
    }
  }

  #context(): scripts.ScriptContext {
    return { keys: this.#keys, nowMs: this.#testNowMs?.() ?? '', retentionMs: this.#settings.retentionMs };
  }

  async #nowMs(): Promise<number> {
    if (this.#testNowMs !== null) return this.#testNowMs();
    const time = await ask(() => this.#redis.time());
    const [seconds, microseconds] = z.tuple([z.coerce.number(), z.coerce.number()]).parse(time);
    return seconds * 1000 + Math.floor(microseconds / 1000);
  }

  async #read(taskId: TaskId): Promise<TaskRecord | null> {
    const hash = await ask(() => this.#redis.hgetall(this.#keys.task(taskId)));
    return Object.keys(hash).length === 0 ? null : parseTaskHash(taskId, hash);
  }

  /** One task that cannot be read does not hide the others. */
  async #readForList(taskId: TaskId): Promise<TaskRecord | null> {
    try {
      return await this.#read(taskId);
    } catch (err) {
      if (!(err instanceof BlockedError)) throw err;
      this.#log.warn({ taskId, err }, 'task left out of a list');
      return null;
    }
  }

  /** The newest of a state: ids with the time of their last change. */
  async #newest(state: TaskState, count: number, nowMs: number) {
    const isEnd = state !== 'waiting' && state !== 'leased' && state !== 'running' && state !== 'publishing';
    const oldest = isEnd ? `(${nowMs - this.#settings.retentionMs}` : '-inf';
    const flat = await ask(() =>
      this.#redis.zrevrangebyscore(this.#keys.state(state), '+inf', oldest, 'WITHSCORES', 'LIMIT', 0, count),
    );
    return flat.flatMap((taskId, i) => (i % 2 === 0 ? [{ taskId, updatedAtMs: Number(flat[i + 1]) }] : []));
  }
}

/** Connects to Redis, refuses one that is unsafe for a queue, and answers the queue on it. @see connectRedis */
export async function connectRedisTaskQueue(
  options: RedisSettings & Omit<RedisTaskQueueOptions, 'redis'>,
): Promise<RedisTaskQueue> {
  const redis = await connectRedis(options, options.log ?? silentLog, options.random);
  return new RedisTaskQueue({ ...options, redis });
}

async function ask<T>(command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    throw translateRedisError(error);
  }
}
