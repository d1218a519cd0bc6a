import {
  StaleError,
  TransientError,
  projectKeyOf,
  taskIdOf,
  type Clock,
  type ParkedItem,
  type Pause,
  type PauseEvent,
  type PauseScope,
  type ProjectKey,
  type ProjectShare,
  type Sha,
  type TaskEvent,
  type TaskId,
  type TaskOutcome,
  type TaskRequest,
} from '@drydock/core';
import { MemoryDeliveries } from './memory-deliveries.ts';
import { listProjects, listTasks } from './memory-lists.ts';
import { MemoryPauses } from './memory-pauses.ts';
import type { MemoryPlaces } from './memory-places.ts';
import { MemoryRecords, whoHolds } from './memory-records.ts';
import { adoptedTooOften, adoptionsInAll } from './adoption.ts';
import { planRetry } from './plan-retry.ts';
import type { QueueSettings } from './queue-settings.ts';
import { defaultQueueSettings } from './queue-settings.ts';
import { historyText, requestText, shortHead } from './task-history.ts';
import { isRunning, leasedTaskOf, runningPayload, viewOf, type TaskRecord } from './task-record.ts';
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
import {
  adopt,
  beginLaunch,
  cancel,
  cancelledOutcome,
  countedFailure,
  putBack,
  retry,
  takeEvent,
  takeLease,
  withInterrupt,
  type CountedFailure,
} from './task-transitions.ts';
import { WakeListeners } from './wake-listeners.ts';

/** What a queue in memory is made of; the settings left out hold as in `defaultQueueSettings`. */
export interface MemoryTaskQueueOptions {
  readonly clock: Clock;
  readonly settings?: Partial<QueueSettings>;
  /** Spreads retries; numbers from 0 to below 1. */
  readonly random?: () => number;
  /** What numbers begin with. Default 0: nothing that its numbers guard outlives the process either. */
  readonly epoch?: () => number;
}

/**
 * The queue of one process, gone when it ends. It is also the model that `RedisTaskQueue` is compared with, so it says
 * plainly what happens and does not care for speed beyond some ten thousand tasks.
 */
export class MemoryTaskQueue implements TaskQueue {
  readonly #settings: QueueSettings;
  readonly #random: () => number;
  readonly #nowMs: () => number;
  readonly #records: MemoryRecords;
  readonly #places: MemoryPlaces;
  readonly #pauses = new MemoryPauses();
  /** What each project is called, by its newest event. */
  readonly #paths = new Map<ProjectKey, string>();
  readonly #epoch: () => number;
  #sweptEpoch: number | null = null;
  readonly #deliveries = new MemoryDeliveries();
  readonly #wake = new WakeListeners();
  #isClosed = false;

  constructor({ clock, settings, random = Math.random, epoch = () => 0 }: MemoryTaskQueueOptions) {
    this.#settings = { ...defaultQueueSettings, ...settings };
    this.#random = random;
    this.#epoch = epoch;
    this.#records = new MemoryRecords(this.#settings.retentionMs, (project) => this.#pauses.has(`project:${project}`));
    this.#places = this.#records.places;
    // Leases must not run out because somebody sets the wall clock.
    const epochMs = clock.nowMs() - clock.monotonicMs();
    this.#nowMs = () => Math.floor(epochMs + clock.monotonicMs());
  }

