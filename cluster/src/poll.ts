import { setTimeout as sleep } from 'node:timers/promises';

export interface PollOptions {
  /** What is waited for, as the error names it. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly everyMs?: number;
  readonly signal: AbortSignal;
}

/** Looks again until the answer is neither false nor null; throws once the time is over. */
export async function poll<T>(
  look: () => Promise<T | false | null> | T | false | null,
  { what, timeoutMs, everyMs = 50, signal }: PollOptions,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== false && found !== null) return found;
    if (performance.now() > endMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await sleep(everyMs, undefined, { signal });
  }
}
