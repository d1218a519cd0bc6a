import { TransientError } from './errors.ts';

/** How often and how far apart a failed task is tried again. Times are milliseconds. */
export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly maxAttempts: number;
  readonly baseMs: number;
  readonly capMs: number;
}

/** Milliseconds to wait, or null: dead-letter it. `attempt`, 1-based, is the one that just failed. */
export function nextDelayMs(
  policy: RetryPolicy,
  attempt: number,
  error: unknown,
  random: () => number = Math.random,
): number | null {
  if (!(error instanceof TransientError) || attempt >= policy.maxAttempts) return null;
  return error.retryAfterMs ?? random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1)); // full jitter
}
