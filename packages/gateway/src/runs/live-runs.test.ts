import { describe, expect, it } from '@jest/globals';
import { StaleError } from '@drydock/core';
import { LiveRuns } from './live-runs.ts';

const one = '0123456789abcdef-1';
const two = '0123456789abcdef-2';
const ten = '0123456789abcdef-10';
const other = 'fedcba9876543210-1';

describe('LiveRuns', () => {
  it('ends the requests of a run, and of that run alone', () => {
    const live = new LiveRuns();
    using first = live.enter(one, 60_000);
    using second = live.enter(one, 60_000);
    using another = live.enter(other, 60_000);

    live.end(one, new StaleError('run.revoked', 'ended'));

    expect([first, second, another].map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
    expect(first.signal.reason).toMatchObject({ code: 'run.revoked' });
  });

  it('ends older launches of a task by their numbers', () => {
    const live = new LiveRuns();
    using older = live.enter(one, 60_000);
    using old = live.enter(two, 60_000);
    using newest = live.enter(ten, 60_000);
    using another = live.enter(other, 60_000);

    live.endOlder(ten);

    expect([older, old, newest, another].map(({ signal }) => signal.aborted)).toEqual([true, true, false, false]);
  });

  it('ends a request when the time of its run is over', async () => {
    const live = new LiveRuns();
    using late = live.enter(one, 0);

    if (!late.signal.aborted) await new Promise((resolve) => late.signal.addEventListener('abort', resolve));

    expect(late.signal.reason).toMatchObject({ code: 'run.timed_out' });
  });

  it('lets no run have more requests at once than it needs, and others have theirs', () => {
    const live = new LiveRuns();
    const entered = Array.from({ length: 24 }, () => live.enter(one, 60_000));

    expect(() => live.enter(one, 60_000)).toThrow('too many requests');
    using another = live.enter(other, 60_000);
    expect(another.signal.aborted).toBe(false);
    entered[0]?.[Symbol.dispose]();
    using next = live.enter(one, 60_000);
    expect(next.signal.aborted).toBe(false);
    for (const request of entered) request[Symbol.dispose]();
  });

  it('forgets requests that are over', () => {
    const live = new LiveRuns();
    const over = live.enter(one, 60_000);
    over[Symbol.dispose]();

    live.endAll(new StaleError('aborted', 'stopping'));

    expect(over.signal.aborted).toBe(false);
  });
});
