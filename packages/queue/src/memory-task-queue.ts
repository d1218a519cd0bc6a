import {
  StaleError,
  TransientError,
  priorityOf,
  taskIdOf,
  type Clock,
  type Sha,
  type TaskId,
  type TaskOutcome,
  type TaskRequest,
} from '@drydock/core';
import { planRetry } from './plan-retry.ts';
import type { QueueSettings } from './queue-settings.ts';
import { defaultQueueSettings } from './queue-settings.ts';
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
import {
  adopt,
  beginLaunch,
  countedFailure,
  putBack,
  settle,
  takeEvent,
  takeLease,
  withInterrupt,
} from './task-transitions.ts';
import { WakeListeners } from './wake-listeners.ts';

const dayMs = 24 * 3_600_000;

/** What a queue in memory is made of; the settings left out hold as in `defaultQueueSettings`. */
export interface MemoryTaskQueueOptions {
  readonly clock: Clock;
  readonly settings?: Partial<QueueSettings>;
  /** Spreads retries; numbers from 0 to below 1. */
  readonly random?: () => number;
}

/**
 * The queue of one process, gone when it ends. It is also the model that `RedisTaskQueue` is compared with, so it says
 * plainly what happens and does not care for speed beyond some ten thousand tasks.
 */
export class MemoryTaskQueue implements TaskQueue {
  readonly #settings: QueueSettings;
  readonly #random: () => number;
  readonly #nowMs: () => number;
  readonly #records = new Map<TaskId, TaskRecord>();
  /** Those that wait or run: what a lease has to look at. */
  readonly #live = new Set<TaskId>();
  /** Those that ended, longest ago first. */
  readonly #ended = new Set<TaskId>();
  /** When the lease of a running task runs out. */
  readonly #leases = new Map<TaskId, number>();
  /** Until when a delivery is known, oldest first. */
  readonly #deliveries = new Map<string, number>();
  readonly #wake = new WakeListeners();
  #today = { day: 0, ended: 0 };
  #isClosed = false;

  constructor({ clock, settings, random = Math.random }: MemoryTaskQueueOptions) {
    this.#settings = { ...defaultQueueSettings, ...settings };
    this.#random = random;
    // Leases must not run out because somebody sets the wall clock.
    const epochMs = clock.nowMs() - clock.monotonicMs();
    this.#nowMs = () => Math.floor(epochMs + clock.monotonicMs());
  }

  async enqueue(request: TaskRequest, options: EnqueueOptions): Promise<Enqueued> {
    const nowMs = this.#now();
    const taskId = taskIdOf(request.kind, request.subject);
    this.#forgetDeliveries(nowMs);
    if (options.deliveryKeys.some((key) => this.#deliveries.has(key))) return { kind: 'duplicate', taskId };
    const { record, kind } = takeEvent(this.#find(taskId, nowMs), request, options, nowMs);
    this.#put(record);
    for (const key of options.deliveryKeys) this.#deliveries.set(key, nowMs + this.#settings.deliveryTtlMs);
    this.#hint();
    return { kind, taskId };
  }

  async lease(request: { owner: string; ttlMs: number; maxRunning: number }): Promise<LeasedTask | null> {
    const nowMs = this.#now();
    const { owner, ttlMs, maxRunning } = request;
    const expired = [...this.#leases].filter(([, expiresAtMs]) => expiresAtMs <= nowMs);
    if (this.#leases.size - expired.length >= maxRunning) return null;
    const [abandoned] = expired.sort(byNumberThenId);
    const found = this.#record(abandoned?.[0] ?? this.#nextReady(nowMs));
    if (found === null) return null;
    const adoptedIn =
      found.state === 'leased' || found.state === 'running' || found.state === 'publishing' ? found.state : null;
    const record = adoptedIn === null ? takeLease(found, owner, nowMs) : adopt(found, owner, nowMs);
    this.#put(record);
    this.#leases.set(record.taskId, nowMs + ttlMs);
    return leasedTaskOf(record, adoptedIn);
  }

  async extend(held: HeldLease, ttlMs: number): Promise<Extended> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    this.#leases.set(record.taskId, nowMs + ttlMs);
    return { kind: 'held', interrupt: record.interrupt };
  }

  async beginLaunch(held: HeldLease, headSha: Sha): Promise<{ kind: 'begun'; launch: number } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    const begun = beginLaunch(record, headSha, nowMs);
    if (begun.kind === 'head-moved') {
      throw new StaleError('merge_request.head_moved', 'this lease has begun a launch on another head');
    }
    if (begun.kind === 'repeated') return { kind: 'begun', launch: record.launch };
    this.#put(begun.record);
    return { kind: 'begun', launch: begun.record.launch };
  }

  async beginPublishing(held: HeldLease): Promise<{ kind: 'publishing' } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    if (record.state !== 'publishing') this.#put({ ...record, state: 'publishing', updatedAtMs: nowMs });
    return { kind: 'publishing' };
  }

  async complete(
    held: HeldLease,
    outcome: TaskOutcome,
  ): Promise<{ kind: 'completed'; requeued: boolean } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    this.#end(settle(record, { outcome, fault: null }, nowMs), nowMs);
    return { kind: 'completed', requeued: record.waiting !== null };
  }

  async fail(held: HeldLease, failure: TaskFailure): Promise<Failed> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    const plan = planRetry(this.#settings, runningPayload(record), failure, this.#random);
    const fault = countedFailure(plan, failure);
    if (plan.kind === 'dead') {
      this.#end(settle(record, { outcome: { kind: 'dead', why: failure.code }, fault }, nowMs), nowMs);
      return { kind: 'dead' };
    }
    const after = this.#release(putBack(record, { delayMs: plan.delayMs, why: null, fault }, nowMs));
    const { readyAtMs } = after.waiting;
    return { kind: 'retrying', delayMs: Math.max(0, readyAtMs - nowMs), failures: after.waiting.failures };
  }

  async release(
    held: HeldLease,
    { delayMs, why }: { delayMs: number; why: string },
  ): Promise<{ kind: 'released' } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    this.#release(putBack(record, { delayMs, why, fault: null }, nowMs));
    return { kind: 'released' };
  }

