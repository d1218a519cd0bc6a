import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyGlob, compileGlob } from './path-glob.ts';

describe('compileGlob', () => {
  it.each([
    ['*.ts', 'a.ts'],
    ['*.ts', '.ts'],
    ['**/*.ts', 'a.ts'],
    ['**/*.ts', 'x/y/a.ts'],
    ['vendor/**', 'vendor/a/b.go'],
    ['vendor/**', 'vendor/.hidden'],
    ['**/vendor/**', 'a/vendor/b'],
    ['**/vendor/**', 'vendor/b'],
    ['a/**/b', 'a/b'],
    ['a/**/b', 'a/x/y/b'],
    ['a/**/b/**/c', 'a/b/x/b/c'],
    ['**', 'any/thing'],
    ['src/*/index.ts', 'src/core/index.ts'],
    ['file?.md', 'file1.md'],
    ['file[0-9].md', 'file7.md'],
    ['file[!0-9].md', 'filex.md'],
    ['file[]x].md', 'file].md'],
    ['*.{js,ts}', 'a.js'],
    ['*.{js,ts}', 'a.ts'],
    ['{a,b/{c,d}}/x', 'b/d/x'],
    ['{package,pnpm}-lock.{json,yaml}', 'pnpm-lock.yaml'],
    ['a\\*b', 'a*b'],
    ['./a', 'a'],
    ['a**b', 'axxb'],
    ['a{b', 'a{b'],
    ['a{b}', 'a{b}'],
    ['a[b', 'a[b'],
    ['日本/*', '日本/語'],
    ['?', '😀'],
  ])('%s matches %s', (pattern, path) => {
    expect(compileGlob(pattern)(path)).toBe(true);
  });

  it.each([
    ['*.ts', 'a/b.ts'],
    ['*.ts', 'a.tsx'],
    ['**/*.ts', 'a.js'],
    ['vendor/**', 'vendored/a'],
    ['vendor/**', 'vendor'],
    ['*/**', 'a'],
    ['vendor/**', 'a/vendor/b'],
    ['a/*/b', 'a/b'],
    ['a/**/b', 'a/bc'],
    ['file?.md', 'file.md'],
    ['file?.md', 'file/.md'],
    ['a*b', 'a/b'],
    ['file[0-9].md', 'filex.md'],
    ['a[!x]b', 'a/b'],
    ['*.{js,ts}', 'a.css'],
    ['a\\*b', 'axb'],
    ['.', 'a'],
    ['', 'a'],
    ['a.b', 'axb'],
    ['(a|b)+', 'ab'],
    ['A', 'a'],
  ])('%s does not match %s', (pattern, path) => {
    expect(compileGlob(pattern)(path)).toBe(false);
  });

  it('is no trap for patterns that would explode as regular expressions', () => {
    const path = `${'a'.repeat(4000)}c`;
    const before = process.cpuUsage();

    for (const pattern of [
      '*a'.repeat(250),
      `${'**/'.repeat(150)}x`,
      '{a,b}'.repeat(100),
      `${'{'.repeat(250)}${'}'.repeat(250)}`,
    ]) {
      expect(compileGlob(pattern)(path)).toBe(false);
    }

    // Of the processor, which a busy machine does not lengthen: 10 ms, and years for one that goes back and forth.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000);
  });

  it('matches every path against itself, escaped', () => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'b', '*', '?', '[', ']', '{', '}', ',', '\\', '!', '.', 'é'),
      minLength: 1,
    });
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
        const path = names.join('/').replace(/^\.\//, 'x/');
        const escaped = path.replace(/[*?[\]{},\\!]/g, '\\$&');
        expect(compileGlob(escaped)(path)).toBe(true);
        expect(compileGlob('**')(path)).toBe(true);
      }),
    );
  });
});

describe('anyGlob', () => {
  it('is false without patterns and true once one matches', () => {
    expect(anyGlob([])('a')).toBe(false);
    expect(anyGlob(['b', 'a'])('a')).toBe(true);
  });
});
