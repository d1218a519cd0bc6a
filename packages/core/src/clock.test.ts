import { describe, expect, it } from '@jest/globals';
import { systemClock } from './clock.ts';

describe('systemClock', () => {
  it('sleeps longer than a timer of Node can', async () => {
    const stop = new AbortController();
    const monthMs = 31 * 24 * 3_600_000; // more than 2^31 - 1 ms: a plain timer would fire at once
    let isAwake = false;

    const slept = systemClock.sleep(monthMs, stop.signal).then(() => {
      isAwake = true;
    });
    await systemClock.sleep(20, stop.signal);
    expect(isAwake).toBe(false);

    stop.abort();
    await slept;
  });

  it('wakes when its signal is aborted, and sleeps not at all when it was before', async () => {
    const stop = new AbortController();
    const slept = systemClock.sleep(60_000, stop.signal);
    stop.abort();

    await slept;
    await systemClock.sleep(60_000, stop.signal);
  });

  it('takes nothing or less as no time', async () => {
    await systemClock.sleep(0, new AbortController().signal);
    await systemClock.sleep(-5, new AbortController().signal);
  });
});
