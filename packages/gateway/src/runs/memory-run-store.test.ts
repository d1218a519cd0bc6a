import { expect, it } from '@jest/globals';
import { exchangeContract } from './exchange.contract.ts';
import { MemoryRunStore } from './memory-run-store.ts';
import { progressContract } from './progress.contract.ts';
import { aReservation, aRunRecord } from './run-builders.ts';
import { noLimits, runStoreContract } from './run-store-contract.ts';
import type { ProgressLimits } from './run-store.ts';

const open = async (limits?: ProgressLimits) =>
  new MemoryRunStore(limits === undefined ? {} : { progressLimits: limits });
runStoreContract(open);
exchangeContract(open);
progressContract(open);

it('remembers the budget of a day of every policy, and forgets that of old days', async () => {
  const store = new MemoryRunStore();
  await store.start(aRunRecord(), 'hash');
  const days = ['2026-11-20', ...Array.from({ length: 20 }, (_, i) => `2026-11-21:policy-${String(i)}`), '2026-11-23'];
  for (const day of days) await store.reserve(aReservation({ id: day, day, nanoUsd: 5 }), noLimits);
  const spent = async (day: string) => (await store.dayUsage(day)).spentNanoUsd;

  expect(await Promise.all(days.map(spent))).toEqual(days.map(() => 5));
  await store.reserve(aReservation({ id: 'next', day: '2026-11-24' }), noLimits);
  expect(await Promise.all(['2026-11-20', '2026-11-21:policy-0'].map(spent))).toEqual([0, 5]);
});
