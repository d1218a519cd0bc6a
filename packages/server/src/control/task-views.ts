import {
  attemptOf,
  unreachable,
  type Pause,
  type TaskAttempt,
  type TaskEvent,
  type TaskSummary,
  type WaitingReason,
} from '@drydock/core';
import type { QueueStats, TaskView } from '@drydock/queue';

/** A task as a list shows it. */
export function summaryOf({ lease: _lease, launch, ...task }: TaskView): TaskSummary {
  return { ...task, attempt: attemptOf(launch) };
}

/** Whether a pause holds this task back. */
function isPausedBy({ scope }: Pause, { subject }: Pick<TaskView, 'subject'>): boolean {
  switch (scope.kind) {
    case 'all':
      return true;
    case 'forge':
      return scope.forge === subject.forge;
    case 'project':
      return scope.forge === subject.forge && scope.projectId === subject.projectId;
    default:
      return unreachable(scope);
  }
}

/** Why a task waits; null if it does not. */
export function waitingReason(
  task: TaskView,
  { pauses, stats, nowMs }: { readonly pauses: readonly Pause[]; readonly stats: QueueStats; readonly nowMs: number },
): WaitingReason | null {
  if (task.state !== 'waiting') return null;
  const pause = pauses.find((one) => isPausedBy(one, task));
  if (pause !== undefined) {
    const what = pause.scope.kind === 'all' ? 'everything' : `its ${pause.scope.kind}`;
    return { kind: 'paused', why: `${pause.by} paused ${what}: ${pause.why}` };
  }
  const waitMs = (task.readyAtMs ?? 0) - nowMs;
  if (waitMs > 0) {
    const cause = task.lastError === null ? 'more events may come' : `after ${task.lastError.code}`;
    return { kind: 'delayed', why: `not before ${String(Math.ceil(waitMs / 1000))} s from now: ${cause}` };
  }
  const others = `${String(stats.running)} running, ${String(stats.waiting)} waiting in all`;
  return { kind: 'turn', why: `until a slot is free and it is this project's turn: ${others}` };
}

const endings: ReadonlySet<TaskEvent['what']> = new Set([
  'retrying',
  'released',
  'done',
  'skipped',
  'superseded',
  'cancelled',
  'dead',
]);

/** The launch of an attempt: as its event tells it, else as it would be if the store had not begun a new epoch since. */
export function launchOf(events: readonly TaskEvent[], attempt: number, lastLaunch: number): number {
  const begun = events.findLast(({ launch }) => launch !== undefined && attemptOf(launch) === attempt);
  return begun?.launch ?? lastLaunch - attemptOf(lastLaunch) + attempt;
}

/**
 * The starts of agents as the events tell them, oldest first; those before the oldest event are forgotten. The last
 * start is the task's current attempt, so numbers are counted backwards from it.
 */
export function attemptsOf(events: readonly TaskEvent[], lastAttempt: number): TaskAttempt[] {
  const starts = events.flatMap((event, index) => (event.what === 'launched' ? [index] : []));
  return starts.flatMap((start, index) => {
    const attempt = lastAttempt - (starts.length - 1 - index);
    const begun = events[start];
    if (begun === undefined || attempt < 1) return [];
    const next = starts[index + 1] ?? events.length;
    const end = endOf(events.slice(start + 1, next), events[next]);
    return [{ attempt, startedAtMs: begun.atMs, ...(end ?? { endedAtMs: null, ending: null, detail: '' }) }];
  });
}

/** An agent whose scheduler died is lost, unless who takes the task over finds its result. */
function endOf(since: readonly TaskEvent[], nextStart: TaskEvent | undefined) {
  const end = since.find(({ what }) => endings.has(what));
  if (end !== undefined) return { endedAtMs: end.atMs, ending: end.what, detail: end.detail };
  const adoptedAt = since.findIndex(({ what }) => what === 'adopted');
  const isPublishing = since.slice(adoptedAt + 1).some(({ what }) => what === 'publishing');
  const lost = since[adoptedAt] ?? nextStart;
  if (lost === undefined || (isPublishing && nextStart === undefined)) return null;
  return { endedAtMs: lost.atMs, ending: 'lost', detail: `its scheduler went away; ${lost.who} goes on` };
}
