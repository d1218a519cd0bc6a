import { describe, expect, it } from '@jest/globals';
import { TerminalError, TransientError } from './errors.ts';
import { nextDelayMs } from './retry.ts';

const policy = { maxAttempts: 4, baseMs: 100, capMs: 300 };
const fault = new TransientError('forge.unavailable', 'x');

describe('nextDelayMs', () => {
  it('spreads each delay over the whole of a doubling, capped span', () => {
    const longest = [1, 2, 3].map((attempt) => nextDelayMs(policy, attempt, fault, () => 1));

    expect(longest).toEqual([100, 200, 300]);
    expect(nextDelayMs(policy, 3, fault, () => 0)).toBe(0);
  });

  it('waits as long as it was told to', () => {
    expect(nextDelayMs(policy, 1, new TransientError('forge.rate_limited', 'x', { retryAfterMs: 7000 }))).toBe(7000);
  });

  it('gives up after the last attempt, and at once on what never will work', () => {
    expect(nextDelayMs(policy, 4, fault)).toBeNull();
    expect(nextDelayMs(policy, 1, new TerminalError('forge.rejected', 'x'))).toBeNull();
    expect(nextDelayMs(policy, 1, new Error('bug'))).toBeNull();
  });
});