  async interrupt(taskId: TaskId, interrupt: Interrupt): Promise<{ kind: 'interrupted' | 'absent' }> {
    const record = this.#find(taskId, this.#now());
    if (record === null || !isRunning(record)) return { kind: 'absent' };
    this.#put(withInterrupt(record, interrupt));
    this.#hint();
    return { kind: 'interrupted' };
  }

  async get(taskId: TaskId): Promise<TaskView | null> {
    const record = this.#find(taskId, this.#now());
    return record === null ? null : viewOf(record);
  }

  async list({ states, limit }: TaskFilter): Promise<readonly TaskView[]> {
    const nowMs = this.#now();
    return [...this.#records.values()]
      .filter((record) => !isForgotten(record, this.#settings.retentionMs, nowMs))
      .filter(({ state }) => states === undefined || states.includes(state))
      .sort((left, right) => right.updatedAtMs - left.updatedAtMs || (left.taskId < right.taskId ? 1 : -1))
      .slice(0, limit)
      .map(viewOf);
  }

  async stats(): Promise<QueueStats> {
    const nowMs = this.#now();
    const expired = [...this.#leases.values()].filter((expiresAtMs) => expiresAtMs <= nowMs);
    const waiting = this.#waiting();
    const dead = [...this.#ended].flatMap((taskId) => this.#find(taskId, nowMs) ?? []);
    const readyAtMs = waiting.map((record) => record.waiting.readyAtMs).filter((readyAt) => readyAt <= nowMs);
    return {
      waiting: waiting.length + expired.length,
      running: this.#leases.size - expired.length,
      dead: dead.filter(({ state }) => state === 'dead').length,
      processedToday: this.#today.day === Math.floor(nowMs / dayMs) ? this.#today.ended : 0,
      oldestReadyMs: nowMs - [...readyAtMs, ...expired].reduce((oldest, atMs) => Math.min(oldest, atMs), nowMs),
    };
  }

  async ping(): Promise<void> {
    this.#now();
  }

  onWake(listener: () => void): () => void {
    return this.#wake.add(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #now(): number {
    if (this.#isClosed) throw new TransientError('queue.unreachable', 'the queue is closed');
    return this.#nowMs();
  }

  #hint(): void {
    queueMicrotask(() => {
      this.#wake.wake();
    });
  }

  #record(taskId: TaskId | undefined): TaskRecord | null {
    return taskId === undefined ? null : (this.#records.get(taskId) ?? null);
  }

  #find(taskId: TaskId, nowMs: number): TaskRecord | null {
    const record = this.#record(taskId);
    return record === null || isForgotten(record, this.#settings.retentionMs, nowMs) ? null : record;
  }

  #held({ taskId, lease }: HeldLease): TaskRecord | null {
    const record = this.#record(taskId);
    return record !== null && isRunning(record) && record.lease === lease ? record : null;
  }

  #put(record: TaskRecord): void {
    const { taskId } = record;
    this.#records.set(taskId, record);
    const isLive = record.state === 'waiting' || isRunning(record);
    (isLive ? this.#ended : this.#live).delete(taskId);
    (isLive ? this.#live : this.#ended).add(taskId);
  }

  #release<R extends TaskRecord>(record: R): R {
    this.#leases.delete(record.taskId);
    this.#put(record);
    this.#hint();
    return record;
  }

  #end(record: TaskRecord, nowMs: number): void {
    this.#release(record);
    const day = Math.floor(nowMs / dayMs);
    this.#today = { day, ended: (this.#today.day === day ? this.#today.ended : 0) + 1 };
    for (const taskId of this.#ended) {
      if (this.#find(taskId, nowMs) !== null) break;
      this.#ended.delete(taskId);
      this.#records.delete(taskId);
    }
  }

  #forgetDeliveries(nowMs: number): void {
    for (const [key, untilMs] of this.#deliveries) {
      if (untilMs > nowMs) break;
      this.#deliveries.delete(key);
    }
  }

  #waiting() {
    return [...this.#live].flatMap((taskId) => {
      const record = this.#record(taskId);
      return record?.state === 'waiting' && record.waiting !== null ? [{ taskId, waiting: record.waiting }] : [];
    });
  }

  #nextReady(nowMs: number): TaskId | undefined {
    const [next] = this.#waiting()
      .filter(({ waiting }) => waiting.readyAtMs <= nowMs)
      .sort(
        (left, right) =>
          priorityOf(right.waiting.trigger) - priorityOf(left.waiting.trigger) ||
          byNumberThenId([left.taskId, left.waiting.readyAtMs], [right.taskId, right.waiting.readyAtMs]),
      );
    return next?.taskId;
  }
}

function byNumberThenId(left: readonly [TaskId, number], right: readonly [TaskId, number]): number {
  return left[1] - right[1] || (left[0] < right[0] ? -1 : 1);
}
