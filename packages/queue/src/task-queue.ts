/**
 * The queue: which merge request wants attention, and who works on it.
 *
 * At most one waiting and one running task per subject and kind (`TaskId`). Three numbers, never mixed:
 *   lease     grows when a scheduler takes or takes over the task; every write carries it, an older one is refused
 *   launch    grows when a new agent run is begun; adoption by another scheduler keeps it
 *   failures  grows when a run ended in a fault that counts
 *
 * The first two are `epoch · 2^22 + count` (`attemptOf` gives the count), so a store that lost its memory never gives a
 * number twice. Ages are the store's time, never the caller's. All operations are atomic and may be repeated.
 */
import type {
  MergeRequestRef,
  ParkedItem,
  Pause,
  PauseEvent,
  PauseScope,
  ProjectKey,
  ProjectShare,
  TaskEvent,
  TaskId,
  TaskKind,
  TaskOutcome,
  TaskRequest,
  TaskState,
  Trigger,
  Command,
  Sha,
} from '@drydock/core';

/** How an event is to be taken in. */
export interface EnqueueOptions {
  /** Names of this delivery, such as its idempotency key. One that was seen before makes it a duplicate. */
  readonly deliveryKeys: readonly string[];
  /** Milliseconds to wait for more events of the same subject; 0: at once. A person's command never waits. */
  readonly debounceMs: number;
  /** However many events come, the task is ready this long after the first of them. */
  readonly maxDebounceMs: number;
  /** Who brings it, for the task's history. Default: `server`. */
  readonly by?: string;
}

/** How many tasks may hold a lease at once; null: no limit. A project's own `maxRunning` holds as well. */
export interface LeaseLimits {
  readonly total: number;
  readonly perForge: number | null;
  readonly perProject: number | null;
}

/** Who wants a task, for how long, and within which limits. */
export interface LeaseRequest {
  /** Names the scheduler for people. */
  readonly owner: string;
  readonly ttlMs: number;
  readonly limits: LeaseLimits;
}

/**
 * What became of an event: `queued` as a new waiting task; `coalesced` into the waiting one; `duplicate`, nothing
 * changed; `superseding`, the running task is interrupted and a new one waits; `marked-dirty`, it runs once more after.
 */
export interface Enqueued {
  readonly kind: 'queued' | 'coalesced' | 'duplicate' | 'superseding' | 'marked-dirty';
  readonly taskId: TaskId;
}

/** Proof of ownership that every write of a scheduler carries. */
export interface HeldLease {
  readonly taskId: TaskId;
  readonly lease: number;
}

/** A task in the hands of a scheduler. */
export interface LeasedTask extends HeldLease {
  readonly kind: TaskKind;
  readonly subject: MergeRequestRef;
  readonly projectPath: string;
  readonly trigger: Trigger;
  readonly command: Command | null;
  /** The head that the newest event spoke of; a hint. */
  readonly headSha: Sha | null;
  /** The last launch that was begun for this task, 0 before the first. */
  readonly launch: number;
  /** Faults so far that counted. */
  readonly failures: number;
  /**
   * Null: a fresh task. Else another scheduler's lease on it ran out in the middle of `launch`, in this state: look
   * whether that launch has a result before beginning a new one.
   */
  readonly adopted: {
    readonly state: 'leased' | 'running' | 'publishing';
    readonly headSha: Sha | null;
    /** It was taken over so often that nothing may be begun for it any more: tell that, and end it. */
    readonly isLast: boolean;
  } | null;
  readonly queuedAtMs: number;
  /** The head of the last run that ended as `done`; null: none is known. What stands there was paid for and published. */
  readonly doneHeadSha: Sha | null;
}

/** Why a running task should stop. */
export type Interrupt = 'superseded' | 'closed' | 'cancelled';

/** `lost`: somebody else owns the task; stop and write nothing more. */
export type Extended = { readonly kind: 'held'; readonly interrupt: Interrupt | null } | { readonly kind: 'lost' };

/** A fault of a run. `infra` (node lost, store down, upstream overloaded) does not use up the retry budget. */
export interface TaskFailure {
  readonly class: 'transient' | 'terminal' | 'infra';
  readonly code: string;
  readonly message: string;
  /** Milliseconds that the other side asked to wait; null when it did not say. */
  readonly retryAfterMs: number | null;
}

