import type { Clock } from '@drydock/core';

/** What one attempt may use. Tokens and money are the gateway's to count. */
export interface LoopLimits {
  readonly maxTurns: number;
  readonly maxCallsPerTurn: number;
  readonly maxCalls: number;
  /** Of the clock's monotonic time: when the loop must have ended. */
  readonly deadlineMs: number;
  /** Output tokens asked for in a turn. */
  readonly maxOutputTokens: number;
  /** What that may be raised to when a turn was cut inside a tool call. */
  readonly maxRaisedOutputTokens: number;
}

/** Counts turns, calls and time. */
export class LoopBudget {
  readonly limits: LoopLimits;
  readonly #clock: Clock;
  #turns = 0;
  #calls = 0;
  #outputTokens: number;

  constructor(limits: LoopLimits, clock: Clock) {
    this.limits = limits;
    this.#clock = clock;
    this.#outputTokens = limits.maxOutputTokens;
  }

  /** Whole turns so far, discarded ones included. */
  get turns(): number {
    return this.#turns;
  }

  get outputTokens(): number {
    return this.#outputTokens;
  }

  leftMs(): number {
    return Math.max(0, this.limits.deadlineMs - this.#clock.monotonicMs());
  }

  noteTurn(): void {
    this.#turns += 1;
  }

  /** How many of so many calls may run. */
  takeCalls(wanted: number): number {
    const { maxCallsPerTurn, maxCalls } = this.limits;
    const taken = Math.min(wanted, maxCallsPerTurn, maxCalls - this.#calls);
    this.#calls += taken;
    return taken;
  }

  /** Doubles the output cap. False: it is at its end. */
  raiseOutputTokens(): boolean {
    if (this.#outputTokens >= this.limits.maxRaisedOutputTokens) return false;
    this.#outputTokens = Math.min(2 * this.#outputTokens, this.limits.maxRaisedOutputTokens);
    return true;
  }

  /** Why no further turn may begin, or null. */
  spent(): 'turns' | 'calls' | 'time' | null {
    if (this.#turns >= this.limits.maxTurns) return 'turns';
    if (this.#calls >= this.limits.maxCalls) return 'calls';
    return this.leftMs() <= 0 ? 'time' : null;
  }
}
