/**
 * The queue: which merge request wants attention, and who works on it.
 *
 * At most one waiting and one running task per subject and kind (`TaskId`). Three numbers, never mixed:
 *   lease     grows when a scheduler takes or takes over the task; every write carries it, an older one is refused
 *   launch    grows when a new agent run is begun; adoption by another scheduler keeps it
 *   failures  grows when a run ended in a fault that counts
 *
 * Ages are the store's time, never the caller's. All operations are atomic and may be repeated.
 */
import type {
  MergeRequestRef,
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
  readonly adopted: { readonly state: 'leased' | 'running' | 'publishing'; readonly headSha: Sha | null } | null;
  readonly queuedAtMs: number;
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
  /** Age in milliseconds of the oldest task that is ready and not leased; 0 when there is none. */
  readonly oldestReadyMs: number;
}

/** Which tasks to list, newest first. */
export interface TaskFilter {
  readonly states?: readonly TaskState[];
  readonly limit: number;
}

/** The port that server and scheduler use. Throws `TransientError` (`queue.unreachable`) when the store does not answer. */
export interface TaskQueue {
  enqueue(request: TaskRequest, options: EnqueueOptions): Promise<Enqueued>;

  /**
   * Takes the next ready task, or one whose lease ran out; null when there is none or `maxRunning` tasks hold a lease.
   * `owner` names the scheduler for people.
   */
  lease(request: {
    readonly owner: string;
    readonly ttlMs: number;
    readonly maxRunning: number;
  }): Promise<LeasedTask | null>;

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

  /** Puts the task back after `delayMs` and counts nothing: not ready yet, or blocked until a person acts. */
  release(
    held: HeldLease,
    request: { readonly delayMs: number; readonly why: string },
  ): Promise<{ readonly kind: 'released' } | { readonly kind: 'lost' }>;

  /** Asks the holder of a running task to stop; its next `extend` says so. `absent`: nothing runs. */
  interrupt(taskId: TaskId, interrupt: Interrupt): Promise<{ readonly kind: 'interrupted' | 'absent' }>;

  get(taskId: TaskId): Promise<TaskView | null>;
  list(filter: TaskFilter): Promise<readonly TaskView[]>;
  stats(): Promise<QueueStats>;

  /** Really asks the store. Throws when it does not answer within its time limit, or cannot take writes. */
  ping(): Promise<void>;

  /**
   * Calls `listener` when a task may be ready or a running one was interrupted. A hint that saves waiting: it may be
   * missed, and is no replacement for asking.
   */
  onWake(listener: () => void): () => void;

  close(): Promise<void>;
}
