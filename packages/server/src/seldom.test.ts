import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import { Seldom } from './seldom.ts';

describe('Seldom', () => {
  it('tells the first at once, then how many there were since', () => {
    const clock = new ManualClock();
    const seldom = new Seldom(clock, 10_000);

    const counts = [seldom.count('a'), seldom.count('a'), seldom.count('a'), seldom.count('b')];
    clock.jump(10_000);
    counts.push(seldom.count('a'));
    clock.jump(10_000);
    counts.push(seldom.count('a'));

    expect(counts).toEqual([1, null, null, 1, 3, 1]);
  });
});
