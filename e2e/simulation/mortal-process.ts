import type { Clock, CrashPoint } from '@drydock/core';

const never = new AbortController().signal;

/**
 * A process of the simulation. All that it does to the world goes through ports that it holds, so that dead it does
 * nothing more: what it called never answers it, though it may still be carried out. Frozen it does the same for a time.
 */
export class MortalProcess {
  readonly died: Promise<unknown>;
  readonly #clock: Clock;
  readonly #tellDeath: () => void;
  #isDead = false;
  #frozenUntilMs = -Infinity;
  #deathAt: { readonly point: CrashPoint; left: number } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    const { promise, resolve } = Promise.withResolvers<null>();
    this.died = promise;
    this.#tellDeath = () => {
      resolve(null);
    };
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isFrozen(): boolean {
    return this.#clock.nowMs() < this.#frozenUntilMs;
  }

  die(): void {
    this.#isDead = true;
    this.#tellDeath();
  }

  dieAt(point: CrashPoint, nth: number): void {
    this.#deathAt = { point, left: nth };
  }

  freeze(ms: number): void {
    this.#frozenUntilMs = this.#clock.nowMs() + ms;
  }

  readonly reach = (point: CrashPoint): void => {
    if (this.#deathAt?.point !== point) return;
    this.#deathAt.left -= 1;
    if (this.#deathAt.left === 0) this.die();
  };

  /** Asks the world for something, if we live to; the answer comes if we live to hear it. */
  async ask<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    await this.#alive();
    try {
      const answer = await work();
      await this.#alive();
      return answer;
    } catch (error) {
      await this.#alive();
      throw error;
    }
  }

  /** The clock as this process sees it: frozen, it does not wake. */
  get clock(): Clock {
    const { nowMs, monotonicMs } = this.#clock;
    return {
      nowMs: () => nowMs.call(this.#clock),
      monotonicMs: () => monotonicMs.call(this.#clock),
      sleep: (ms, signal) => this.ask(() => this.#clock.sleep(ms, signal)),
    };
  }

  async #alive(): Promise<void> {
    while (this.isFrozen && !this.#isDead) await this.#clock.sleep(this.#frozenUntilMs - this.#clock.nowMs(), never);
    if (this.#isDead) await new Promise(() => undefined);
  }
}
