/**
 * Which calls are repeated, and when. The queue's retries cost a lease and minutes; an API server that is restarted, or
 * elects a leader in etcd, is back in seconds. So a call is repeated here, but only where that can do no harm and
 * only within its own time:
 *
 * | what happened                              | reads, deletes, writes with a precondition | other writes           |
 * | ------------------------------------------ | ------------------------------------------ | ---------------------- |
 * | 429                                        | repeated when told                         | the same               |
 * | nothing was sent (refused, no route)       | repeated                                   | the same               |
 * | 408, 5xx, reset, no answer: perhaps done   | repeated                                   | thrown; create: looked |
 * | 401                                        | once, with the token read again (transport)| the same               |
 * | 400, 403, 404, 409, 410, 422               | thrown                                     | the same               |
 */
import { TransientError, type Clock } from '@drydock/core';
import type { Failure } from './kube-error.ts';
import { CallFailed } from './kube-transport.ts';

/** What a call's repetitions need to know. */
export interface Repetition {
  /** Doing it twice is doing it once. */
  readonly isRepeatable: boolean;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

const maxTries = 6;
const basePauseMs = 100;
const longestPauseMs = 5_000;

/** Calls until there is an answer, or something that is not repeated: thrown as `CallFailed`. */
export async function repeatCall<T>(
  { isRepeatable, signal, timeoutMs }: Repetition,
  clock: Clock,
  random: () => number,
  call: (leftMs: number) => Promise<T>,
): Promise<T> {
  const endMs = clock.monotonicMs() + timeoutMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await call(endMs - clock.monotonicMs());
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      const pauseMs = pauseBefore(error.failure, isRepeatable, tries, random);
      if (pauseMs === null || clock.monotonicMs() + pauseMs >= endMs) throw error;
      await clock.sleep(pauseMs, signal);
      if (signal.aborted) throw error;
    }
  }
}

/** `tries` is how often it was tried; null: no more. */
function pauseBefore(
  { error, effect, status }: Failure,
  isRepeatable: boolean,
  tries: number,
  random: () => number,
): number | null {
  if (!(error instanceof TransientError) || error.code === 'kube.quota' || error.code === 'aborted') return null;
  if (status === 409 || status === 410) return null;
  if (effect === 'unknown' && !isRepeatable) return null;
  if (tries >= maxTries) return null;
  const jittered = (0.5 + random() / 2) * Math.min(longestPauseMs, basePauseMs * 2 ** tries);
  return error.retryAfterMs === null ? jittered : error.retryAfterMs + random() * basePauseMs;
}
