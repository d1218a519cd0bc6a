import { BlockedError, TransientError, type Log } from '@drydock/core';

/** What was answered, or that who was asked is away or refuses us for now. */
export type IfAnswered<Answer> =
  { readonly kind: 'answered'; readonly answer: Answer } | { readonly kind: 'unanswered' };

/** Whether a fault says nothing about what was asked for: it passes, or a person mends it. */
export function isPassing(error: unknown): error is TransientError | BlockedError {
  return error instanceof TransientError || error instanceof BlockedError;
}

/** Asks where no answer is no reason to stop. Throws what is none of those faults, and whatever comes once the signal is aborted. */
export async function ifAnswered<Answer>(
  log: Log,
  signal: AbortSignal,
  ask: () => Promise<Answer>,
): Promise<IfAnswered<Answer>> {
  try {
    return { kind: 'answered', answer: await ask() };
  } catch (err) {
    if (signal.aborted || !isPassing(err)) throw err;
    log.warn({ code: err.code, err }, 'not known for now');
    return { kind: 'unanswered' };
  }
}
