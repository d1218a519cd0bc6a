import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codeHash, containsCode, findingIdentity, normaliseCode, type FindingPlace } from './finding-identity.ts';

const file = ['import a', '', 'function f() {', '  return a / b;', '}', '', 'function g() {', '  return c;', '}'];
const place: FindingPlace = {
  path: 'src/f.ts',
  category: 'correctness',
  side: 'new',
  lines: file,
  startLine: 4,
  endLine: 4,
};

describe('findingIdentity', () => {
  it('survives lines that come and go above, indentation and line endings', () => {
    const moved = ['// new', '// header', ...file.map((line) => `\t\t${line}\r`)];

    expect(findingIdentity({ ...place, lines: moved, startLine: 6, endLine: 6 })).toBe(findingIdentity(place));
  });

  it('survives code that moves to another place of the file', () => {
    const moved = ['function g() {', '  return c;', '}', 'export function other() {', '  return a / b;', '}'];

    expect(findingIdentity({ ...place, lines: moved, startLine: 5, endLine: 5 })).toBe(findingIdentity(place));
  });

  it.each<[string, Partial<FindingPlace>]>([
    ['another path', { path: 'src/g.ts' }],
    ['another category', { category: 'security' }],
    ['another side', { side: 'old' }],
    ['other code', { startLine: 8, endLine: 8 }],
    ['more code', { endLine: 5 }],
  ])('differs for %s', (_name, change) => {
    expect(findingIdentity({ ...place, ...change })).not.toBe(findingIdentity(place));
  });

  it('tells twins apart by their neighbours, and keeps doing so when another twin appears', () => {
    const twins = ['a()', 'save(x)', 'b()', 'c()', 'save(x)', 'd()'];
    const identity = (lines: string[], line: number) =>
      findingIdentity({ ...place, lines, startLine: line, endLine: line });

    expect(identity(twins, 2)).not.toBe(identity(twins, 5));
    expect(identity(['z()', 'save(x)', 'y()', ...twins], 8)).toBe(identity(twins, 5));
  });

  it('tells twins with the same neighbours apart by their order', () => {
    const lines = ['{', 'x = 1', '}', '{', 'x = 1', '}', '{', 'x = 1', '}'];
    const identities = [2, 5, 8].map((line) => findingIdentity({ ...place, lines, startLine: line, endLine: line }));

    expect(new Set(identities).size).toBe(3);
  });

  it('gives blank lines an identity too', () => {
    expect(findingIdentity({ ...place, startLine: 2, endLine: 2 })).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('containsCode', () => {
  it('finds code again wherever it went, and only if it is all there', () => {
    const line = fc.constantFrom('a', ' b', 'c  d', '', '}', 'return x;');
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 8 }),
        fc.array(line, { minLength: 1, maxLength: 4 }),
        fc.array(line, { maxLength: 8 }),
        (before, code, after) => {
          const normalised = normaliseCode(code);
          const hash = codeHash(normalised);

          expect(containsCode([...before, ...code, ...after], hash, normalised.length)).toBe(true);
          if (normalised.length > 0) expect(containsCode(['nothing', 'of it'], hash, normalised.length)).toBe(false);
        },
      ),
    );
  });
});
