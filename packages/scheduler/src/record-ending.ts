import { DrydockError, TransientError, unreachable, type Clock, type Log, type ReachPoint } from '@drydock/core';
import type { LeasedTask, TaskFailure, TaskQueue } from '@drydock/queue';
import type { Ending } from './ending.ts';
import type { SchedulerMetrics } from './metrics.ts';
import { cancelledByPerson, restMs, stoppedEnding } from './task-ending.ts';
import type { TaskNote } from './task-note.ts';

/** What recording needs. */
export interface EndingPorts {
  readonly queue: TaskQueue;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
  readonly note: TaskNote;
  readonly random: () => number;
  readonly reach?: ReachPoint | undefined;
}

/** Milliseconds. */
interface EndingTimes {
  readonly leaseTtlMs: number;
  readonly blockedDelayMs: number;
}

/** `ended`: no run of the task goes on. `left`: it is somebody else's, or may be. */
export type Recorded = 'ended' | 'left';

/** Writes the end of the work on a task to the queue, and tells it on the merge request where it should be seen. */
export async function recordEnding(
  ports: EndingPorts,
  times: EndingTimes,
  task: LeasedTask,
  ending: Ending,
): Promise<Recorded> {
  const { queue, log, metrics, note } = ports;
  note.ending();
  switch (ending.kind) {
    case 'abandon':
      metrics.fenced();
      log.warn({}, 'task left to its new owner');
      return 'left';
    case 'hand-over': {
      const { kind } = await untilAnswered(ports, 0, () => queue.handOver(task));
      log.info({ state: kind }, 'task handed over');
      return 'left';
    }
    case 'complete': {
      const { outcome } = ending;
      if (outcome.kind === 'cancelled') await note.showCancelled(outcome.why);
      const written = await untilAnswered(ports, times.leaseTtlMs, () => queue.complete(task, outcome));
      const why = 'why' in outcome ? { reason: outcome.why } : {};
      log.info({ outcome: outcome.kind, ...why, state: written.kind }, 'task ended');
      return recordedIf(written);
    }
    case 'release': {
      // Whoever stops has no time, and needs none: the lease runs out by itself.
      const patienceMs = ending === stoppedEnding ? 0 : times.leaseTtlMs;
      return release(ports, patienceMs, task, ending);
    }
    case 'blocked':
      log.error({ code: ending.code, reason: ending.message }, 'blocked until a person acts');
      metrics.blocked(ending.code);
      if (ending.pausesAll === true) await pauseAll(ports, times.leaseTtlMs, ending.message);
      await note.showFailure(ending.message, true);
      return release(ports, times.leaseTtlMs, task, { delayMs: times.blockedDelayMs, why: ending.code });
    case 'no-room':
      log.warn({ code: ending.code, reason: ending.message }, 'no room');
      await note.showFailure(ending.message, true);
      return release(ports, times.leaseTtlMs, task, { delayMs: restOf(ports, task, null), why: ending.code });
    case 'fail':
      return fail(ports, times.leaseTtlMs, task, ending.failure);
    default:
      return unreachable(ending);
  }
}

async function release(
  ports: EndingPorts,
  patienceMs: number,
  task: LeasedTask,
  { delayMs, why }: { readonly delayMs: number; readonly why: string },
): Promise<Recorded> {
  const released = await untilAnswered(ports, patienceMs, () => ports.queue.release(task, { delayMs, why }));
  ports.log.info({ reason: why, delayMs, state: released.kind }, 'task put back');
  // Whoever stops has no time for it.
  if (released.kind === 'cancelled' && patienceMs > 0) await ports.note.showCancelled(cancelledByPerson);
  return recordedIf(released);
}

function recordedIf({ kind }: { readonly kind: string }): Recorded {
  return kind === 'lost' ? 'left' : 'ended';
}

/** Grows with the age of the task. */
function restOf({ clock, random }: EndingPorts, task: LeasedTask, retryAfterMs: number | null): number {
  return restMs(Math.max(0, clock.nowMs() - task.queuedAtMs), retryAfterMs, random);
}

/** Nothing begins any more. While it cannot be written, nothing new is leased from that queue either. */
async function pauseAll(ports: EndingPorts, patienceMs: number, why: string): Promise<void> {
  const paused = await untilAnswered(ports, patienceMs, async () => ({
    kind: await ports.queue.pause({ kind: 'all' }, 'scheduler', why),
  }));
  ports.log.error({ reason: why, state: paused.kind }, 'nothing is launched until a person resumes');
}

/**
 * A task must not die unseen. What nobody counts is only put back while it cannot be told either: gateway or forge are
 * away, for all tasks alike. All is told first, for after the end nobody would come back to tell it.
 */
async function fail(ports: EndingPorts, patienceMs: number, task: LeasedTask, failure: TaskFailure): Promise<Recorded> {
  const { queue, log, note } = ports;
  const { message, code } = failure;
  const isTold = await note.showFailure(message, failure.class !== 'terminal');
  ports.reach?.('ending.told');
  if (failure.class === 'infra' && !isTold) {
    log.warn({ code, reason: message }, 'nothing answers');
    return release(ports, patienceMs, task, { delayMs: restOf(ports, task, failure.retryAfterMs), why: code });
  }
  const failed = await untilAnswered(ports, patienceMs, () => queue.fail(task, failure));
  const facts = { code, reason: message, state: failed.kind };
  log.warn(failed.kind === 'retrying' ? { ...facts, delayMs: failed.delayMs } : facts, 'task failed');
  if (failed.kind === 'cancelled') await note.showCancelled(cancelledByPerson);
  if (failed.kind === 'dead' && failure.class !== 'terminal') await note.showFailure(message, false);
  return recordedIf(failed);
}

const againMs = 1000;

/** The end of a task is worth some patience: a store that restarts would else cost a whole new attempt. */
async function untilAnswered<T extends { readonly kind: string }>(
  { clock, log, metrics, reach }: EndingPorts,
  patienceMs: number,
  write: () => Promise<T>,
): Promise<T | { readonly kind: 'lost' }> {
  const giveUpAtMs = clock.monotonicMs() + patienceMs;
  const never = new AbortController().signal;
  for (;;) {
    try {
      reach?.('ending.recording');
      const answer = await write();
      reach?.('ending.recorded');
      if (answer.kind === 'lost') metrics.fenced();
      return answer;
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      log.warn({ code: err.code, err }, 'end of the task not written');
      if (!(err instanceof TransientError) || clock.monotonicMs() >= giveUpAtMs) return { kind: 'lost' };
      await clock.sleep(againMs, never);
    }
  }
}
