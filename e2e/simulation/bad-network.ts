import { TransientError, type Clock, type ErrorCode } from '@drydock/core';
import type { Chance } from './chance.ts';

/** What goes wrong on the way to somebody, while the storm lasts. */
export interface BadNetwork {
  /** Carries a call out: at once or late, once or not at all, answered or not. */
  carry<Answer>(call: () => Promise<Answer>, signal: AbortSignal): Promise<Answer>;
  calm(): void;
}

/** Which error a caller sees, and when it gives up. */
export interface NetworkErrors {
  readonly broken: ErrorCode;
  readonly timedOut: ErrorCode;
  readonly timeoutMs: number;
}

const executeThenFail = 0.2;
const failBefore = 0.03;
const hang = 0.01;

/** A network with every fifth call carried out and its answer lost. */
export function badNetwork(clock: Clock, chance: Chance, errors: NetworkErrors): BadNetwork {
  let isCalm = false;

  async function slow(ms: number, signal: AbortSignal): Promise<void> {
    await clock.sleep(ms, signal);
    signal.throwIfAborted();
  }

  return {
    calm() {
      isCalm = true;
    },
    async carry(call, signal) {
      signal.throwIfAborted();
      if (isCalm) return call();
      if (chance.isHit(0.2)) await slow(chance.between(1, 400), signal);
      const fate = chance.next();
      if (fate < failBefore) throw new TransientError(errors.broken, 'refused');
      if (fate < failBefore + hang) {
        if (chance.isHit(0.5)) await call();
        await slow(errors.timeoutMs, signal);
        throw new TransientError(errors.timedOut, 'no answer');
      }
      const answer = await call();
      if (fate < failBefore + hang + executeThenFail) throw new TransientError(errors.broken, 'the answer was lost');
      return answer;
    },
  };
}
