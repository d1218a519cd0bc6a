import type { Clock } from '@drydock/core';

/** Turns at calls: `burst` at once, then `perSecond`, in the order of asking. */
export interface TokenBucket {
  /**
   * Resolves with the milliseconds waited, or earlier than its turn when the signal is aborted. Null, at once and
   * without a turn taken: it would come later than in `longestMs`.
   */
  take(signal: AbortSignal, longestMs: number): Promise<number | null>;
  /** Nobody's turn comes before then: the server asked all of us to wait. */
  pause(ms: number): void;
}

/** A bucket, full at first. */
export function createTokenBucket(perSecond: number, burst: number, clock: Clock): TokenBucket {
  const intervalMs = 1000 / perSecond;
  // The time at which the bucket would have been full: one number holds both its level and the queue before it.
  let fullAtMs = clock.monotonicMs();
  return {
    take: async (signal, longestMs) => {
      const nowMs = clock.monotonicMs();
      const nextMs = Math.max(fullAtMs, nowMs) + intervalMs;
      const waitMs = nextMs - nowMs - burst * intervalMs;
      if (waitMs > longestMs) return null;
      fullAtMs = nextMs;
      if (waitMs <= 0) return 0;
      await clock.sleep(waitMs, signal);
      return clock.monotonicMs() - nowMs;
    },
    pause: (ms) => {
      fullAtMs = Math.max(fullAtMs, clock.monotonicMs() + ms + burst * intervalMs);
    },
  };
}
