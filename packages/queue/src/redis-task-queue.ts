import {
  StaleError,
  TransientError,
  projectKeyOf,
  silentLog,
  taskIdOf,
  type Log,
  type ParkedItem,
  type Pause,
  type PauseEvent,
  type PauseScope,
  type ProjectKey,
  type ProjectShare,
  type Sha,
  type TaskEvent,
  TaskId,
  type TaskOutcome,
  type TaskRequest,
} from '@drydock/core';
import { z } from 'zod';
import { longestPauseHistory, scopeKey } from './pause-scope.ts';
import { adoptedTooOften } from './adoption.ts';
import { planRetry } from './plan-retry.ts';
import { defaultQueueSettings, type QueueSettings } from './queue-settings.ts';
import { connectRedis, type RedisConnection, type RedisSettings } from './redis-connection.ts';
import { auditQueue } from './redis-audit.ts';
import { RedisEpoch } from './redis-epoch.ts';
import { translateRedisError } from './redis-error.ts';
import { RedisKeys } from './redis-keys.ts';
import { parseParked, parsePauseEvents, parsePauses } from './redis-quiet-places.ts';
import * as scripts from './redis-scripts.ts';
import { RedisTaskList } from './redis-task-list.ts';
import { readTaskRecord } from './redis-task-record.ts';
import { RedisWake } from './redis-wake.ts';
import { shareChanges } from './share-changes.ts';
import { longestPage } from './task-page.ts';
import { isForgotten, isRunning, runningPayload, viewOf, type TaskRecord } from './task-record.ts';
import type {
  Enqueued,
  EnqueueOptions,
  Extended,
  Failed,
  HeldLease,
  Interrupt,
  LeasedTask,
  LeaseRequest,
  ProjectPage,
  QueueAudit,
  QueueEpoch,
  QueueStats,
  TaskFailure,
  TaskFilter,
  TaskPage,
  TaskQueue,
  TaskView,
} from './task-queue.ts';
import { countedFailure } from './task-transitions.ts';