/** What became of a failed task. */
export type Failed =
  | { readonly kind: 'retrying'; readonly delayMs: number; readonly failures: number }
  | { readonly kind: 'dead' }
  /** It had been cancelled, so it is not tried again. */
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'lost' };

/** A task as people see it. */
export interface TaskView {
  readonly taskId: TaskId;
  readonly kind: TaskKind;
  readonly subject: MergeRequestRef;
  readonly projectPath: string;
  readonly state: TaskState;
  readonly trigger: Trigger;
  readonly headSha: Sha | null;
  readonly lease: number;
  readonly launch: number;
  readonly failures: number;
  /** Whether an event came in while it ran, so that it will run once more. */
  readonly isDirty: boolean;
  /** When it may be leased; null unless it waits. */
  readonly readyAtMs: number | null;
  readonly queuedAtMs: number;
  /** How it ended and when; null while it has not. */
  readonly outcome: TaskOutcome | null;
  readonly endedAtMs: number | null;
  /** The last fault, code and message; null when there was none. */
  readonly lastError: { readonly code: string; readonly message: string } | null;
}

/** Counts for people and gauges. */
export interface QueueStats {
  readonly waiting: number;
  /** Tasks that hold a lease. */
  readonly running: number;
  readonly dead: number;
  /** Tasks that ended (in any way) since midnight UTC. */
  readonly processedToday: number;
  /** Age in milliseconds of the oldest task that is ready and not leased, whatever holds it back; 0 when there is none. */
  readonly oldestReadyMs: number;
  /** Tasks whose record is gone, damaged, or of another version: kept until it can be read, or a person acts. */
  readonly parked: number;
  /** Forges and projects under whose keys stands something else: nothing of them begins. */
  readonly setAside: number;
}

/** Which tasks to list, newest change first. */
export interface TaskFilter {
  readonly states?: readonly TaskState[];
  readonly forge?: string;
  readonly projectId?: string;
  /** Number of the merge request within its project. */
  readonly iid?: number;
  /** A glob over the project's path. */
  readonly projectPath?: string;
  /** At most so many, and never more than 1,000. */
  readonly limit: number;
  /** Where the last page ended. */
  readonly cursor?: string;
}

/**
 * One page. A cursor that is not null leads on, even when the page is short or empty: many tasks may have been looked at
 * that the filter drops. A task that does not change meanwhile is on exactly one page; one that changes goes to the front.
 */
export interface TaskPage {
  readonly tasks: readonly TaskView[];
  readonly cursor: string | null;
}

/** A project that has tasks, a share of its own, or a pause. */
export interface ProjectView extends ProjectShare {
  readonly forge: string;
  readonly projectId: string;
  /** Empty while none of its tasks is known. */
  readonly projectPath: string;
  readonly waiting: number;
  /** Tasks that hold a lease. */
  readonly running: number;
  /** By a pause of its own, its forge's, or that of all. */
  readonly isPaused: boolean;
}

/** One page of projects, by forge and id. */
export interface ProjectPage {
  readonly projects: readonly ProjectView[];
  readonly cursor: string | null;
}

/** The store's memory. `isSweepDue`: it may have lost tasks since the last full sweep over all open merge requests. */
export interface QueueEpoch {
  readonly epoch: number;
  readonly isSweepDue: boolean;
}

/** What a slice of an audit did. */
export interface QueueAudit {
  /** What has its place again: tasks that stood nowhere or were parked, and places that were set aside. */
  readonly healed: number;
  /** What cannot be put right and waits for a person: tasks that were parked, places that were set aside, foreign keys. */
  readonly broken: number;
  /** Where the next slice begins; null: all was looked at. */
  readonly cursor: string | null;
}

/** The port that server and scheduler use. Throws `TransientError` (`queue.unreachable`) when the store does not answer. */
export interface TaskQueue {
  enqueue(request: TaskRequest, options: EnqueueOptions): Promise<Enqueued>;

  /**
   * Takes a task whose lease ran out, else the first of the project whose turn it is: projects share by weight, priority
   * and age count within one. Null when nothing may run.
   */
  lease(request: LeaseRequest): Promise<LeasedTask | null>;

  /** Replaces the shares of all projects; one that is not named has weight 1 and no limit of its own. */
  setShares(shares: ReadonlyMap<ProjectKey, ProjectShare>): Promise<void>;

