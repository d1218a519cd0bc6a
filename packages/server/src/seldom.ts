import type { Clock } from '@drydock/core';

/**
 * Lets a thing be told once in a while, with how often it happened since: what anybody can cause at will must not fill
 * the log. Keys must be few.
 */
export class Seldom {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #told = new Map<string, { readonly atMs: number; held: number }>();

  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  /** How many to tell of, this one included; null: not now. */
  count(key: string): number | null {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#told.get(key);
    if (last !== undefined && nowMs - last.atMs < this.#everyMs) {
      last.held += 1;
      return null;
    }
    this.#told.set(key, { atMs: nowMs, held: 0 });
    return (last?.held ?? 0) + 1;
  }
}
