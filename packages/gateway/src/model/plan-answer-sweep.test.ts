import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planAnswerSweep } from './plan-answer-sweep.ts';

const file = fc.record({
  bytes: fc.integer({ min: 0, max: 1000 }),
  storedAtMs: fc.integer({ min: -2000, max: 2000 }),
  usedAtMs: fc.integer({ min: -2000, max: 2000 }),
});
const bounds = { nowMs: 0, maxAgeMs: 1000, maxBytes: 2000 };

describe('planAnswerSweep', () => {
  it('leaves no more than the bounds, and drops nothing fresh that was used after something it leaves', () => {
    fc.assert(
      fc.property(fc.array(file, { maxLength: 30 }), (parts) => {
        const files = parts.map((part, index) => ({ ...part, name: String(index) }));

        const { drop, bytesLeft } = planAnswerSweep(files, bounds);

        const left = files.filter(({ name }) => !drop.includes(name));
        const dropped = files.filter(({ name, storedAtMs }) => drop.includes(name) && Math.abs(storedAtMs) <= 1000);
        expect(left.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(bytesLeft);
        expect(bytesLeft).toBeLessThanOrEqual(bounds.maxBytes);
        expect(left.filter(({ storedAtMs }) => Math.abs(storedAtMs) > 1000)).toEqual([]);
        const oldestLeft = Math.min(...left.map(({ usedAtMs }) => usedAtMs));
        for (const { usedAtMs } of dropped) expect(usedAtMs).toBeLessThanOrEqual(oldestLeft);
      }),
    );
  });

  it('drops nothing while there is room', () => {
    const files = [{ name: 'a', bytes: 2000, storedAtMs: 0, usedAtMs: -5000 }];

    expect(planAnswerSweep(files, bounds)).toEqual({ drop: [], bytesLeft: 2000 });
  });
});
