import type {
  Command,
  MergeRequestRef,
  Sha,
  TaskEvent,
  TaskId,
  TaskKind,
  TaskOutcome,
  TaskState,
  Trigger,
} from '@drydock/core';
import { mostAdoptions } from './adoption.ts';
import type { Interrupt, LeasedTask, TaskView } from './task-queue.ts';

/** What a run is about. */
export interface Payload {
  readonly trigger: Trigger;
  readonly command: Command | null;
  readonly headSha: Sha | null;
  readonly queuedAtMs: number;
  readonly failures: number;
  readonly infraFailures: number;
}

/** What waits for a run. */
export interface WaitingPayload extends Payload {
  readonly readyAtMs: number;
  /** The end of a retry's or a release's delay, which further events do not shorten. */
  readonly notBeforeMs: number;
  /** A person's order or a closing is in it: it waits for nothing. */
  readonly isUrgent: boolean;
  /** Why it was put back; null when it was not. */
  readonly why: string | null;
}

/** All that is known of one subject and kind. */
export interface TaskRecord {
  readonly taskId: TaskId;
  readonly kind: TaskKind;
  readonly subject: MergeRequestRef;
  readonly projectPath: string;
  readonly state: TaskState;
  readonly lease: number;
  readonly launch: number;
  /** The lease that began `launch`, and on which head. */
  readonly launchLease: number;
  readonly launchHeadSha: Sha | null;
  /** When the newest event happened, by the forge's clock. */
  readonly newestAtMs: number | null;
  readonly updatedAtMs: number;
  /** What runs, or ran last. */
  readonly current: Payload | null;
  /** What waits; while a task runs, what it is to run once more for. */
  readonly waiting: WaitingPayload | null;
  readonly owner: string | null;
  /** How often it was taken over since it was leased. */
  readonly adoptions: number;
  /** What the last run that was done had reviewed. */
  readonly doneHeadSha: Sha | null;
  readonly interrupt: Interrupt | null;
  /** How it ended last. */
  readonly outcome: TaskOutcome | null;
  readonly endedAtMs: number | null;
  readonly lastError: { readonly code: string; readonly message: string } | null;
  /** The newest 50, oldest first. */
  readonly events: readonly TaskEvent[];
}

/** Whether somebody has a lease on it, even one that ran out. */
export function isRunning({ state }: TaskRecord): boolean {
  return state === 'leased' || state === 'running' || state === 'publishing';
}

/** What a task runs that somebody has a lease on. */
export function runningPayload({ taskId, current }: TaskRecord): Payload {
  if (current === null) throw new Error(`task ${taskId} does not run`);
  return current;
}

/** Whether it ended longer ago than ended tasks are kept. */
export function isForgotten(record: TaskRecord, retentionMs: number, nowMs: number): boolean {
  const { state, endedAtMs } = record;
  return state !== 'waiting' && !isRunning(record) && endedAtMs !== null && endedAtMs + retentionMs <= nowMs;
}

/** The record as people see it. */
export function viewOf(record: TaskRecord): TaskView {
  const { taskId, kind, subject, projectPath, state, lease, launch, waiting, current, lastError } = record;
  const isWaiting = state === 'waiting';
  const payload = isWaiting ? waiting : current;
  if (payload === null) throw new Error(`task ${taskId} in state ${state} has no payload`);
  const { trigger, headSha, failures, queuedAtMs } = payload;
  const hasEnded = !isWaiting && !isRunning(record);
  return {
    taskId,
    kind,
    subject,
    projectPath,
    state,
    trigger,
    headSha,
    lease,
    launch,
    failures,
    isDirty: isRunning(record) && waiting !== null,
    readyAtMs: isWaiting && waiting !== null ? waiting.readyAtMs : null,
    queuedAtMs,
    outcome: hasEnded ? record.outcome : null,
    endedAtMs: hasEnded ? record.endedAtMs : null,
    lastError,
  };
}

/** The record as its new holder gets it. `adoptedIn`: the state in which another holder's lease ran out, else null. */
export function leasedTaskOf(record: TaskRecord, adoptedIn: 'leased' | 'running' | 'publishing' | null): LeasedTask {
  const { taskId, kind, subject, projectPath, lease, launch, launchHeadSha, doneHeadSha } = record;
  const { trigger, command, headSha, failures, queuedAtMs } = runningPayload(record);
  const adopted =
    adoptedIn === null
      ? null
      : {
          state: adoptedIn,
          headSha: adoptedIn === 'leased' ? null : launchHeadSha,
          isLast: record.adoptions > mostAdoptions,
        };
  return {
    taskId,
    lease,
    kind,
    subject,
    projectPath,
    trigger,
    command,
    headSha,
    launch,
    failures,
    adopted,
    queuedAtMs,
    doneHeadSha,
  };
}
