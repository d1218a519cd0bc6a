import type { Clock } from '@drydock/core';
import {
  knownProgress,
  type KnownProgress,
  type SweepLock,
  type SweepProgress,
  type SweepState,
} from './sweep-state.ts';

/** The sweep of one process, forgotten with its queue. */
export class MemorySweepState implements SweepState, SweepLock {
  readonly #clock: Clock;
  readonly #texts = new Map<string, string>();
  #held: { readonly owner: string; readonly untilMs: number } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async hold(owner: string, ttlMs: number): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#held !== null && this.#held.owner !== owner && this.#held.untilMs > nowMs) return false;
    this.#held = { owner, untilMs: nowMs + ttlMs };
    return true;
  }

  async release(owner: string): Promise<void> {
    if (this.#held?.owner === owner) this.#held = null;
  }

  async read(forge: string): Promise<KnownProgress> {
    return knownProgress(this.#texts.get(forge) ?? null);
  }

  async write(forge: string, progress: SweepProgress, revision: string): Promise<KnownProgress | null> {
    if ((this.#texts.get(forge) ?? '') !== revision) return null;
    const text = JSON.stringify(progress);
    this.#texts.set(forge, text);
    return knownProgress(text);
  }
}
