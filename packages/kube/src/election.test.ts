import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import fc from 'fast-check';
import { startElection, type Election } from './election.ts';
import { Candidate, LeaseStore } from './testing/lease-store.ts';

let clock: ManualClock;
let store: LeaseStore;
let everything: AbortController;
beforeEach(() => {
  clock = new ManualClock();
  store = new LeaseStore();
  everything = new AbortController();
});
afterEach(() => {
  everything.abort();
});

interface Runner {
  readonly candidate: Candidate;
  readonly election: Election;
  readonly stop: AbortController;
}

interface Habits {
  readonly skewMs?: number;
  readonly random?: () => number;
}

function run(identity: string, { skewMs = 0, random = () => 0.5 }: Habits = {}): Runner {
  const candidate = new Candidate(clock, store, skewMs);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, everything.signal]);
  const settings = { client: candidate, namespace: 'drydock', name: 'drydock-scheduler', identity };
  return { candidate, stop, election: startElection({ ...settings, signal, clock: candidate, random }) };
}

describe('an election', () => {
  it('one leads and the other waits, however long', async () => {
    const [one, other] = [run('one'), run('other')];

    await clock.advance(120_000);

    expect([one.election.isLeader(), other.election.isLeader()].sort()).toEqual([false, true]);
    expect(other.election.leader).toBe(one.election.leader);
    expect(store.lease?.spec).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 1 });
  });

  it('renews with one write in 2 s and no read', async () => {
    run('one');
    await clock.advance(1);
    const before = store.writes;

    await clock.advance(60_000);

    expect(store.writes - before).toBe(30);
  });

  it('a leader that stops hands over within 3 s, when its work has ended', async () => {
    const one = run('one');
    const work = Promise.withResolvers<undefined>();
    one.election.onTerm(() => work.promise);
    await clock.advance(1);
    const other = run('other');
    await clock.advance(1_000);

    one.stop.abort();
    await clock.advance(3_000);
    const whileWorking = other.election.isLeader();
    work.resolve(undefined);
    await one.election.ended;
    await clock.advance(3_000);

    expect([whileWorking, other.election.isLeader(), one.election.isLeader()]).toEqual([false, true, false]);
    expect(store.lease?.spec).toMatchObject({ holderIdentity: 'other', leaseTransitions: 2 });
  });

  it('a leader that dies is followed within 20 s and not before 15', async () => {
    const one = run('one');
    await clock.advance(1);
    const other = run('other');
    await clock.advance(30_000);

    one.candidate.freeze();
    await clock.advance(12_500);
    const early = other.election.isLeader();
    await clock.advance(7_500);

    expect([early, other.election.isLeader()]).toEqual([false, true]);
  });

  it('reported 40: a leader that was frozen leads no more when it wakes, before it has asked anybody', async () => {
    const one = run('one');
    await clock.advance(1);
    const term = one.election.term;
    const other = run('other');
    await clock.advance(1_000);

    one.candidate.freeze();
    await clock.advance(60_000);
    const leadsOnWaking = one.election.isLeader();
    one.candidate.thaw();
    await clock.advance(5_000);

    expect(leadsOnWaking).toBe(false);
    expect(term?.signal.aborted).toBe(true);
    expect(term?.signal.reason).toMatchObject({ kind: 'stale', code: 'queue.lease_lost' });
    expect([one.election.isLeader(), other.election.isLeader()]).toEqual([false, true]);
  });

  it('a leader without an API server ends its term after 10 s, by its signal', async () => {
    const one = run('one');
    await clock.advance(4_001);
    const { term } = one.election;

    one.candidate.way = 'refused';
    await clock.advance(9_900 - 2_000);
    const before = term?.signal.aborted;
    await clock.advance(2_200);

    expect([before, term?.signal.aborted]).toEqual([false, true]);
  });

  it('an answer that is lost costs no leadership', async () => {
    const one = run('one');
    await clock.advance(4_001);
    const { term } = one.election;

    one.candidate.way = 'lost';
    await clock.advance(2_100);
    one.candidate.way = 'open';
    await clock.advance(30_000);

    expect(term?.signal.aborted).toBe(false);
    expect(one.election.isLeader()).toBe(true);
  });

  it('wall clocks that are an hour apart change nothing', async () => {
    const one = run('one', { skewMs: -3_600_000 });
    await clock.advance(1);
    const other = run('other', { skewMs: 3_600_000 });

    await clock.advance(120_000);

    expect([one.election.isLeader(), other.election.isLeader()]).toEqual([true, false]);
  });

  it('work that fails ends neither the term nor the election', async () => {
    const one = run('one');
    one.election.onTerm(() => {
      throw new Error('a bug');
    });

    await clock.advance(30_000);

    expect(one.election.isLeader()).toBe(true);
  });

  it('never do two lead at once, whatever is frozen, cut off or stopped', async () => {
    const step = fc.record({
      who: fc.integer({ min: 0, max: 2 }),
      what: fc.constantFrom('freeze', 'thaw', 'open', 'refused', 'lost', 'none', 'stop'),
      ms: fc.constantFrom(0, 1, 500, 1_900, 5_000, 9_999, 15_000, 21_000),
    });

    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        clock = new ManualClock();
        store = new LeaseStore();
        everything = new AbortController();
        const runners = ['a', 'b', 'c'].map((name, index) => run(name, { random: () => index / 3 }));
        const leading = () => runners.filter(({ candidate, election }) => !candidate.isFrozen && election.isLeader());
        for (const { who, what, ms } of steps) {
          const runner = runners[who];
          if (what === 'freeze') runner?.candidate.freeze();
          else if (what === 'thaw') runner?.candidate.thaw();
          else if (what === 'stop' && ms === 1) runner?.stop.abort();
          else if (what === 'open' || what === 'refused' || what === 'lost') {
            if (runner !== undefined) runner.candidate.way = what;
          }
          expect(leading().length).toBeLessThanOrEqual(1);
          for (let passed = 0; passed < ms; passed += 500) {
            await clock.advance(Math.min(500, ms - passed));
            expect(leading().length).toBeLessThanOrEqual(1);
          }
        }
        for (const { candidate } of runners) {
          candidate.way = 'open';
          candidate.thaw();
        }
        await clock.advance(45_000);
        const isAnybodyLeft = runners.some(({ stop }) => !stop.signal.aborted);
        expect(leading()).toHaveLength(isAnybodyLeft ? 1 : 0);
        everything.abort();
        await clock.advance(30_000);
      }),
      { numRuns: 100 },
    );
  });
});
