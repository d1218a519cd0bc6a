import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runIdOf } from '@drydock/core';
import { aReservation, aRunRecord } from './run-builders.ts';
import { noLimits, used } from './run-store-contract.ts';
import { progressLimits, type ProgressLimits, type RunStore } from './run-store.ts';

/** What every run store keeps of what agents told. `open` gives a store that holds nothing. */
export function progressContract(open: (limits?: ProgressLimits) => Promise<RunStore>): void {
  describe('RunStore: progress', () => {
    let store: RunStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    const log = (text: string) => ({ kind: 'log', level: 'info', text }) as const;

    it('numbers entries from 1 with what was used by then', async () => {
      const record = aRunRecord();
      await store.start(record, 'hash-1');
      const reservation = aReservation({ nanoUsd: 100, tokens: 50 });

      await store.addProgress(record.runId, [log('one'), log('two\nlines')], 1000);
      await store.reserve(reservation, noLimits);
      await store.settle(reservation, { charged: { nanoUsd: 7, tokens: 20 }, used: used(7) });
      await store.addProgress(record.runId, [log('three')], 2000);

      const entries = await store.progressAfter(record.runId, 1);
      expect(entries).toEqual([
        {
          seq: 2,
          atMs: 1000,
          event: log('two\nlines'),
          usage: {
            calls: 0,
            reusedCalls: 0,
            tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
            costUsd: 0,
          },
        },
        {
          seq: 3,
          atMs: 2000,
          event: log('three'),
          usage: {
            calls: 1,
            reusedCalls: 0,
            tokens: { input: 10, output: 5, cacheRead: 3, cacheWrite: 2 },
            costUsd: 7e-9,
          },
        },
      ]);
    });

    it('keeps the last entries only', async () => {
      const record = aRunRecord();
      await store.start(record, 'hash-1');
      for (let batch = 0; batch < 4; batch += 1) {
        await store.addProgress(
          record.runId,
          Array.from({ length: 200 }, (_, index) => log(String(batch * 200 + index + 1))),
          1000,
        );
      }

      const entries = await store.progressAfter(record.runId, 0);

      expect(entries).toHaveLength(progressLimits.entriesPerRun);
      expect(entries[0]).toMatchObject({ seq: 301, event: { text: '301' } });
      expect(entries.at(-1)).toMatchObject({ seq: 800 });
    });

    describe('within limits', () => {
      const text = 'x'.repeat(100);
      const all = { entriesPerRun: 1000, bytesPerRun: 100_000, runs: 1000, bytes: 1_000_000 };

      async function limited(limits: Partial<ProgressLimits>, runs: number): Promise<void> {
        await store.close();
        store = await open({ ...all, ...limits });
        for (let iid = 1; iid <= runs; iid += 1) await store.start(aRunRecord({ iid }), `hash-${String(iid)}`);
      }
      const tell = (iid: number, count = 1, atMs = 1000 + iid) =>
        store.addProgress(aRunRecord({ iid }).runId, Array<ReturnType<typeof log>>(count).fill(log(text)), atMs);
      const kept = async (iid: number) =>
        (await store.progressAfter(aRunRecord({ iid }).runId, 0)).map(({ seq }) => seq);

      it('of bytes keeps the last entries of a run, and the last in any case', async () => {
        await limited({ bytesPerRun: 500 }, 2);
        await tell(1, 20);
        await store.addProgress(aRunRecord({ iid: 2 }).runId, [log('y'), log('x'.repeat(900))], 1000);

        expect(await kept(1)).toEqual([18, 19, 20]);
        expect(await kept(2)).toEqual([2]);
        expect(await store.progressAfter(aRunRecord({ iid: 1 }).runId, 18)).toHaveLength(2);
      });

      it('of runs forgets what those told that were silent longest', async () => {
        await limited({ runs: 2 }, 4);
        for (const iid of [1, 2, 3]) await tell(iid);
        await tell(2, 1, 5000);
        await tell(4, 1, 6000);

        expect(await Promise.all([1, 2, 3, 4].map(kept))).toEqual([[], [1, 2], [], [1]]);
        expect((await store.get(aRunRecord({ iid: 1 }).runId))?.record.runId).toBe(aRunRecord({ iid: 1 }).runId);
      });

      it('of all bytes forgets the same, and counts what is gone as gone', async () => {
        await limited({ bytes: 1000 }, 12);
        for (let iid = 1; iid <= 11; iid += 1) await tell(iid, 2);

        const lengths = (await Promise.all(Array.from({ length: 12 }, (_, i) => kept(i + 1)))).map((one) => one.length);
        expect(lengths).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 0]);

        await tell(12, 2);
        expect([await kept(9), await kept(10), await kept(12)]).toEqual([[], [1, 2], [1, 2]]);
        await tell(1);
        expect(await kept(1)).toEqual([3]);
      });
    });

    it('keeps nothing of a run that is not known', async () => {
      await store.addProgress(runIdOf('review:gitlab:9:9', 1), [log('x')], 1000);

      expect(await store.progressAfter(runIdOf('review:gitlab:9:9', 1), 0)).toEqual([]);
    });
  });
}
