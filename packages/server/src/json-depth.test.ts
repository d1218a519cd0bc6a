import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isNestedDeeperThan } from './json-depth.ts';

/** As JSON.parse sees it: a value that holds none is 0 deep. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Texts full of what could be taken for structure, or for the end of a text. */
const trickyText = fc.string({
  unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', '\\"', '\\\\', '\u2028', 'ä', '😀', '\n', 'a'),
  maxLength: 12,
});
const { value: trickyJson } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 8, withCrossShrink: true },
    trickyText,
    fc.constantFrom(0, -1.5, null, true),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(trickyText, tie('value'), { maxKeys: 4 }),
  ),
}));

describe('isNestedDeeperThan', () => {
  it('counts the same depth as JSON.parse finds', () => {
    fc.assert(
      fc.property(trickyJson, fc.constantFrom(0, 2), (value, indent) => {
        const json = JSON.stringify([value], null, indent);
        const depth = depthOf(JSON.parse(json));

        expect([isNestedDeeperThan(json, depth), isNestedDeeperThan(json, depth - 1)]).toEqual([false, true]);
      }),
      { numRuns: 3000 },
    );
  });

  it('ends on whatever text it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(3), (text, limit) => {
        expect(typeof isNestedDeeperThan(text, limit)).toBe('boolean');
      }),
    );
  });

  it.each([1000, 100_000, 5_000_000])('finds %d levels without climbing them', (levels) => {
    expect(isNestedDeeperThan('['.repeat(levels), 64)).toBe(true);
    expect(isNestedDeeperThan('{"a":'.repeat(levels), 64)).toBe(true);
  });

  it('finds the end of a text behind many backslashes in linear time', () => {
    const manyQuotes = `["${'\\"'.repeat(2_000_000)}"]`;
    const manyBackslashes = `["${'\\\\'.repeat(2_000_000)}", []]`;

    expect(isNestedDeeperThan(manyQuotes, 1)).toBe(false);
    expect(isNestedDeeperThan(manyBackslashes, 1)).toBe(true);
  });
});
