import { TransientError, nextDelayMs, unreachable } from '@drydock/core';
import type { QueueSettings } from './queue-settings.ts';
import type { TaskFailure } from './task-queue.ts';

/** The faults of a task so far: those that count, and those of the infrastructure since the last that counted. */
export interface FaultCounts {
  readonly failures: number;
  readonly infraFailures: number;
}

/** What is to become of a failed task, with the new counts. */
export type RetryPlan = FaultCounts &
  ({ readonly kind: 'retry'; readonly delayMs: number } | { readonly kind: 'dead' });

/** However long the other side asks to wait, a task is tried again within a day. */
const longestDelayMs = 24 * 3_600_000;

/** Decides what to do about a fault. `random` gives numbers from 0 to below 1. */
export function planRetry(
  { retry, infraRetry }: Pick<QueueSettings, 'retry' | 'infraRetry'>,
  { failures, infraFailures }: FaultCounts,
  failure: TaskFailure,
  random: () => number,
): RetryPlan {
  const told = new TransientError('aborted', failure.message, { retryAfterMs: failure.retryAfterMs });
  const planned = (counts: FaultCounts, delayMs: number | null): RetryPlan =>
    delayMs === null
      ? { kind: 'dead', ...counts }
      : { kind: 'retry', delayMs: Math.round(Math.min(longestDelayMs, Math.max(0, delayMs))), ...counts };
  switch (failure.class) {
    case 'terminal':
      return planned({ failures: failures + 1, infraFailures }, null);
    case 'transient':
      return planned({ failures: failures + 1, infraFailures: 0 }, nextDelayMs(retry, failures + 1, told, random));
    case 'infra':
      return planned(
        { failures, infraFailures: infraFailures + 1 },
        nextDelayMs(infraRetry, infraFailures + 1, told, random),
      );
    default:
      return unreachable(failure.class);
  }
}
