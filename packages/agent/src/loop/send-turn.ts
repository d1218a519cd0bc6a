import { nextDelayMs, TransientError, type Clock, type Log, type RetryPolicy } from '@drydock/core';
import type { Model, ModelRequest, ModelTurn } from './model.ts';

/** What sending needs besides the request. */
export interface SendFacts {
  readonly model: Model;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Milliseconds until the loop must have ended; no wait goes beyond it. */
  readonly leftMs: () => number;
}

const patience: RetryPolicy = { maxAttempts: 5, baseMs: 1000, capMs: 30_000 };
/** An overloaded model needs longer to recover than a lost connection. */
const longPatience: RetryPolicy = { maxAttempts: 5, baseMs: 2000, capMs: 60_000 };

/**
 * Sends a request until it gets a whole turn. Safe to repeat: no tool runs before a turn is whole, and the gateway
 * answers the same bytes from its store. Bounded, because the gateway has already tried again by itself.
 */
export async function sendTurn(request: ModelRequest, facts: SendFacts, signal: AbortSignal): Promise<ModelTurn> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await facts.model.reply(request, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      const policy = error.code === 'model.overloaded' ? longPatience : patience;
      const delayMs = nextDelayMs(policy, attempt, error, facts.random);
      if (delayMs === null || delayMs >= facts.leftMs()) throw error;
      facts.log.warn({ code: error.code, attempt, delayMs }, 'model call failed and is sent again');
      await facts.clock.sleep(delayMs, signal);
      signal.throwIfAborted();
    }
  }
}
