import type { ProjectKey, TaskEvent, TaskId, TaskOutcome } from '@drydock/core';
import { MemoryPlaces } from './memory-places.ts';
import { historyText, withEvent } from './task-history.ts';
import type { HeldLease, QueueStats } from './task-queue.ts';
import { isForgotten, isRunning, type TaskRecord } from './task-record.ts';
import { settle, type CountedFailure } from './task-transitions.ts';

const dayMs = 24 * 3_600_000;

/** The records of a `MemoryTaskQueue`, each with its history, and where they stand. */
export class MemoryRecords {
  readonly places: MemoryPlaces;
  readonly #retentionMs: number;
  readonly #records = new Map<TaskId, TaskRecord>();
  /** Those that ended, longest ago first. */
  readonly #ended = new Set<TaskId>();
  #today = { day: 0, ended: 0 };

  constructor(retentionMs: number, isPaused: (project: ProjectKey) => boolean) {
    this.#retentionMs = retentionMs;
    this.places = new MemoryPlaces((taskId) => this.get(taskId), isPaused);
  }

  values(): Iterable<TaskRecord> {
    return this.#records.values();
  }

  get(taskId: TaskId | null): TaskRecord | null {
    return taskId === null ? null : (this.#records.get(taskId) ?? null);
  }

  /** Null also for what ended too long ago. */
  find(taskId: TaskId, nowMs: number): TaskRecord | null {
    const record = this.get(taskId);
    return record === null || isForgotten(record, this.#retentionMs, nowMs) ? null : record;
  }

  /** Null: this lease holds it no more. */
  held({ taskId, lease }: HeldLease): TaskRecord | null {
    const record = this.get(taskId);
    return record !== null && isRunning(record) && record.lease === lease ? record : null;
  }

  /** Writes a record and what happened to it. */
  put(
    record: TaskRecord,
    nowMs: number,
    what: TaskEvent['what'],
    { who = whoHolds(record), detail = '', ...which }: Partial<Pick<TaskEvent, 'who' | 'detail' | 'launch'>> = {},
  ): void {
    const { taskId } = record;
    const event = { atMs: nowMs, who: historyText(who), what, detail: historyText(detail), ...which };
    this.#records.set(taskId, withEvent(record, event));
    this.places.put(record, nowMs);
    this.#ended.delete(taskId);
    if (record.state !== 'waiting' && !isRunning(record)) this.#ended.add(taskId);
  }

  settle(
    record: TaskRecord,
    { outcome, fault }: { readonly outcome: TaskOutcome; readonly fault: CountedFailure | null },
    nowMs: number,
  ): void {
    const detail = outcome.kind === 'done' ? '' : outcome.why;
    this.put(settle(record, { outcome, fault }, nowMs), nowMs, outcome.kind, { who: whoHolds(record), detail });
    this.count(nowMs);
    for (const taskId of this.#ended) {
      if (this.find(taskId, nowMs) !== null) break;
      this.#ended.delete(taskId);
      this.#records.delete(taskId);
    }
  }

  /** One more has ended today. */
  count(nowMs: number): void {
    const day = Math.floor(nowMs / dayMs);
    this.#today = { day, ended: (this.#today.day === day ? this.#today.ended : 0) + 1 };
  }

  stats(nowMs: number): QueueStats {
    const expired = this.places.expired(nowMs);
    const ended = [...this.#ended].flatMap((taskId) => this.find(taskId, nowMs) ?? []);
    const oldestMs = Math.min(this.places.oldestReadyMs(nowMs), expired[0]?.untilMs ?? nowMs);
    return {
      waiting: [...this.#records.values()].filter(({ state }) => state === 'waiting').length + expired.length,
      running: this.places.held(nowMs),
      dead: ended.filter(({ state }) => state === 'dead').length,
      processedToday: this.#today.day === Math.floor(nowMs / dayMs) ? this.#today.ended : 0,
      oldestReadyMs: nowMs - oldestMs,
      parked: 0,
      setAside: 0,
    };
  }
}

/** The scheduler in whose hands a task is; empty: nobody's. */
export function whoHolds({ owner }: TaskRecord): string {
  return owner ?? '';
}
