import type { Clock, ProgressEntry, RunId } from '@drydock/core';
import type { RunStore } from './run-store.ts';

/** Another gateway may have taken what an agent told, so that the store is asked; of a run that is silent, for a number. */
const lookAgainMs = 200;
const longestWaitMs = 5000;
/** More than so many at once are answered at once. */
const maxWaiting = 500;

/** Reads what agents told, and waits for it if there is nothing yet. */
export class AwaitProgress {
  readonly #store: RunStore;
  readonly #clock: Clock;
  #waiting = 0;

  constructor(store: RunStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Entries with a higher number than `after`, oldest first; none when the time is over, or the signal aborted. */
  async after(
    runId: RunId,
    { after, waitMs }: { readonly after: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<readonly ProgressEntry[]> {
    const entries = await this.#store.progressAfter(runId, after);
    if (entries.length > 0 || waitMs === 0 || this.#waiting >= maxWaiting) return entries;
    this.#waiting += 1;
    try {
      return await this.#wait(runId, after, this.#clock.monotonicMs() + Math.min(waitMs, longestWaitMs), signal);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #wait(runId: RunId, after: number, untilMs: number, signal: AbortSignal): Promise<readonly ProgressEntry[]> {
    while (!signal.aborted) {
      const leftMs = untilMs - this.#clock.monotonicMs();
      if (leftMs <= 0) break;
      await this.#clock.sleep(Math.min(lookAgainMs, leftMs), signal);
      const entries = await this.#store.progressAfter(runId, after);
      if (entries.length > 0) return entries;
    }
    return [];
  }
}
