import { TerminalError, type Clock } from '@drydock/core';

/** Time kept back at the end of an attempt, so that what was found can still be handed in. */
const reserve = { share: 0.1, minMs: 1000, maxMs: 30_000 };

/** When an attempt must stop looking. */
export interface Deadline extends Disposable {
  /** Of the clock's monotonic time. */
  readonly atMs: number;
  /** Aborted then, with `budget.time_spent` as its reason. */
  readonly signal: AbortSignal;
}

/** The deadline of an attempt that began at `startedAtMs` of monotonic time and may take `limitMs`. */
export function startDeadline(clock: Clock, startedAtMs: number, limitMs: number): Deadline {
  const keptBackMs = Math.min(reserve.maxMs, Math.max(reserve.minMs, limitMs * reserve.share));
  const atMs = startedAtMs + limitMs - keptBackMs;
  const late = new AbortController();
  const over = new AbortController();
  void clock.sleep(Math.max(0, atMs - clock.monotonicMs()), over.signal).then(() => {
    if (!over.signal.aborted) late.abort(new TerminalError('budget.time_spent', 'the time for one attempt is over'));
  });
  return {
    atMs,
    signal: late.signal,
    [Symbol.dispose]: () => {
      over.abort();
    },
  };
}
