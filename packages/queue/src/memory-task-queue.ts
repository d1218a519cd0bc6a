import {
  StaleError,
  TransientError,
  projectKeyOf,
  taskIdOf,
  type Clock,
  type Pause,
  type PauseScope,
  type ProjectKey,
  type ProjectShare,
  type Sha,
  type TaskEvent,
  type TaskId,
  type TaskOutcome,
  type TaskRequest,
} from '@drydock/core';
import { MemoryPlaces } from './memory-places.ts';
import { adoptedTooOften, adoptionsInAll } from './adoption.ts';
import { planRetry } from './plan-retry.ts';
import { isPausedIn, scopeKey } from './pause-scope.ts';
import type { QueueSettings } from './queue-settings.ts';
import { defaultQueueSettings } from './queue-settings.ts';
import { historyText, requestText, shortHead, withEvent } from './task-history.ts';
import { byPlace, cursorOf, isAfter, longestPage, matcherOf, placeOf } from './task-page.ts';
import { isForgotten, isRunning, leasedTaskOf, runningPayload, viewOf, type TaskRecord } from './task-record.ts';
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
  ProjectView,
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
  settle,
  takeEvent,
  takeLease,
  withInterrupt,
  type CountedFailure,
} from './task-transitions.ts';
import { WakeListeners } from './wake-listeners.ts';

