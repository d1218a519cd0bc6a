import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runIdOf, type Publication } from '@drydock/core';
import { aReservation, aRunRecord, aTaskContext } from './run-builders.ts';
import type { BudgetLimits, RunStore } from './run-store.ts';

/** Budgets that nobody reaches. */
export const noLimits: BudgetLimits = { runNanoUsd: 1e12, runTokens: 1e9, dayNanoUsd: 1e12, dayTokens: 1e9 };
/** What a call came to. */
export const used = (nanoUsd: number | null, output = 5) => ({
  tokens: { input: 10, output, cacheRead: 3, cacheWrite: 2 },
  nanoUsd,
});

/** What every run store must do. `open` gives a store that holds nothing. */
export function runStoreContract(open: () => Promise<RunStore>): void {
  describe('RunStore', () => {
    let store: RunStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    describe('tokens', () => {
      it('finds a run by its token and by no other', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');

        expect((await store.findByToken('hash-1'))?.record).toEqual(record);
        expect(await store.findByToken('hash-2')).toBeNull();
        expect(await store.findByToken('')).toBeNull();
      });

      it('gives the same run a new token and forgets the old one', async () => {
        await store.start(aRunRecord(), 'hash-1');
        await store.start(aRunRecord(), 'hash-2');

        expect(await store.findByToken('hash-1')).toBeNull();
        expect(await store.findByToken('hash-2')).not.toBeNull();
      });

      it('takes the same start twice as one', async () => {
        await store.start(aRunRecord(), 'hash-1');

        expect(await store.start(aRunRecord(), 'hash-1')).toBe('started');
        expect(await store.findByToken('hash-1')).not.toBeNull();
      });

      it('marks an older launch as superseded once a newer one starts, and refuses to start it again', async () => {
        await store.start(aRunRecord({ launch: 1 }), 'hash-1');
        await store.start(aRunRecord({ launch: 2 }), 'hash-2');

        expect(await store.findByToken('hash-1')).toMatchObject({ isSuperseded: true });
        expect(await store.findByToken('hash-2')).toMatchObject({ isSuperseded: false });
        expect(await store.start(aRunRecord({ launch: 1 }), 'hash-3')).toBe('superseded');
      });

      it('counts launches as numbers', async () => {
        await store.start(aRunRecord({ launch: 9 }), 'hash-9');

        expect(await store.start(aRunRecord({ launch: 10 }), 'hash-10')).toBe('started');
        expect(await store.start(aRunRecord({ launch: 9 }), 'hash-9')).toBe('superseded');
      });

      it('keeps the tasks apart', async () => {
        await store.start(aRunRecord({ iid: 1, launch: 5 }), 'hash-1');

        expect(await store.start(aRunRecord({ iid: 2, launch: 1 }), 'hash-2')).toBe('started');
        expect(await store.findByToken('hash-1')).toMatchObject({ isSuperseded: false });
      });

      it('revokes for good', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');
        await store.revoke(record.runId);
        await store.revoke(record.runId);

        expect(await store.findByToken('hash-1')).toMatchObject({ isRevoked: true });
        expect(await store.start(record, 'hash-2')).toBe('revoked');
      });

      it('knows nothing of a run that was only revoked', async () => {
        await store.revoke(runIdOf('review:gitlab:1:1', 1));

        expect(await store.get(runIdOf('review:gitlab:1:1', 1))).toBeNull();
      });
    });

    describe('results', () => {
      const result = (message: string) =>
        JSON.stringify({
          v: 1,
          result: { kind: 'failed', class: 'terminal', code: 'model.refused', message, retryAfterMs: null },
        });

      it('keeps one result and tells the same from another', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');

        expect(await store.storeResult(record.runId, result('a'), 1000)).toEqual({ kind: 'stored' });
        expect(await store.storeResult(record.runId, result('a'), 1000)).toEqual({ kind: 'same' });
        expect(await store.storeResult(record.runId, result('b'), 1000)).toEqual({ kind: 'conflict' });
        expect((await store.get(record.runId))?.result).toMatchObject({ message: 'a' });
      });

      it('keeps exactly one of many that come at once', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');

        const kept = await Promise.all(
          Array.from({ length: 20 }, (_, index) => store.storeResult(record.runId, result(String(index)), 1000)),
        );

        expect(kept.filter(({ kind }) => kind === 'stored')).toHaveLength(1);
        expect(kept.filter(({ kind }) => kind === 'conflict')).toHaveLength(19);
      });

      it('refuses what comes from a revoked, superseded, unknown or late run', async () => {
        const [revoked, superseded, late] = [aRunRecord({ iid: 1 }), aRunRecord({ iid: 2 }), aRunRecord({ iid: 3 })];
        await store.start(revoked, 'hash-1');
        await store.start(superseded, 'hash-2');
        await store.start(late, 'hash-3');
        await store.revoke(revoked.runId);
        await store.start(aRunRecord({ iid: 2, launch: 2 }), 'hash-4');

        const why = async (runId: string, nowMs: number) => store.storeResult(runId, result('a'), nowMs);

        expect(await why(revoked.runId, 1000)).toEqual({ kind: 'refused', why: 'revoked' });
        expect(await why(superseded.runId, 1000)).toEqual({ kind: 'refused', why: 'superseded' });
        expect(await why(late.runId, late.deadlineAtMs + 1)).toEqual({ kind: 'refused', why: 'late' });
        expect(await why(runIdOf('review:gitlab:9:9', 1), 1000)).toEqual({ kind: 'refused', why: 'unknown' });
        expect((await store.get(late.runId))?.result).toBeNull();
      });

      it('keeps the result of a run that is revoked later', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');
        await store.storeResult(record.runId, result('a'), 1000);
        await store.revoke(record.runId);

        expect((await store.get(record.runId))?.result).toMatchObject({ message: 'a' });
      });

      it('keeps a publication', async () => {
        const record = aRunRecord();
        const publication: Publication = {
          v: 1,
          headSha: aTaskContext().diffRefs.headSha,
          state: 'done',
          verdict: 'clean',
          comments: [],
          resolved: 0,
          heldBack: { 'over the cap': 2 },
          usage: {
            calls: 0,
            reusedCalls: 0,
            tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
            costUsd: null,
          },
          summaryUrl: null,
        };
        await store.start(record, 'hash-1');

        expect((await store.get(record.runId))?.publication).toBeNull();
        await store.storePublication(record.runId, publication);
        expect((await store.get(record.runId))?.publication).toEqual(publication);
      });
    });

    describe('budgets', () => {
      it('lets no calls that run at once spend more than the run may', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');
        const limits = { ...noLimits, runNanoUsd: 1000 };

        const replies = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            store.reserve(aReservation({ id: String(index), nanoUsd: 300 }), limits),
          ),
        );

        expect(replies.filter(({ kind }) => kind === 'reserved')).toHaveLength(3);
        expect(replies.at(-1)).toEqual({ kind: 'refused', budget: 'run', unit: 'usd' });
      });

      it('lets no runs of a day spend more than the day may', async () => {
        const limits = { ...noLimits, dayNanoUsd: 1000 };
        await Promise.all([1, 2, 3, 4, 5].map((iid) => store.start(aRunRecord({ iid }), `hash-${String(iid)}`)));

        const replies = await Promise.all(
          [1, 2, 3, 4, 5].map((iid) => store.reserve(aReservation({ iid, id: String(iid), nanoUsd: 300 }), limits)),
        );

        expect(replies.filter(({ kind }) => kind === 'reserved')).toHaveLength(3);
        expect(replies.filter(({ kind }) => kind === 'refused')[0]).toEqual({
          kind: 'refused',
          budget: 'day',
          unit: 'usd',
        });
        expect(
          await store.reserve(aReservation({ iid: 5, id: 'next', nanoUsd: 300, day: '2026-11-22' }), limits),
        ).toEqual({ kind: 'reserved' });
      });

      it('counts tokens where there is no price', async () => {
        await store.start(aRunRecord(), 'hash-1');
        const limits = { runNanoUsd: 0, runTokens: 100, dayNanoUsd: 0, dayTokens: 100 };

        expect(await store.reserve(aReservation({ id: 'a', nanoUsd: null, tokens: 60 }), limits)).toEqual({
          kind: 'reserved',
        });
        expect(await store.reserve(aReservation({ id: 'b', nanoUsd: null, tokens: 60 }), limits)).toEqual({
          kind: 'refused',
          budget: 'run',
          unit: 'tokens',
        });
        expect(
          await store.reserve(aReservation({ id: 'b', nanoUsd: null, tokens: 60 }), { ...limits, runTokens: 1000 }),
        ).toEqual({ kind: 'refused', budget: 'day', unit: 'tokens' });
      });

      it('gives back what a call did not use', async () => {
        await store.start(aRunRecord(), 'hash-1');
        const limits = { ...noLimits, runNanoUsd: 1000 };
        const first = aReservation({ id: 'a', nanoUsd: 900, tokens: 500 });
        await store.reserve(first, limits);
        await store.settle(first, { charged: { nanoUsd: 100, tokens: 20 }, used: used(100) });

        expect(await store.reserve(aReservation({ id: 'b', nanoUsd: 900 }), limits)).toEqual({ kind: 'reserved' });
        expect((await store.get(first.runId))?.usage).toEqual({
          calls: 1,
          reusedCalls: 0,
          tokens: { input: 10, output: 5, cacheRead: 3, cacheWrite: 2 },
          costUsd: 100e-9,
        });
        expect(await store.dayUsage(first.day)).toMatchObject({
          usage: { calls: 1, costUsd: 100e-9 },
          spentNanoUsd: 1000,
        });
      });

      it('counts a reservation and its settlement once, however often they are written', async () => {
        await store.start(aRunRecord(), 'hash-1');
        const call = aReservation({ id: 'a', nanoUsd: 300, tokens: 50 });
        await store.reserve(call, noLimits);
        await store.reserve(call, noLimits);
        expect(await store.dayUsage(call.day)).toMatchObject({ spentNanoUsd: 300, spentTokens: 50 });

        await store.settle(call, { charged: { nanoUsd: 100, tokens: 20 }, used: used(100) });
        await store.settle(call, { charged: { nanoUsd: 100, tokens: 20 }, used: used(100) });
        expect(await store.dayUsage(call.day)).toMatchObject({
          usage: { calls: 1 },
          spentNanoUsd: 100,
          spentTokens: 20,
        });
      });

      it('counts calls answered from the answer store beside the paid ones, and no money for them', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');
        const call = aReservation({ nanoUsd: 300 });
        await store.countReused(record.runId, call.day);
        await store.reserve(call, noLimits);
        await store.settle(call, { charged: { nanoUsd: 100, tokens: 20 }, used: used(100) });
        await store.countReused(record.runId, call.day);
        await store.addProgress(record.runId, [{ kind: 'turn', turn: 3 }], 1000);

        const usage = { calls: 1, reusedCalls: 2, costUsd: 100e-9 };
        expect((await store.get(record.runId))?.usage).toMatchObject(usage);
        expect((await store.progressAfter(record.runId, 0))[0]?.usage).toMatchObject(usage);
        expect(await store.dayUsage(call.day)).toMatchObject({ usage, spentNanoUsd: 100, spentTokens: 20 });
      });

      it('counts nothing reused for a run that is not known', async () => {
        await store.countReused(runIdOf('review:gitlab:9:9', 1), '2026-11-21');

        expect((await store.dayUsage('2026-11-21')).usage.reusedCalls).toBe(0);
      });

      it('counts no call for one that was never answered', async () => {
        await store.start(aRunRecord(), 'hash-1');
        const call = aReservation({ id: 'a', nanoUsd: 300 });
        await store.reserve(call, noLimits);
        await store.settle(call, { charged: { nanoUsd: 0, tokens: 0 }, used: null });

        expect((await store.get(call.runId))?.usage).toMatchObject({ calls: 0, costUsd: 0 });
        expect(await store.dayUsage(call.day)).toMatchObject({ spentNanoUsd: 0, spentTokens: 0 });
      });

      it('tells no cost once a call had no price', async () => {
        await store.start(aRunRecord(), 'hash-1');
        for (const [id, nanoUsd] of [
          ['a', 100],
          ['b', null],
        ] as const) {
          const call = aReservation({ id, nanoUsd });
          await store.reserve(call, noLimits);
          await store.settle(call, { charged: { nanoUsd: nanoUsd ?? 0, tokens: 20 }, used: used(nanoUsd) });
        }

        expect((await store.get(aReservation().runId))?.usage).toMatchObject({ calls: 2, costUsd: null });
      });

      it('counts sums beyond 2^31 exactly', async () => {
        await store.start(aRunRecord(), 'hash-1');
        const limits = { ...noLimits, runNanoUsd: 9e15, dayNanoUsd: 9e15 };
        const call = aReservation({ id: 'a', nanoUsd: 4_000_000_000_000_001 });
        await store.reserve(call, limits);

        expect((await store.dayUsage(call.day)).spentNanoUsd).toBe(4_000_000_000_000_001);
      });

      it('keeps what a run used when it is started again', async () => {
        const record = aRunRecord();
        await store.start(record, 'hash-1');
        const call = aReservation({ nanoUsd: 300 });
        await store.reserve(call, noLimits);
        await store.settle(call, { charged: { nanoUsd: 300, tokens: 20 }, used: used(300) });
        await store.start(record, 'hash-2');

        expect(
          await store.reserve(aReservation({ id: 'z', nanoUsd: 800 }), { ...noLimits, runNanoUsd: 1000 }),
        ).toMatchObject({ kind: 'refused' });
      });
    });

    it('answers when it is asked', async () => {
      await expect(store.ping()).resolves.toBeUndefined();
    });
  });
}
