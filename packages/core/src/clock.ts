/** Where the time comes from. Passed in, so that tests move it by hand. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. For records and for people; it may jump. */
  nowMs(): number;
  /** Monotonic milliseconds from an arbitrary start. For durations, timeouts and leases. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted; it never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
    }),
};
