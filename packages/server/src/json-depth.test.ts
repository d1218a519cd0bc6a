import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isNestedDeeperThan } from './json-depth.ts';

/** A value that holds none is 0 deep. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('isNestedDeeperThan', () => {
  it('tells any depth from the next', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (inner) => {
        const value: unknown = JSON.parse(JSON.stringify([inner]));
        const depth = depthOf(value);

        expect([isNestedDeeperThan(value, depth), isNestedDeeperThan(value, depth - 1)]).toEqual([false, true]);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([1000, 100_000, 1_000_000])('finds %d levels without climbing them', (levels) => {
    const arrays: unknown = JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    const objects: unknown = JSON.parse('{"a":'.repeat(levels) + '1' + '}'.repeat(levels));

    expect([isNestedDeeperThan(arrays, 64), isNestedDeeperThan(objects, 64)]).toEqual([true, true]);
  });

  it.each(['text', 1, null, true])('takes %p for no level at all', (value) => {
    expect(isNestedDeeperThan(value, 0)).toBe(false);
  });
});