  async enqueue(request: TaskRequest, options: EnqueueOptions): Promise<Enqueued> {
    const nowMs = this.#now();
    const taskId = taskIdOf(request.kind, request.subject);
    if (this.#deliveries.isKnown(options.deliveryKeys, nowMs)) return { kind: 'duplicate', taskId };
    const found = this.#records.find(taskId, nowMs);
    const { record, kind } = takeEvent(found, request, options, nowMs);
    const newestAtMs = found?.newestAtMs ?? null;
    const isLate = request.occurredAtMs !== null && newestAtMs !== null && request.occurredAtMs < newestAtMs;
    if (!isLate) this.#paths.set(projectKeyOf(request.subject), request.projectPath);
    this.#records.put(record, nowMs, kind, { who: options.by ?? 'server', detail: requestText(request) });
    this.#deliveries.remember(options.deliveryKeys, nowMs + this.#settings.deliveryTtlMs);
    this.#hint(kind === 'superseding' ? taskId : undefined);
    return { kind, taskId };
  }

  async lease({ owner, ttlMs, limits }: LeaseRequest): Promise<LeasedTask | null> {
    const nowMs = this.#now();
    if (this.#places.held(nowMs) >= limits.total) return null;
    const holder = { owner, epoch: this.#epoch() };
    const abandoned = this.#adoptable(nowMs);
    if (abandoned !== null) {
      const { state } = abandoned;
      if (state !== 'leased' && state !== 'running' && state !== 'publishing') throw new Error('nobody held it');
      const record = adopt(abandoned, holder, nowMs);
      this.#records.put(record, nowMs, 'adopted', { detail: state });
      this.#places.hold(record, nowMs + ttlMs);
      return leasedTaskOf(record, state);
    }
    this.#places.promote(nowMs);
    if (this.#pauses.has('all')) return null;
    const mayRun = (forge: string) => !this.#pauses.has(`forge:${forge}`);
    const found = this.#records.get(this.#places.take(limits, mayRun, nowMs));
    if (found === null) return null;
    const record = takeLease(found, holder, nowMs);
    this.#records.put(record, nowMs, 'leased');
    this.#places.hold(record, nowMs + ttlMs);
    return leasedTaskOf(record, null);
  }

  async setShares(shares: ReadonlyMap<ProjectKey, ProjectShare>): Promise<void> {
    this.#now();
    this.#places.setShares(shares);
    this.#hint();
  }

  async pause(scope: PauseScope, by: string, why: string): Promise<'paused' | 'already'> {
    const nowMs = this.#now();
    if (!this.#pauses.begin(scope, { by, why, nowMs })) return 'already';
    if (scope.kind === 'project') this.#places.leaveTurns(projectKeyOf(scope));
    return 'paused';
  }

  async resume(scope: PauseScope, by: string): Promise<'resumed' | 'absent'> {
    const nowMs = this.#now();
    if (!this.#pauses.end(scope, { by, nowMs })) return 'absent';
    if (scope.kind === 'project') this.#places.refresh(projectKeyOf(scope));
    this.#hint();
    return 'resumed';
  }

  async pauses(): Promise<readonly Pause[]> {
    this.#now();
    return this.#pauses.list();
  }

  async pauseEvents(): Promise<readonly PauseEvent[]> {
    this.#now();
    return this.#pauses.events();
  }

  /** What it holds it has written itself. */
  async parked(): Promise<readonly ParkedItem[]> {
    this.#now();
    return [];
  }

  async extend(held: HeldLease, ttlMs: number): Promise<Extended> {
    const nowMs = this.#now();
    const record = this.#records.held(held);
    if (record === null) return { kind: 'lost' };
    this.#places.hold(record, nowMs + ttlMs);
    return { kind: 'held', interrupt: record.interrupt };
  }

  async beginLaunch(held: HeldLease, headSha: Sha): Promise<{ kind: 'begun'; launch: number } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#records.held(held);
    if (record === null) return { kind: 'lost' };
    const begun = beginLaunch(record, { headSha, epoch: this.#epoch() }, nowMs);
    if (begun.kind === 'head-moved') {
      throw new StaleError('merge_request.head_moved', 'this lease has begun a launch on another head');
    }
    if (begun.kind === 'repeated') return { kind: 'begun', launch: record.launch };
    this.#records.put(begun.record, nowMs, 'launched', { detail: shortHead(headSha), launch: begun.record.launch });
    return { kind: 'begun', launch: begun.record.launch };
  }

  async beginPublishing(held: HeldLease): Promise<{ kind: 'publishing' } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#records.held(held);
    if (record === null) return { kind: 'lost' };
    if (record.state === 'publishing') return { kind: 'publishing' };
    const publishing: TaskRecord = { ...record, state: 'publishing', updatedAtMs: nowMs };
    this.#records.put(publishing, nowMs, 'publishing');
    return { kind: 'publishing' };
  }

  async complete(
    held: HeldLease,
    outcome: TaskOutcome,
  ): Promise<{ kind: 'completed'; requeued: boolean } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#records.held(held);
    if (record === null) return { kind: 'lost' };
    this.#settle(record, { outcome, fault: null }, nowMs);
    return { kind: 'completed', requeued: record.waiting !== null };
  }

  async fail(held: HeldLease, failure: TaskFailure): Promise<Failed> {
    const nowMs = this.#now();
    const record = this.#records.held(held);
    if (record === null) return { kind: 'lost' };
    const plan = planRetry(this.#settings, runningPayload(record), failure, this.#random);
    const fault = countedFailure(plan, failure);
    if (record.interrupt === 'cancelled') {
      this.#settle(record, { outcome: cancelledOutcome, fault }, nowMs);
      return { kind: 'cancelled' };
    }
    if (plan.kind === 'dead') {
      this.#settle(record, { outcome: { kind: 'dead', why: failure.code }, fault }, nowMs);
      return { kind: 'dead' };
    }
    const after = putBack(record, { delayMs: plan.delayMs, why: null, fault }, nowMs);
    this.#records.put(after, nowMs, 'retrying', { who: whoHolds(record), detail: failure.code });
    this.#hint();
    const { readyAtMs } = after.waiting;
    return { kind: 'retrying', delayMs: Math.max(0, readyAtMs - nowMs), failures: after.waiting.failures };
  }

  async release(
    held: HeldLease,
    { delayMs, why }: { delayMs: number; why: string },
  ): Promise<{ kind: 'released' | 'cancelled' | 'lost' }> {
    const nowMs = this.#now();
    const record = this.#records.held(held);
    if (record === null) return { kind: 'lost' };
    if (record.interrupt === 'cancelled') {
      this.#settle(record, { outcome: cancelledOutcome, fault: null }, nowMs);
      return { kind: 'cancelled' };
    }
    const after = putBack(record, { delayMs, why, fault: null }, nowMs);
    this.#records.put(after, nowMs, 'released', { who: whoHolds(record), detail: why });
    this.#hint();
    return { kind: 'released' };
  }

  async handOver(held: HeldLease): Promise<{ kind: 'handed-over' | 'lost' }> {
    const nowMs = this.#now();
    const record = this.#records.held(held);
    if (record === null) return { kind: 'lost' };
    if (record.owner === null) return { kind: 'handed-over' };
    const handed = { ...record, owner: null, updatedAtMs: nowMs };
    this.#records.put(handed, nowMs, 'released', { who: record.owner, detail: 'handed-over' });
    this.#places.hold(handed, nowMs);
    this.#hint();
    return { kind: 'handed-over' };
  }

  async interrupt(taskId: TaskId, interrupt: Interrupt): Promise<{ kind: 'interrupted' | 'absent' }> {
    const nowMs = this.#now();
    const record = this.#records.find(taskId, nowMs);
    if (record === null || !isRunning(record)) return { kind: 'absent' };
    this.#records.put(withInterrupt(record, interrupt), nowMs, 'interrupted', { who: 'server', detail: interrupt });
    this.#hint(taskId);
    return { kind: 'interrupted' };
  }

  async cancel(taskId: TaskId, by: string): Promise<'cancelled' | 'cancelling' | 'absent'> {
    const nowMs = this.#now();
    const record = this.#records.find(taskId, nowMs);
    if (record === null || (record.state !== 'waiting' && !isRunning(record))) return 'absent';
    const who = historyText(by);
    const what = isRunning(record) ? 'cancelling' : 'cancelled';
    const after = cancel(record, { kind: 'cancelled', why: `cancelled by ${who}` }, nowMs);
    this.#records.put(after, nowMs, what, { who });
    if (what === 'cancelled') this.#records.count(nowMs);
    this.#hint(taskId);
    return what;
  }

  async retry(taskId: TaskId, by: string): Promise<'queued' | 'running' | 'waiting' | 'absent'> {
    const nowMs = this.#now();
    const record = this.#records.find(taskId, nowMs);
    if (record === null) return 'absent';
    if (isRunning(record)) return 'running';
    this.#records.put(retry(record, nowMs), nowMs, 'retried', { who: by });
    this.#hint();
    return record.state === 'waiting' ? 'waiting' : 'queued';
  }

  async get(taskId: TaskId): Promise<TaskView | null> {
    const record = this.#records.find(taskId, this.#now());
    return record === null ? null : viewOf(record);
  }

  async list(filter: TaskFilter): Promise<TaskPage> {
    return listTasks(this.#records.values(), filter, { nowMs: this.#now(), retentionMs: this.#settings.retentionMs });
  }

  async projects(request: { limit: number; cursor?: string }): Promise<ProjectPage> {
    return listProjects(request, {
      records: this.#records.values(),
      paths: this.#paths,
      places: this.#places,
      pauses: this.#pauses,
      nowMs: this.#now(),
    });
  }

  async events(taskId: TaskId): Promise<readonly TaskEvent[]> {
    return this.#records.find(taskId, this.#now())?.events ?? [];
  }

  async stats(): Promise<QueueStats> {
    return this.#records.stats(this.#now());
  }

  /** Nothing foreign comes here. */
  async audit(): Promise<QueueAudit> {
    this.#now();
    return { healed: 0, broken: 0, cursor: null };
  }

  async epoch(): Promise<QueueEpoch> {
    this.#now();
    return { epoch: this.#epoch(), isSweepDue: this.#sweptEpoch !== this.#epoch() };
  }

  async sweepDone(epoch: number): Promise<void> {
    this.#now();
    if (epoch === this.#epoch()) this.#sweptEpoch = epoch;
  }

  async ping(): Promise<void> {
    this.#now();
  }

  onWake(listener: () => void, interruptOf?: TaskId): () => void {
    return this.#wake.add(listener, interruptOf);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #now(): number {
    if (this.#isClosed) throw new TransientError('queue.unreachable', 'the queue is closed');
    return this.#nowMs();
  }

  #hint(interrupted?: TaskId): void {
    queueMicrotask(() => {
      this.#wake.wake(interrupted);
    });
  }

  /** The next task whose holder vanished; those that lost too many end here. */
  #adoptable(nowMs: number): TaskRecord | null {
    for (const { taskId } of this.#places.expired(nowMs)) {
      const record = this.#records.get(taskId);
      if (record === null || record.adoptions < adoptionsInAll) return record;
      const { failures, infraFailures } = runningPayload(record);
      const fault = { failures, infraFailures: infraFailures + 1, failure: adoptedTooOften };
      this.#settle(record, { outcome: { kind: 'dead', why: adoptedTooOften.code }, fault }, nowMs);
    }
    return null;
  }

  #settle(
    record: TaskRecord,
    ending: { readonly outcome: TaskOutcome; readonly fault: CountedFailure | null },
    nowMs: number,
  ): void {
    this.#records.settle(record, ending, nowMs);
    this.#hint();
  }
}
