import type { Clock } from '@drydock/core';

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. Both of its times run together. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #sleepers = new Set<Sleeper>();

  /** `startMs` is the wall clock at the beginning. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || ms <= 0) {
        resolve();
        return;
      }
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { untilMs: this.#nowMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  /** How many wait for the time to pass: a test that must not run ahead of them looks here. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Moves the time on and wakes nobody: a process that was frozen finds the time gone before its timers fire. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  /** Moves the time on, waking sleepers in their order; what they do next has run when this resolves. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = [...this.#sleepers]
        .filter((sleeper) => sleeper.untilMs <= endMs)
        .sort((left, right) => left.untilMs - right.untilMs)[0];
      if (due === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, due.untilMs);
      due.wake();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs); // somebody may have jumped meanwhile
    await settle();
  }
}

/** Lets everything run that can run without the time or the outside. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
