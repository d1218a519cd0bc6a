import { describe, expect, it } from '@jest/globals';
import { OpenLoop } from './open-loop.ts';

describe('an offered load', () => {
  it('lets each begin when it is due, and not sooner because another one has ended', () => {
    const loop = new OpenLoop({ count: 3, perSecond: 500, connections: 8 });

    const begun = [0, 1, 2, 3, 4].map((nowMs) => {
      const now = loop.begin(nowMs);
      for (const index of now) loop.end(index, nowMs + 0.5);
      return now;
    });

    expect(begun).toEqual([[0], [], [1], [], [2]]);
    expect(loop.latenciesMs).toEqual([0.5, 0.5, 0.5]);
    expect([loop.nextDueMs, loop.isOver]).toEqual([null, true]);
  });

  it('charges a server that stood still for all who came meanwhile, with and without a connection', () => {
    const loop = new OpenLoop({ count: 6, perSecond: 100, connections: 2 });

    const first = [...loop.begin(0), ...loop.begin(10)];
    const none = loop.begin(50);
    for (const index of first) loop.end(index, 50);
    const second = loop.begin(50);
    for (const index of second) loop.end(index, 60);
    const third = loop.begin(60);
    for (const index of third) loop.end(index, 61);

    expect([first, none, second, third]).toEqual([[0, 1], [], [2, 3], [4, 5]]);
    expect(loop.latenciesMs).toEqual([50, 40, 40, 30, 21, 11]);
    expect(loop.isOver).toBe(true);
  });

  it('sends at once all that are due when it was looked at late', () => {
    const loop = new OpenLoop({ count: 100, perSecond: 1000, connections: 64 });

    expect(loop.begin(9.9)).toHaveLength(10);
    expect(loop.nextDueMs).toBe(10);
  });
});
