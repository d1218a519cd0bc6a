import { DrydockError, TransientError, type Clock } from '@drydock/core';

/** How often a write is tried in one call. */
const maxTries = 2;
/** A write that timed out here may still be under way there. */
const settleMs = 1000;

/**
 * Writes, and after an answer that tells nothing looks whether it was done before it is tried again. Gives what was
 * written or found. When that is still unknown, a `TransientError`: the whole publishing is called again later.
 */
export async function writeAndLook<T>(
  clock: Clock,
  signal: AbortSignal,
  { write, look }: { readonly write: () => Promise<T>; readonly look: () => Promise<T | null> },
): Promise<T> {
  let failure: unknown;
  for (let attempt = 1; attempt <= maxTries; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      if (!isUnknown(error)) throw error;
      failure = error;
    }
    await clock.sleep(settleMs, signal);
    const found = await look();
    if (found !== null) return found;
  }
  if (failure instanceof TransientError) throw failure;
  throw new TransientError('forge.bad_answer', 'it is not known whether a comment was written', { cause: failure });
}

/** After these the write may have been done all the same, or its target is gone; refused in so many words, it was not. */
const unknownAfter = new Set<string>([
  'forge.unreachable',
  'forge.timeout',
  'forge.unavailable',
  'forge.conflict',
  'forge.redirected',
  'forge.bad_answer',
  'forge.not_found',
]);

function isUnknown(error: unknown): boolean {
  return error instanceof DrydockError && unknownAfter.has(error.code);
}
