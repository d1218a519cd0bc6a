import type { Clock } from '@drydock/core';

interface Sleeper {
  readonly untilMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** Time of a simulation: it goes on to the next sleeper once nothing else can run. */
export class SimulatedClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  #order = 0;
  readonly #sleepers = new Set<Sleeper>();

  readonly nowMs = (): number => this.#nowMs;
  readonly monotonicMs = (): number => this.#nowMs;

  readonly sleep = (ms: number, signal: AbortSignal): Promise<void> => {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#order += 1;
      const sleeper = { untilMs: this.#nowMs + ms, order: this.#order, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', wake, { once: true });
    });
  };

  /** Lets the time pass; sleepers wake in their order. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(endMs); next !== null; next = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.untilMs);
      next.wake();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Sleeper | null {
    let first: Sleeper | null = null;
    for (const sleeper of this.#sleepers) {
      if (sleeper.untilMs > endMs) continue;
      const isBefore =
        first === null ||
        sleeper.untilMs < first.untilMs ||
        (sleeper.untilMs === first.untilMs && sleeper.order < first.order);
      if (isBefore) first = sleeper;
    }
    return first;
  }
}

/** Nothing here waits for the outside, so that one turn of the event loop is enough. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
