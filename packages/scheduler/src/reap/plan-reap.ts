/**
 * Which Jobs nobody needs any more. Only the ledger proves it: what is held of the cluster may be old, and a Job that
 * looks idle may be somebody's.
 *
 *   the task's newest launch, and somebody has the task         kept, whatever it looks like
 *   an older launch of a task that has begun a newer one        reaped: its token is dead
 *   nobody has the task, and the run is over for the gateway    reaped
 *   nobody has the task, but the run is not over                kept; an orphan after its age, and then ended
 */
import type { RunView } from '@drydock/core';
import type { TaskView } from '@drydock/queue';
import type { JobFacts } from '../launchers/kube/run-facts.ts';

/** Why a Job is removed. */
export type ReapReason = 'finished' | 'old-launch' | 'ended' | 'orphan' | 'unknown-task';
/** Why it is not. */
export type SkipReason = 'young' | 'held' | 'run-alive' | 'not-ours' | 'changed' | 'gone' | 'unanswered' | 'unreadable';

export type ReapPlan =
  { readonly kind: 'reap'; readonly why: ReapReason } | { readonly kind: 'skip'; readonly why: SkipReason };

/** Ages, in milliseconds, and a number. */
export interface ReapLimits {
  readonly ageFloorMs: number;
  readonly orphanAgeMs: number;
  readonly mostFinished: number;
}

/** What is known of a Job and of what it is for. */
export interface ReapFacts {
  readonly job: JobFacts;
  readonly launch: number;
  /** Null: the queue knows no such task. */
  readonly task: Pick<TaskView, 'state' | 'launch'> | null;
  /** Null: the gateway knows no such run. */
  readonly run: Pick<RunView, 'isRevoked' | 'result'> | null;
  readonly nowMs: number;
  /** There are more finished Jobs than are kept, and this is one of the oldest. */
  readonly isBeyondCap: boolean;
}

/** What is to become of a Job. */
export function planReap(facts: ReapFacts, limits: ReapLimits): ReapPlan {
  const { job, launch, task, run, nowMs, isBeyondCap } = facts;
  const ageMs = nowMs - job.createdAtMs;
  if (ageMs < limits.ageFloorMs && !isBeyondCap) return { kind: 'skip', why: 'young' };
  const isHeld = task !== null && (task.state === 'leased' || task.state === 'running' || task.state === 'publishing');
  if (isHeld && task.launch === launch) return { kind: 'skip', why: 'held' };
  if (task !== null && task.launch > launch) return { kind: 'reap', why: 'old-launch' };
  const isOver = run === null || run.isRevoked || run.result !== null;
  if (isOver) return { kind: 'reap', why: reasonOf(job, task) };
  return ageMs < limits.orphanAgeMs ? { kind: 'skip', why: 'run-alive' } : { kind: 'reap', why: 'orphan' };
}

function reasonOf(job: JobFacts, task: ReapFacts['task']): ReapReason {
  if (job.finishedAtMs !== null) return 'finished';
  return task === null ? 'unknown-task' : 'ended';
}

/** Finished Jobs beyond the cap, longest finished first. */
export function beyondCap(jobs: readonly JobFacts[], mostFinished: number): ReadonlySet<string> {
  const finished = jobs
    .filter(({ finishedAtMs }) => finishedAtMs !== null)
    .sort((one, other) => (one.finishedAtMs ?? 0) - (other.finishedAtMs ?? 0));
  return new Set(finished.slice(0, Math.max(0, finished.length - mostFinished)).map(({ uid }) => uid));
}
