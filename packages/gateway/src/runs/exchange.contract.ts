import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { aRunRecord } from './run-builders.ts';
import type { RunStore } from './run-store.ts';

/** How every run store gives a run to its pod. `open` gives a store that holds nothing. */
export function exchangeContract(open: () => Promise<RunStore>): void {
  describe('RunStore: an exchange', () => {
    let store: RunStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    const pod = (podUid: string, tokenHash: string) => ({ podUid, tokenHash });
    const exchange = (podUid: string, tokenHash: string, nowMs = 2000) =>
      store.exchange(aRunRecord().runId, pod(podUid, tokenHash), nowMs);

    it('gives a token to the pod of a run that waits for it', async () => {
      await store.start(aRunRecord(), null);

      expect(await exchange('pod-1', 'hash-1')).toEqual({ kind: 'exchanged' });
      expect((await store.findByToken('hash-1'))?.record).toMatchObject({ runId: aRunRecord().runId });
    });

    it('is for the first pod, and for no other', async () => {
      await store.start(aRunRecord(), null);
      await exchange('pod-1', 'hash-1');

      expect(await exchange('pod-2', 'hash-2')).toEqual({ kind: 'replayed', why: 'other-pod' });
      expect(await store.findByToken('hash-2')).toBeNull();
      expect(await store.findByToken('hash-1')).not.toBeNull();
    });

    it('is won by exactly one of many pods at once', async () => {
      await store.start(aRunRecord(), null);

      const all = await Promise.all(
        Array.from({ length: 20 }, (_, i) => exchange(`pod-${String(i)}`, `hash-${String(i)}`)),
      );

      expect(all.filter(({ kind }) => kind === 'exchanged')).toHaveLength(1);
      expect(all.filter(({ kind }) => kind === 'replayed')).toHaveLength(19);
    });

    it('may be repeated by its pod, whose answer was lost: only the newest token counts', async () => {
      await store.start(aRunRecord(), null);
      await exchange('pod-1', 'hash-1');

      expect(await exchange('pod-1', 'hash-2')).toEqual({ kind: 'exchanged' });
      expect(await store.findByToken('hash-1')).toBeNull();
      expect(await store.findByToken('hash-2')).not.toBeNull();
    });

    it('is over once its token was used', async () => {
      await store.start(aRunRecord(), null);
      await exchange('pod-1', 'hash-1');
      await store.findByToken('hash-1');

      expect(await exchange('pod-1', 'hash-2')).toEqual({ kind: 'replayed', why: 'token-used' });
      expect(await exchange('pod-2', 'hash-2')).toEqual({ kind: 'replayed', why: 'other-pod' });
      expect(await store.findByToken('hash-2')).toBeNull();
      expect(await store.findByToken('hash-1')).not.toBeNull();
    });

    it('is not undone when the same launch is asked for again', async () => {
      await store.start(aRunRecord(), null);
      await store.start(aRunRecord(), null);
      await exchange('pod-1', 'hash-1');

      expect(await store.start(aRunRecord(), null)).toBe('started');

      expect(await store.findByToken('hash-1')).not.toBeNull();
      expect(await exchange('pod-2', 'hash-2')).toEqual({ kind: 'replayed', why: 'other-pod' });
    });

    it('is refused for a run that is revoked, superseded, late, unknown, or whose token was given away', async () => {
      const why = async (iid: number, nowMs = 2000) =>
        store.exchange(aRunRecord({ iid }).runId, pod('pod-1', 'hash-x'), nowMs);
      await store.start(aRunRecord({ iid: 1 }), null);
      await store.revoke(aRunRecord({ iid: 1 }).runId);
      await store.start(aRunRecord({ iid: 2 }), null);
      await store.start(aRunRecord({ iid: 2, launch: 2 }), null);
      await store.start(aRunRecord({ iid: 3 }), null);
      await store.start(aRunRecord({ iid: 4 }), 'hash-4');

      expect(await why(1)).toEqual({ kind: 'refused', why: 'revoked' });
      expect(await why(2)).toEqual({ kind: 'refused', why: 'superseded' });
      expect(await why(3, aRunRecord().deadlineAtMs + 1)).toEqual({ kind: 'refused', why: 'late' });
      expect(await why(4)).toEqual({ kind: 'refused', why: 'granted' });
      expect(await why(5)).toEqual({ kind: 'refused', why: 'unknown' });
      expect(await store.findByToken('hash-x')).toBeNull();
      expect(await store.findByToken('hash-4')).not.toBeNull();
    });

    it('leaves no token behind when the run is granted instead, nor the other way round', async () => {
      await store.start(aRunRecord(), null);
      await exchange('pod-1', 'hash-1');

      await store.start(aRunRecord(), 'hash-2');
      expect(await store.findByToken('hash-1')).toBeNull();
      expect(await store.findByToken('hash-2')).not.toBeNull();

      await store.start(aRunRecord(), null);
      expect(await store.findByToken('hash-2')).toBeNull();
      expect(await exchange('pod-2', 'hash-3')).toEqual({ kind: 'exchanged' });
    });

    describe('begins the time of the run', () => {
      /** Half an hour for the pod, and a quarter for the work. */
      const waiting = { ...aRunRecord(), startSeconds: 1800, startedAtMs: 1000, deadlineAtMs: 1_921_000 };
      const { runId } = waiting;
      const result = JSON.stringify({
        ...{ v: 1, runId },
        result: { kind: 'failed', class: 'transient', code: 'model.overloaded', message: 'm', retryAfterMs: null },
      });
      const late = { kind: 'refused', why: 'late' };

      it('which is whole, however late its pod comes within the time for that', async () => {
        await store.start(waiting, null);
        expect(await exchange('pod-1', 'hash-1', 1_900_000)).toEqual({ kind: 'exchanged' });

        const deadlineAtMs = 1_900_000 + 1_800_000 + 900_000 + 120_000;
        expect(await store.findByToken('hash-1')).toMatchObject({ record: { ...waiting, deadlineAtMs } });
        expect(await store.storeResult(runId, result, deadlineAtMs + 1)).toEqual(late);
        expect(await store.storeResult(runId, result, deadlineAtMs)).toEqual({ kind: 'stored' });
      });

      it('but not for a pod that comes too late', async () => {
        await store.start(waiting, null);

        expect(await exchange('pod-1', 'hash-1', 1_921_001)).toEqual(late);
      });

      it('once: neither the same pod nor the same launch begins it anew', async () => {
        await store.start(waiting, null);
        await exchange('pod-1', 'hash-1', 1_900_000);
        const begun = (await store.get(runId))?.record.deadlineAtMs;

        expect(await exchange('pod-1', 'hash-2', 1_990_000)).toEqual({ kind: 'exchanged' });
        await store.start({ ...waiting, startedAtMs: 1_990_000, deadlineAtMs: 3_910_000 }, null);

        expect((await store.findByToken('hash-2'))?.record.deadlineAtMs).toBe(begun);
      });

      it('also of one that was recorded before there was a time for its pod', async () => {
        const old = { ...aRunRecord(), startedAtMs: 1000, deadlineAtMs: 1_021_000 };
        await store.start(old, null);
        await exchange('pod-1', 'hash-1', 1_000_000);

        expect((await store.get(runId))?.record.deadlineAtMs).toBe(1_000_000 + 900_000 + 120_000);
      });

      it('and a grant of its token ends that', async () => {
        await store.start(waiting, null);
        await exchange('pod-1', 'hash-1', 1_900_000);

        await store.start(aRunRecord(), 'hash-2');

        expect((await store.findByToken('hash-2'))?.record).toEqual(aRunRecord());
      });
    });

    it('is dead with its run', async () => {
      await store.start(aRunRecord(), null);
      await exchange('pod-1', 'hash-1');
      await store.revoke(aRunRecord().runId);

      expect(await store.findByToken('hash-1')).toMatchObject({ isRevoked: true });
      expect(await exchange('pod-1', 'hash-2')).toEqual({ kind: 'refused', why: 'revoked' });
    });
  });
}
