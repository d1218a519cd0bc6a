import { priorityOf, projectKeyOf, type ProjectKey, type ProjectShare, type TaskId } from '@drydock/core';
import { FairTurns } from './fair-turns.ts';
import { isRunning, type TaskRecord } from './task-record.ts';
import type { LeaseLimits } from './task-queue.ts';

const ordinary: ProjectShare = { weight: 1, maxRunning: null };

/** When the lease of a running task runs out, and whose slot it takes. */
interface Held {
  readonly project: ProjectKey;
  readonly untilMs: number;
}

/** Where each task of a `MemoryTaskQueue` stands: ready in its project, delayed, or held; and whose turn it is. */
export class MemoryPlaces {
  readonly #record: (taskId: TaskId) => TaskRecord | null;
  /** Asked whether a project is held back by a pause of its own. */
  readonly #isPaused: (project: ProjectKey) => boolean;
  readonly #turns = new FairTurns();
  readonly #ready = new Map<ProjectKey, Set<TaskId>>();
  readonly #delayed = new Set<TaskId>();
  readonly #leases = new Map<TaskId, Held>();
  #shares: ReadonlyMap<ProjectKey, ProjectShare> = new Map();

  constructor(record: (taskId: TaskId) => TaskRecord | null, isPaused: (project: ProjectKey) => boolean) {
    this.#record = record;
    this.#isPaused = isPaused;
  }

  /** Puts a record where its state wants it. */
  put(record: TaskRecord, nowMs: number): void {
    const { taskId, waiting, state } = record;
    const project = projectKeyOf(record.subject);
    const isHeld = isRunning(record);
    const wasHeld = this.#leases.has(taskId);
    const isReady = state === 'waiting' && waiting !== null && waiting.readyAtMs <= nowMs;
    if (!isHeld) this.#leases.delete(taskId);
    if (isReady) this.#readyOf(project).add(taskId);
    else this.#readyOf(project).delete(taskId);
    if (state === 'waiting' && !isReady) this.#delayed.add(taskId);
    else this.#delayed.delete(taskId);
    if (isReady || (wasHeld && !isHeld)) this.refresh(project);
  }

  hold(record: TaskRecord, untilMs: number): void {
    this.#leases.set(record.taskId, { project: projectKeyOf(record.subject), untilMs });
  }

  /** Moves what is due to its project. */
  promote(nowMs: number): void {
    const due = [...this.#delayed]
      .map((taskId) => ({ taskId, atMs: this.#record(taskId)?.waiting?.readyAtMs ?? Infinity }))
      .filter(({ atMs }) => atMs <= nowMs)
      .sort((left, right) => left.atMs - right.atMs || (left.taskId < right.taskId ? -1 : 1));
    for (const { taskId } of due) {
      const record = this.#record(taskId);
      if (record !== null) this.put(record, nowMs);
    }
  }

  /** The project gets in turn if it has something ready and is not held back. */
  refresh(project: ProjectKey): void {
    if (this.#readyOf(project).size > 0 && !this.#isPaused(project)) this.#turns.enter(project);
  }

  leaveTurns(project: ProjectKey): void {
    this.#turns.leave(project);
  }

  setShares(shares: ReadonlyMap<ProjectKey, ProjectShare>): void {
    const before = this.#shares;
    this.#shares = new Map(shares);
    const isSame = (project: ProjectKey) => {
      const [old, now] = [before.get(project), shares.get(project)];
      return old?.weight === now?.weight && old?.maxRunning === now?.maxRunning;
    };
    const changed = [...new Set([...before.keys(), ...shares.keys()])].filter((project) => !isSame(project));
    for (const project of changed.sort()) this.refresh(project);
  }

  share(project: ProjectKey): ProjectShare {
    return this.#shares.get(project) ?? ordinary;
  }

  /** All that have a share of their own. */
  sharers(): readonly ProjectKey[] {
    return [...this.#shares.keys()];
  }

  /** Who holds a slot now: a lease that ran out takes none. */
  held(nowMs: number, of: (project: ProjectKey) => boolean = () => true): number {
    return [...this.#leases.values()].filter(({ project, untilMs }) => untilMs > nowMs && of(project)).length;
  }

  /** Leases that ran out, longest ago first. */
  expired(nowMs: number): readonly { readonly taskId: TaskId; readonly untilMs: number }[] {
    return [...this.#leases]
      .map(([taskId, { untilMs }]) => ({ taskId, untilMs }))
      .filter(({ untilMs }) => untilMs <= nowMs)
      .sort((left, right) => left.untilMs - right.untilMs || (left.taskId < right.taskId ? -1 : 1));
  }

  /** Takes the next task from the project whose turn it is. `mayRun`: whether a forge takes part. */
  take(limits: LeaseLimits, mayRun: (forge: string) => boolean, nowMs: number): TaskId | null {
    for (const project of this.#turns.inTurn()) {
      const forge = forgeOf(project);
      if (!mayRun(forge)) continue;
      if (this.held(nowMs, (other) => forgeOf(other) === forge) >= (limits.perForge ?? Infinity)) continue;
      const { weight, maxRunning } = this.share(project);
      const most = Math.min(maxRunning ?? Infinity, limits.perProject ?? Infinity);
      if (this.held(nowMs, (other) => other === project) >= most) {
        this.#turns.leave(project);
        continue;
      }
      const ready = this.#readyOf(project);
      const [first] = [...ready].map((taskId) => this.#scored(taskId)).sort(byScore);
      if (first === undefined) {
        this.#turns.leave(project);
        continue;
      }
      ready.delete(first.taskId);
      this.#turns.serve(project, weight, ready.size > 0);
      return first.taskId;
    }
    return null;
  }

  /** When the longest ready of all became so, also of what is held back, and of what is due but not moved yet. */
  oldestReadyMs(nowMs: number): number {
    const ids = [...[...this.#ready.values()].flatMap((ready) => [...ready]), ...this.#delayed];
    return ids.reduce((oldest, taskId) => Math.min(oldest, this.#record(taskId)?.waiting?.readyAtMs ?? nowMs), nowMs);
  }

  #readyOf(project: ProjectKey): Set<TaskId> {
    const found = this.#ready.get(project) ?? new Set<TaskId>();
    this.#ready.set(project, found);
    return found;
  }

  #scored(taskId: TaskId) {
    const waiting = this.#record(taskId)?.waiting ?? null;
    if (waiting === null) throw new Error(`task ${taskId} is ready, yet does not wait`);
    return { taskId, priority: priorityOf(waiting.trigger), readyAtMs: waiting.readyAtMs };
  }
}

interface Scored {
  readonly taskId: TaskId;
  readonly priority: number;
  readonly readyAtMs: number;
}

function byScore(left: Scored, right: Scored): number {
  return right.priority - left.priority || left.readyAtMs - right.readyAtMs || (left.taskId < right.taskId ? -1 : 1);
}

function forgeOf(project: ProjectKey): string {
  return project.slice(0, project.indexOf(':'));
}
