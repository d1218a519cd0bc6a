import { TransientError, type Clock } from '@drydock/core';

const windowMs = 60_000;

/** Keeps one account's new comments under a number a minute: forges stop writers that are faster. */
export class NoteLimiter {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #longestWaitMs: number;
  /** When the comments of the last minute were, or are yet, to be sent. Oldest first. */
  #turnsMs: number[] = [];

  constructor(clock: Clock, perMinute: number, longestWaitMs = 65_000) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#longestWaitMs = longestWaitMs;
  }

  /** Resolves when a comment may be sent, or the signal is aborted. Throws `forge.rate_limited` at once when that is too far away. */
  async takeTurn(signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonicMs();
    this.#turnsMs = this.#turnsMs.filter((turn) => turn > now - windowMs);
    const turn = Math.max(now, (this.#turnsMs.at(-this.#perMinute) ?? -Infinity) + windowMs);
    if (turn - now > this.#longestWaitMs)
      throw new TransientError('forge.rate_limited', 'too many comments are waiting to be written', {
        retryAfterMs: Math.ceil(turn - now),
      });
    this.#turnsMs.push(turn);
    if (turn > now) await this.#clock.sleep(turn - now, signal);
  }
}
