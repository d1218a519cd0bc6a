import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { globsOverlap } from './glob-overlap.ts';
import { compileGlob, readGlob } from './path-glob.ts';

const overlap = (left: string, right: string) => globsOverlap(readGlob(left), readGlob(right));

describe('globsOverlap', () => {
  it.each([
    ['a/*', 'a/b'],
    ['a/**', 'a/b/c'],
    ['**', 'a'],
    ['**/x', 'a/**'],
    ['a*c/d', 'ab*/d'],
    ['[a-m]/x', '[m-z]/x'],
    ['[!a]/x', '[!b]/x'],
    ['{a,b}/x', '{b,c}/x'],
    ['*/b/**', 'a/**/c'],
    ['?/x', '日/x'],
  ])('%s and %s have a path in common', (left, right) => {
    expect(overlap(left, right)).toBe(true);
    expect(overlap(right, left)).toBe(true);
  });

  it.each([
    ['a/*', 'b/*'],
    ['a/*', 'a/b/c'],
    ['a/**', 'a'],
    ['a*/x', 'b*/x'],
    ['*a/x', '*b/x'],
    ['[a-l]/x', '[m-z]/x'],
    ['[!a-z]/x', '[b-d]/x'],
    ['{a,b}/x', '{c,d}/x'],
    ['??/x', 'a/x'],
    ['*/*', '*/*/*'],
  ])('%s and %s have none', (left, right) => {
    expect(overlap(left, right)).toBe(false);
    expect(overlap(right, left)).toBe(false);
  });

  it('says what trying every path says', () => {
    const names = ['a', 'b', 'ab'];
    const deeper = (paths: readonly string[]) => paths.flatMap((path) => names.map((name) => `${path}/${name}`));
    const levels = [1, 2, 3, 4].reduce<string[][]>((known) => [...known, deeper(known.at(-1) ?? [])], [names]);
    const paths = levels.flat();
    // Such that a common path, if there is one, is among those that are tried.
    const name = fc.constantFrom('a', 'b', '*', '?', 'a*', '*b', '[ab]', '{a,b}', 'ab', '?b');
    const glob = fc
      .array(fc.oneof(name, fc.constant('**')), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(glob, glob, (left, right) => {
        const [matchesLeft, matchesRight] = [compileGlob(left), compileGlob(right)];
        const isFound = paths.some((path) => matchesLeft(path) && matchesRight(path));

        const isOverlap = overlap(left, right);

        expect(isOverlap).toBe(isFound);
        expect(overlap(right, left)).toBe(isOverlap);
      }),
      { numRuns: 3000 },
    );
  });

  it('answers in time, whatever is asked', () => {
    const long = `${'*a'.repeat(100)}/${'**/'.repeat(50)}x`;

    expect(overlap(long, `${'a*'.repeat(100)}/${'**/b/'.repeat(30)}y`)).toBe(false);
  });
});
