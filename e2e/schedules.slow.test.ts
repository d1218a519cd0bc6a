import { describe, expect, it } from '@jest/globals';
import { simulateSchedule } from './simulation/simulate-schedule.ts';

/** One schedule again: `DRYDOCK_SCHEDULE_SEED=1234`. More of them: `DRYDOCK_SCHEDULES=200000`. */
const seed = process.env['DRYDOCK_SCHEDULE_SEED'];
const count = Number(process.env['DRYDOCK_SCHEDULES'] ?? 10_000);
const seeds = seed === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(seed)];

describe('schedules of faults', () => {
  it(
    'lose nothing, double nothing and leave nothing behind',
    async () => {
      const failed: string[] = [];
      for (const each of seeds) {
        const { violations } = await simulateSchedule(each);
        if (violations.length > 0) failed.push(`DRYDOCK_SCHEDULE_SEED=${String(each)}: ${violations.join('; ')}`);
        if (failed.length >= 10) break;
      }

      expect(failed).toEqual([]);
    },
    60_000 + count * 100,
  );

  it('come out the same again for the same seed', async () => {
    for (const each of [1, 2, 3, 4, 5]) expect(await simulateSchedule(each)).toEqual(await simulateSchedule(each));
  });
});
