import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import { createTokenBucket } from './token-bucket.ts';

const { signal } = new AbortController();
const never = Number.POSITIVE_INFINITY;

describe('a token bucket', () => {
  it('gives its burst at once, then one turn after the other in the order of asking', async () => {
    const clock = new ManualClock(0);
    const bucket = createTokenBucket(20, 3, clock);
    const taken: number[] = [];

    for (let turn = 0; turn < 6; turn += 1) void bucket.take(signal, never).then(() => taken.push(clock.nowMs()));
    await clock.advance(1_000);

    expect(taken).toEqual([0, 0, 0, 50, 100, 150]);
  });

  it('fills up again', async () => {
    const clock = new ManualClock(0);
    const bucket = createTokenBucket(20, 3, clock);
    for (let turn = 0; turn < 3; turn += 1) await bucket.take(signal, never);
    await clock.advance(10_000);

    const waits = await Promise.all([1, 2, 3].map(() => bucket.take(signal, never)));

    expect(waits).toEqual([0, 0, 0]);
  });

  it('gives no turn before a pause is over, and says at once if that is too late', async () => {
    const clock = new ManualClock(0);
    const bucket = createTokenBucket(20, 3, clock);
    bucket.pause(5_000);

    const late = await bucket.take(signal, 1_000);
    const waiting = bucket.take(signal, 10_000);
    await clock.advance(5_050);

    expect(late).toBeNull();
    await expect(waiting).resolves.toBe(5_050);
  });
});