  /** Lets nothing new begin there until it is resumed. */
  pause(scope: PauseScope, by: string, why: string): Promise<'paused' | 'already'>;
  resume(scope: PauseScope, by: string): Promise<'resumed' | 'absent'>;
  /** Longest ago first. */
  pauses(): Promise<readonly Pause[]>;
  /** The newest 200 pauses that began or ended, oldest first. */
  pauseEvents(): Promise<readonly PauseEvent[]>;
  /** What `parked` and `setAside` of the stats count, newest first, at most 1,000. */
  parked(): Promise<readonly ParkedItem[]>;

  extend(held: HeldLease, ttlMs: number): Promise<Extended>;

  /** Records that a new run begins on this head, before anything of it exists. The state becomes `running`. */
  beginLaunch(
    held: HeldLease,
    headSha: Sha,
  ): Promise<{ readonly kind: 'begun'; readonly launch: number } | { readonly kind: 'lost' }>;

  /** Records that the run has a result which is being published. */
  beginPublishing(held: HeldLease): Promise<{ readonly kind: 'publishing' } | { readonly kind: 'lost' }>;

  /** Ends the task and writes the ledger. `requeued`: an event came meanwhile, it waits again. */
  complete(
    held: HeldLease,
    outcome: TaskOutcome,
  ): Promise<{ readonly kind: 'completed'; readonly requeued: boolean } | { readonly kind: 'lost' }>;

  /** Counts the fault and puts the task back with a delay, or ends it as `dead`. */
  fail(held: HeldLease, failure: TaskFailure): Promise<Failed>;

  /**
   * Puts the task back after `delayMs` and counts nothing: not ready yet, or blocked until a person acts. One that had
   * been cancelled ends as that instead.
   */
  release(
    held: HeldLease,
    request: { readonly delayMs: number; readonly why: string },
  ): Promise<{ readonly kind: 'released' | 'cancelled' | 'lost' }>;

  /**
   * Gives the lease up at once while the agent of its launch goes on: whoever leases next takes the task over in its
   * state, which is no fault and counts for nothing.
   */
  handOver(held: HeldLease): Promise<{ readonly kind: 'handed-over' | 'lost' }>;

  /** Asks the holder of a running task to stop; its next `extend` says so. `absent`: nothing runs. */
  interrupt(taskId: TaskId, interrupt: Interrupt): Promise<{ readonly kind: 'interrupted' | 'absent' }>;

  /**
   * Ends a task that waits (`cancelled`), or asks the holder of a running one to stop, for good (`cancelling`); what
   * waits behind it goes as well. `absent`: it has ended, or is not known. A later event begins anew.
   */
  cancel(taskId: TaskId, by: string): Promise<'cancelled' | 'cancelling' | 'absent'>;

  /**
   * Lets an ended task wait again, dead letters too, with its faults forgotten (`queued`). One that waits is ready at
   * once (`waiting`); of one that runs nothing changes (`running`).
   */
  retry(taskId: TaskId, by: string): Promise<'queued' | 'running' | 'waiting' | 'absent'>;

  get(taskId: TaskId): Promise<TaskView | null>;
  list(filter: TaskFilter): Promise<TaskPage>;
  projects(request: { readonly limit: number; readonly cursor?: string }): Promise<ProjectPage>;
  /** The newest 50, oldest first; empty for a task that is not known. */
  events(taskId: TaskId): Promise<readonly TaskEvent[]>;
  stats(): Promise<QueueStats>;

  /**
   * Looks at a slice of what waits, runs or stands aside, and gives what foreign or damaged keys made homeless its place
   * again. Null begins with the first slice. To be asked again and again, by one at a time; it changes nothing that is whole.
   */
  audit(cursor: string | null): Promise<QueueAudit>;

  /** In which epoch its numbers are, and whether a full sweep is due. */
  epoch(): Promise<QueueEpoch>;
  /** A full sweep that began in this epoch has ended. */
  sweepDone(epoch: number): Promise<void>;

  /** Really asks the store. Throws when it does not answer within its time limit, or cannot take writes. */
  ping(): Promise<void>;

  /**
   * Calls `listener` when a task may be ready or a running one was interrupted; with `interruptOf`, only when that one
   * was, or when word of it may have been missed. A hint that saves waiting: it is no replacement for asking.
   */
  onWake(listener: () => void, interruptOf?: TaskId): () => void;

  close(): Promise<void>;
}