/** One script replaces them all. */
/** A script that gave thousands their shares would keep all others from Redis. */
const sharesAtOnce = 200;
const pingTtlMs = 60_000;
/** So many tasks in a row that a script can read and we cannot, before whoever leases has to ask again. */
const mostUnreadable = 20;

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
  readonly #epoch: RedisEpoch;
  #newestEpoch = 0;
  readonly #list: RedisTaskList;

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
    this.#epoch = new RedisEpoch(redis, (runId) => this.#renewEpoch(runId, null));
    this.#list = new RedisTaskList(redis, this.#keys, this.#settings.retentionMs, log);
  }

  async enqueue(request: TaskRequest, options: EnqueueOptions): Promise<Enqueued> {
    const { deliveryTtlMs } = this.#settings;
    const kind = await scripts.enqueue(this.#redis, { ...this.#context(), request, options, deliveryTtlMs });
    return { kind, taskId: taskIdOf(request.kind, request.subject) };
  }

  async lease(request: LeaseRequest): Promise<LeasedTask | null> {
    for (let tries = 0; tries < mostUnreadable; tries += 1) {
      const leased = await this.#leaseOnce(request);
      if (leased === null || !('err' in leased)) return leased;
      this.#tellParked(leased.taskId);
      await scripts.park(this.#redis, { ...this.#context(), unreadable: leased });
    }
    return null;
  }

  async #leaseOnce(request: LeaseRequest): Promise<LeasedTask | scripts.UnreadableTask | null> {
    const answer = await this.#inEpoch(() => scripts.lease(this.#redis, { ...this.#context(), ...request }));
    for (const taskId of answer.parked) {
      if (TaskId.safeParse(taskId).success) this.#tellParked(taskId);
      else this.#log.error({ place: taskId, reason: 'its keys hold something else' }, 'not leased from');
    }
    for (const taskId of answer.ended) this.#log.error({ taskId, ...adoptedTooOftenFacts }, 'task ended');
    return answer.leased;
  }

  #tellParked(taskId: string): void {
    this.#log.error({ taskId, reason: 'its record is gone, damaged, or of another version' }, 'task parked');
  }

  async audit(cursor: string | null): Promise<QueueAudit> {
    return auditQueue((slice) => scripts.audit(this.#redis, { ...this.#context(), ...slice }), cursor, this.#log);
  }

  async setShares(shares: ReadonlyMap<ProjectKey, ProjectShare>): Promise<void> {
    const changes = shareChanges(await ask(() => this.#redis.hgetall(this.#keys.shares)), shares);
    for (let from = 0; from < changes.length; from += sharesAtOnce) {
      const some = changes.slice(from, from + sharesAtOnce);
      await scripts.changeShares(this.#redis, { ...this.#context(), changes: some });
    }
  }

  async pause(scope: PauseScope, by: string, why: string): Promise<'paused' | 'already'> {
    return (await this.#pause(scope, { by, why })) ? 'paused' : 'already';
  }

  async resume(scope: PauseScope, by: string): Promise<'resumed' | 'absent'> {
    return (await this.#pause(scope, { by, why: null })) ? 'resumed' : 'absent';
  }

  async pauses(): Promise<readonly Pause[]> {
    return parsePauses(await ask(() => this.#redis.hgetall(this.#keys.pauses)));
  }

  async pauseEvents(): Promise<readonly PauseEvent[]> {
    return parsePauseEvents(await ask(() => this.#redis.lrange(this.#keys.pauseEvents, 0, longestPauseHistory - 1)));
  }

  async parked(): Promise<readonly ParkedItem[]> {
    const [tasks, places] = await Promise.all(
      [this.#keys.parked, this.#keys.aside].map((key) =>
        ask(() => this.#redis.zrevrange(key, 0, longestPage - 1, 'WITHSCORES')),
      ),
    );
    return parseParked({ tasks: tasks ?? [], places: places ?? [] }).slice(0, longestPage);
  }

  async extend(held: HeldLease, ttlMs: number): Promise<Extended> {
    return scripts.extend(this.#redis, { ...this.#context(), held, ttlMs });
  }

  async beginLaunch(held: HeldLease, headSha: Sha): Promise<{ kind: 'begun'; launch: number } | { kind: 'lost' }> {
    const begun = await this.#inEpoch(() => scripts.beginLaunch(this.#redis, { ...this.#context(), held, headSha }));
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
      return { kind: settled === 'lost' || settled === 'cancelled' ? settled : 'dead' };
    }
    const { delayMs } = plan;
    const back = await scripts.putBack(this.#redis, { ...context, held, delayMs, why: null, fault });
    return back.kind === 'back' ? { ...back, kind: 'retrying' } : back;
  }

  async release(
    held: HeldLease,
    request: { delayMs: number; why: string },
  ): Promise<{ kind: 'released' | 'cancelled' | 'lost' }> {
    const back = await scripts.putBack(this.#redis, { ...this.#context(), held, ...request, fault: null });
    return back.kind === 'back' ? { kind: 'released' } : back;
  }

  async handOver(held: HeldLease): Promise<{ kind: 'handed-over' | 'lost' }> {
    return { kind: await scripts.handOver(this.#redis, { ...this.#context(), held }) };
  }

  async interrupt(taskId: TaskId, interrupt: Interrupt): Promise<{ kind: 'interrupted' | 'absent' }> {
    return { kind: await scripts.interrupt(this.#redis, { ...this.#context(), taskId, interrupt }) };
  }

  async get(taskId: TaskId): Promise<TaskView | null> {
    const [record, nowMs] = await Promise.all([this.#read(taskId), this.#nowMs()]);
    return record === null || isForgotten(record, this.#settings.retentionMs, nowMs) ? null : viewOf(record);
  }

  async list(filter: TaskFilter): Promise<TaskPage> {
    return this.#list.read(filter, await this.#nowMs());
  }

  async projects({ limit, cursor }: { limit: number; cursor?: string }): Promise<ProjectPage> {
    const [projects, next] = await scripts.projects(this.#redis, {
      ...this.#context(),
      after: cursor ?? '',
      limit: Math.min(limit, longestPage),
    });
    return { projects, cursor: next };
  }

  async events(taskId: TaskId): Promise<readonly TaskEvent[]> {
    const [record, nowMs] = await Promise.all([this.#read(taskId), this.#nowMs()]);
    return record === null || isForgotten(record, this.#settings.retentionMs, nowMs) ? [] : record.events;
  }

  async cancel(taskId: TaskId, by: string): Promise<'cancelled' | 'cancelling' | 'absent'> {
    return scripts.cancel(this.#redis, { ...this.#context(), taskId, by });
  }

  async retry(taskId: TaskId, by: string): Promise<'queued' | 'running' | 'waiting' | 'absent'> {
    return scripts.retry(this.#redis, { ...this.#context(), taskId, by });
  }

  async epoch(): Promise<QueueEpoch> {
    return this.#epoch.read();
  }

  async sweepDone(epoch: number): Promise<void> {
    await this.#renewEpoch('', epoch);
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

  onWake(listener: () => void, interruptOf?: TaskId): () => void {
    return this.#wake.add(listener, interruptOf);
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
    return ask(() => readTaskRecord(this.#redis, this.#keys.task(taskId), taskId));
  }

  async #pause(scope: PauseScope, order: { readonly by: string; readonly why: string | null }): Promise<boolean> {
    const project = scope.kind === 'project' ? projectKeyOf(scope) : null;
    return scripts.pause(this.#redis, { ...this.#context(), ...order, scope: scopeKey(scope), project });
  }

  async #renewEpoch(runId: string, swept: number | null): Promise<QueueEpoch> {
    const now = await scripts.epoch(this.#redis, { ...this.#context(), runId, swept, known: this.#newestEpoch });
    this.#newestEpoch = Math.max(this.#newestEpoch, now.epoch);
    return now;
  }

  /** Asks for what gives out numbers; again once the store has a number for its epoch. */
  async #inEpoch<Answer extends { readonly kind: string }>(
    work: () => Promise<Answer>,
  ): Promise<Exclude<Answer, { readonly kind: 'epoch' }>> {
    await this.#epoch.check();
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const answer = await work();
      if (isInEpoch(answer)) return answer;
      await this.#epoch.read();
    }
    throw new TransientError('queue.unreachable', 'Redis is being emptied');
  }
}

const adoptedTooOftenFacts = { code: adoptedTooOften.code, reason: adoptedTooOften.message };

function isInEpoch<Answer extends { readonly kind: string }>(
  answer: Answer,
): answer is Exclude<Answer, { readonly kind: 'epoch' }> {
  return answer.kind !== 'epoch';
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