const dayMs = 24 * 3_600_000;

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
  readonly #records = new Map<TaskId, TaskRecord>();
  readonly #places: MemoryPlaces;
  /** Those that ended, longest ago first. */
  readonly #ended = new Set<TaskId>();
  readonly #pauses = new Map<string, Pause>();
  /** What each project is called, by its newest event. */
  readonly #paths = new Map<ProjectKey, string>();
  readonly #epoch: () => number;
  #sweptEpoch: number | null = null;
  /** Until when a delivery is known, oldest first. */
  readonly #deliveries = new Map<string, number>();
  readonly #wake = new WakeListeners();
  #today = { day: 0, ended: 0 };
  #isClosed = false;

  constructor({ clock, settings, random = Math.random, epoch = () => 0 }: MemoryTaskQueueOptions) {
    this.#settings = { ...defaultQueueSettings, ...settings };
    this.#random = random;
    this.#epoch = epoch;
    this.#places = new MemoryPlaces(
      (taskId) => this.#record(taskId),
      (project) => this.#pauses.has(`project:${project}`),
    );
    // Leases must not run out because somebody sets the wall clock.
    const epochMs = clock.nowMs() - clock.monotonicMs();
    this.#nowMs = () => Math.floor(epochMs + clock.monotonicMs());
  }

  async enqueue(request: TaskRequest, options: EnqueueOptions): Promise<Enqueued> {
    const nowMs = this.#now();
    const taskId = taskIdOf(request.kind, request.subject);
    this.#forgetDeliveries(nowMs);
    if (options.deliveryKeys.some((key) => this.#deliveries.has(key))) return { kind: 'duplicate', taskId };
    const found = this.#find(taskId, nowMs);
    const { record, kind } = takeEvent(found, request, options, nowMs);
    const newestAtMs = found?.newestAtMs ?? null;
    const isLate = request.occurredAtMs !== null && newestAtMs !== null && request.occurredAtMs < newestAtMs;
    if (!isLate) this.#paths.set(projectKeyOf(request.subject), request.projectPath);
    this.#put(record, nowMs, kind, { who: options.by ?? 'server', detail: requestText(request) });
    for (const key of options.deliveryKeys) this.#deliveries.set(key, nowMs + this.#settings.deliveryTtlMs);
    this.#hint();
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
      this.#put(record, nowMs, 'adopted', { detail: state });
      this.#places.hold(record, nowMs + ttlMs);
      return leasedTaskOf(record, state);
    }
    this.#places.promote(nowMs);
    if (this.#pauses.has('all')) return null;
    const mayRun = (forge: string) => !this.#pauses.has(`forge:${forge}`);
    const found = this.#record(this.#places.take(limits, mayRun, nowMs));
    if (found === null) return null;
    const record = takeLease(found, holder, nowMs);
    this.#put(record, nowMs, 'leased');
    this.#places.hold(record, nowMs + ttlMs);
    return leasedTaskOf(record, null);
  }

  async setShares(shares: ReadonlyMap<ProjectKey, ProjectShare>): Promise<void> {
    this.#now();
    this.#places.setShares(shares);
    this.#hint();
  }

  async pause(scope: PauseScope, by: string, why: string): Promise<'paused' | 'already'> {
    const atMs = this.#now();
    const key = scopeKey(scope);
    if (this.#pauses.has(key)) return 'already';
    this.#pauses.set(key, { scope, by: historyText(by), why: historyText(why), atMs });
    if (scope.kind === 'project') this.#places.leaveTurns(projectKeyOf(scope));
    return 'paused';
  }

  async resume(scope: PauseScope): Promise<'resumed' | 'absent'> {
    this.#now();
    if (!this.#pauses.delete(scopeKey(scope))) return 'absent';
    if (scope.kind === 'project') this.#places.refresh(projectKeyOf(scope));
    this.#hint();
    return 'resumed';
  }

  async pauses(): Promise<readonly Pause[]> {
    this.#now();
    return [...this.#pauses.values()].sort((left, right) => left.atMs - right.atMs);
  }

  async extend(held: HeldLease, ttlMs: number): Promise<Extended> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    this.#places.hold(record, nowMs + ttlMs);
    return { kind: 'held', interrupt: record.interrupt };
  }

  async beginLaunch(held: HeldLease, headSha: Sha): Promise<{ kind: 'begun'; launch: number } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    const begun = beginLaunch(record, { headSha, epoch: this.#epoch() }, nowMs);
    if (begun.kind === 'head-moved') {
      throw new StaleError('merge_request.head_moved', 'this lease has begun a launch on another head');
    }
    if (begun.kind === 'repeated') return { kind: 'begun', launch: record.launch };
    this.#put(begun.record, nowMs, 'launched', { detail: shortHead(headSha), launch: begun.record.launch });
    return { kind: 'begun', launch: begun.record.launch };
  }

  async beginPublishing(held: HeldLease): Promise<{ kind: 'publishing' } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    if (record.state === 'publishing') return { kind: 'publishing' };
    const publishing: TaskRecord = { ...record, state: 'publishing', updatedAtMs: nowMs };
    this.#put(publishing, nowMs, 'publishing');
    return { kind: 'publishing' };
  }

  async complete(
    held: HeldLease,
    outcome: TaskOutcome,
  ): Promise<{ kind: 'completed'; requeued: boolean } | { kind: 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    this.#settle(record, { outcome, fault: null }, nowMs);
    return { kind: 'completed', requeued: record.waiting !== null };
  }

  async fail(held: HeldLease, failure: TaskFailure): Promise<Failed> {
    const nowMs = this.#now();
    const record = this.#held(held);
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
    this.#put(after, nowMs, 'retrying', { who: whoHolds(record), detail: failure.code });
    this.#hint();
    const { readyAtMs } = after.waiting;
    return { kind: 'retrying', delayMs: Math.max(0, readyAtMs - nowMs), failures: after.waiting.failures };
  }

  async release(
    held: HeldLease,
    { delayMs, why }: { delayMs: number; why: string },
  ): Promise<{ kind: 'released' | 'cancelled' | 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    if (record.interrupt === 'cancelled') {
      this.#settle(record, { outcome: cancelledOutcome, fault: null }, nowMs);
      return { kind: 'cancelled' };
    }
    const after = putBack(record, { delayMs, why, fault: null }, nowMs);
    this.#put(after, nowMs, 'released', { who: whoHolds(record), detail: why });
    this.#hint();
    return { kind: 'released' };
  }

  async handOver(held: HeldLease): Promise<{ kind: 'handed-over' | 'lost' }> {
    const nowMs = this.#now();
    const record = this.#held(held);
    if (record === null) return { kind: 'lost' };
    if (record.owner === null) return { kind: 'handed-over' };
    const handed = { ...record, owner: null, updatedAtMs: nowMs };
    this.#put(handed, nowMs, 'released', { who: record.owner, detail: 'handed-over' });
    this.#places.hold(handed, nowMs);
    this.#hint();
    return { kind: 'handed-over' };
  }

  async interrupt(taskId: TaskId, interrupt: Interrupt): Promise<{ kind: 'interrupted' | 'absent' }> {
    const nowMs = this.#now();
    const record = this.#find(taskId, nowMs);
    if (record === null || !isRunning(record)) return { kind: 'absent' };
    this.#put(withInterrupt(record, interrupt), nowMs, 'interrupted', { who: 'server', detail: interrupt });
    this.#hint();
    return { kind: 'interrupted' };
  }

  async cancel(taskId: TaskId, by: string): Promise<'cancelled' | 'cancelling' | 'absent'> {
    const nowMs = this.#now();
    const record = this.#find(taskId, nowMs);
    if (record === null || (record.state !== 'waiting' && !isRunning(record))) return 'absent';
    const who = historyText(by);
    const what = isRunning(record) ? 'cancelling' : 'cancelled';
    const after = cancel(record, { kind: 'cancelled', why: `cancelled by ${who}` }, nowMs);
    this.#put(after, nowMs, what, { who });
    if (what === 'cancelled') this.#count(nowMs);
    this.#hint();
    return what;
  }

  async retry(taskId: TaskId, by: string): Promise<'queued' | 'running' | 'waiting' | 'absent'> {
    const nowMs = this.#now();
    const record = this.#find(taskId, nowMs);
    if (record === null) return 'absent';
    if (isRunning(record)) return 'running';
    this.#put(retry(record, nowMs), nowMs, 'retried', { who: by });
    this.#hint();
    return record.state === 'waiting' ? 'waiting' : 'queued';
  }

  async get(taskId: TaskId): Promise<TaskView | null> {
    const record = this.#find(taskId, this.#now());
    return record === null ? null : viewOf(record);
  }

  async list(filter: TaskFilter): Promise<TaskPage> {
    const nowMs = this.#now();
    const { states, cursor } = filter;
    const { matchesId, matchesPath } = matcherOf(filter);
    const from = placeOf(cursor);
    const limit = Math.min(filter.limit, longestPage);
    const found = [...this.#records.values()]
      .filter((record) => !isForgotten(record, this.#settings.retentionMs, nowMs))
      .filter(({ state }) => states === undefined || states.includes(state))
      .filter(({ taskId, projectPath }) => matchesId(taskId) && matchesPath(projectPath))
      .filter((record) => isAfter(record, from))
      .sort(byPlace);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return { tasks: page.map(viewOf), cursor: last === undefined || found.length <= limit ? null : cursorOf(last) };
  }

  async projects({ limit, cursor = '' }: { limit: number; cursor?: string }): Promise<ProjectPage> {
    const nowMs = this.#now();
    const byProject = Map.groupBy(this.#records.values(), ({ subject }) => projectKeyOf(subject));
    const paused = [...this.#pauses.values()].flatMap(({ scope }) =>
      scope.kind === 'project' ? [projectKeyOf(scope)] : [],
    );
    const views = [...new Set([...byProject.keys(), ...this.#places.sharers(), ...paused])]
      .sort()
      .filter((project) => project > cursor)
      .map((project) => this.#projectView(project, byProject.get(project) ?? [], nowMs))
      .filter(({ key, view }) => view.waiting + view.running > 0 || this.#isOfInterest(key));
    const page = views.slice(0, Math.min(limit, longestPage));
    const last = page.at(-1);
    return {
      projects: page.map(({ view }) => view),
      cursor: last === undefined || views.length <= page.length ? null : last.key,
    };
  }

  async events(taskId: TaskId): Promise<readonly TaskEvent[]> {
    return this.#find(taskId, this.#now())?.events ?? [];
  }

  async stats(): Promise<QueueStats> {
    const nowMs = this.#now();
    const expired = this.#places.expired(nowMs);
    const dead = [...this.#ended].flatMap((taskId) => this.#find(taskId, nowMs) ?? []);
    const oldestMs = Math.min(this.#places.oldestReadyMs(nowMs), expired[0]?.untilMs ?? nowMs);
    return {
      waiting: [...this.#records.values()].filter(({ state }) => state === 'waiting').length + expired.length,
      running: this.#places.held(nowMs),
      dead: dead.filter(({ state }) => state === 'dead').length,
      processedToday: this.#today.day === Math.floor(nowMs / dayMs) ? this.#today.ended : 0,
      oldestReadyMs: nowMs - oldestMs,
    };
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

  #record(taskId: TaskId | null): TaskRecord | null {
    return taskId === null ? null : (this.#records.get(taskId) ?? null);
  }

  #find(taskId: TaskId, nowMs: number): TaskRecord | null {
    const record = this.#record(taskId);
    return record === null || isForgotten(record, this.#settings.retentionMs, nowMs) ? null : record;
  }

  #held({ taskId, lease }: HeldLease): TaskRecord | null {
    const record = this.#record(taskId);
    return record !== null && isRunning(record) && record.lease === lease ? record : null;
  }

  #put(
    record: TaskRecord,
    nowMs: number,
    what: TaskEvent['what'],
    { who = whoHolds(record), detail = '', ...which }: Partial<Pick<TaskEvent, 'who' | 'detail' | 'launch'>> = {},
  ): void {
    const { taskId } = record;
    const event = { atMs: nowMs, who: historyText(who), what, detail: historyText(detail), ...which };
    this.#records.set(taskId, withEvent(record, event));
    this.#places.put(record, nowMs);
    this.#ended.delete(taskId);
    if (record.state !== 'waiting' && !isRunning(record)) this.#ended.add(taskId);
  }

  /** The next task whose holder vanished; those that lost too many end here. */
  #adoptable(nowMs: number): TaskRecord | null {
    for (const { taskId } of this.#places.expired(nowMs)) {
      const record = this.#record(taskId);
      if (record === null || record.owner === null || record.adoptions < adoptionsInAll) return record;
      const { failures, infraFailures } = runningPayload(record);
      const fault = { failures, infraFailures: infraFailures + 1, failure: adoptedTooOften };
      this.#settle(record, { outcome: { kind: 'dead', why: adoptedTooOften.code }, fault }, nowMs);
    }
    return null;
  }

  #settle(
    record: TaskRecord,
    { outcome, fault }: { readonly outcome: TaskOutcome; readonly fault: CountedFailure | null },
    nowMs: number,
  ): void {
    const detail = outcome.kind === 'done' ? '' : outcome.why;
    this.#put(settle(record, { outcome, fault }, nowMs), nowMs, outcome.kind, { who: whoHolds(record), detail });
    this.#hint();
    this.#count(nowMs);
    for (const taskId of this.#ended) {
      if (this.#find(taskId, nowMs) !== null) break;
      this.#ended.delete(taskId);
      this.#records.delete(taskId);
    }
  }

  #count(nowMs: number): void {
    const day = Math.floor(nowMs / dayMs);
    this.#today = { day, ended: (this.#today.day === day ? this.#today.ended : 0) + 1 };
  }

  #isOfInterest(project: ProjectKey): boolean {
    return this.#pauses.has(`project:${project}`) || this.#places.sharers().includes(project);
  }

  #projectView(key: ProjectKey, records: readonly TaskRecord[], nowMs: number) {
    const [forge = '', projectId = ''] = key.split(':');
    const view: ProjectView = {
      forge,
      projectId,
      projectPath: this.#paths.get(key) ?? '',
      waiting: records.filter(({ state }) => state === 'waiting').length,
      running: this.#places.held(nowMs, (project) => project === key),
      isPaused: isPausedIn(this.#pauses, key),
      ...this.#places.share(key),
    };
    return { key, view };
  }

  #forgetDeliveries(nowMs: number): void {
    for (const [key, untilMs] of this.#deliveries) {
      if (untilMs > nowMs) break;
      this.#deliveries.delete(key);
    }
  }
}

function whoHolds({ owner }: TaskRecord): string {
  return owner ?? '';
}
