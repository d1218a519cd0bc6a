import { describe, expect, it } from '@jest/globals';
import type { FileDiff } from '@drydock/core';
import { readAttributes } from './git-attributes.ts';
import { countChanges, leaveOut } from './left-out.ts';
import { riskOf } from './risk.ts';

const policy = { ignorePaths: [] as string[], onlyPaths: [] as string[], maxFiles: 100, maxChangedLines: 20_000 };
const noAttributes = readAttributes([]);

function aFile(
  newPath: string,
  facts: Partial<FileDiff> & { readonly added?: number; readonly removed?: number } = {},
): FileDiff {
  const { added = 1, removed = 0, ...rest } = facts;
  const count = added + removed;
  return {
    status: 'modified',
    oldMode: '100644',
    newMode: '100644',
    oldOid: 'a'.repeat(40),
    newOid: 'b'.repeat(40),
    oldPath: newPath,
    newPath,
    pathIsValid: true,
    similarity: null,
    isBinary: false,
    isSubmodule: false,
    isSymlink: false,
    oldEndsWithoutNewline: false,
    newEndsWithoutNewline: false,
    hunks: [
      { oldStart: 1, oldLines: removed, newStart: 1, newLines: added, heading: '', firstRow: 0, rowCount: count },
    ],
    rows: {
      count,
      kinds: new Uint8Array(count),
      oldCounters: new Uint32Array(count),
      newCounters: new Uint32Array(count),
      textStarts: new Uint32Array(count),
      patch: Buffer.alloc(0),
    },
    ...rest,
  };
}

function whyOf(file: FileDiff, facts: Partial<Parameters<typeof leaveOut>[1]> = {}): string | null | undefined {
  return leaveOut([file], { policy, attributes: noAttributes, ...facts })[0]?.leftOut;
}

const says = (text: string) => ({ attributes: readAttributes([{ folder: '', text }]) });

describe('leaveOut', () => {
  it.each(['src/app.ts', 'lib/util.go', 'vendors/list.ts', 'minute.js', 'locks/file.ts', 'snapshot.ts'])(
    'reads %s',
    (path) => {
      expect(whyOf(aFile(path))).toBeNull();
    },
  );

  it.each([
    ['package-lock.json', 'lock file'],
    ['web/yarn.lock', 'lock file'],
    ['Cargo.lock', 'lock file'],
    ['go.sum', 'lock file'],
    ['vendor/x/y.go', 'vendored'],
    ['web/node_modules/a/index.js', 'vendored'],
    ['third_party/zlib/zlib.c', 'vendored'],
    ['dist/app.min.js', 'minified'],
    ['app.js.map', 'minified'],
    ['api/thing.pb.go', 'generated'],
    ['api/thing_pb2.py', 'generated'],
    ['zz_generated.deepcopy.go', 'generated'],
    ['test/__snapshots__/a.test.js.snap', 'generated'],
  ])('leaves out %s as %s', (path, why) => {
    expect(whyOf(aFile(path))).toBe(why);
  });

  it('leaves out what has no lines to read', () => {
    expect(whyOf(aFile('a.png', { isBinary: true }))).toBe('binary');
    expect(whyOf(aFile('sub', { isSubmodule: true }))).toBe('submodule');
    expect(whyOf(aFile('a\ufffd.js', { pathIsValid: false }))).toBe('its path is not UTF-8');
    expect(whyOf(aFile('big.js', { added: 9000 }))).toBe('too large: over 8000 changed lines');
  });

  it('follows the target branch: what it calls generated, and what it does not', () => {
    expect(whyOf(aFile('src/api.ts'), says('src/api.ts linguist-generated'))).toBe('generated, says .gitattributes');
    expect(whyOf(aFile('src/api.ts'), says('src/* linguist-vendored=true'))).toBe('vendored, says .gitattributes');
    expect(whyOf(aFile('data.csv'), says('*.csv -diff'))).toBe('without diff, says .gitattributes');
    expect(whyOf(aFile('vendor/own.go'), says('vendor/own.go -linguist-vendored'))).toBeNull();
    expect(whyOf(aFile('yarn.lock'), says('yarn.lock linguist-generated=false'))).toBeNull();
  });

  it('follows the policy', () => {
    const ignoring = { policy: { ...policy, ignorePaths: ['docs/**', '*.{txt,md}'] } };

    expect(whyOf(aFile('docs/a/b.ts'), ignoring)).toBe('ignored by policy');
    expect(whyOf(aFile('README.md'), ignoring)).toBe('ignored by policy');
    expect(whyOf(aFile('src/a.ts'), ignoring)).toBeNull();
  });

  it('looks only at the paths that the policy names, less what it ignores', () => {
    const only = { policy: { ...policy, onlyPaths: ['src/**', 'lib/*.ts'], ignorePaths: ['src/old/**'] } };

    expect(whyOf(aFile('src/a/b.ts'), only)).toBeNull();
    expect(whyOf(aFile('lib/c/d.ts'), only)).toBe('not among the paths to review');
    expect(whyOf(aFile('src/old/a.ts'), only)).toBe('ignored by policy');
    expect(whyOf(aFile('src/a.min.js'), only)).not.toBeNull();
  });

  it('keeps the riskiest files when there are too many, in their order', () => {
    const files = ['a.md', 'b.test.ts', 'c.ts', 'd/auth.ts', 'e.json'].map((path) => aFile(path));

    const reviewed = leaveOut(files, { policy: { ...policy, maxFiles: 2 }, attributes: noAttributes });

    expect(reviewed.map((file) => [file.diff.newPath, file.leftOut])).toEqual([
      ['a.md', 'over the limit of 2 files'],
      ['b.test.ts', 'over the limit of 2 files'],
      ['c.ts', null],
      ['d/auth.ts', null],
      ['e.json', 'over the limit of 2 files'],
    ]);
  });

  it('leaves out what does not fit into the lines, and goes on with what does', () => {
    const files = [aFile('a.ts', { added: 60 }), aFile('b.ts', { added: 50 }), aFile('c.ts', { removed: 30 })];

    const reviewed = leaveOut(files, { policy: { ...policy, maxChangedLines: 100 }, attributes: noAttributes });

    expect(reviewed.map((file) => file.leftOut)).toEqual([null, 'over the limit of 100 changed lines', null]);
  });
});

describe('countChanges', () => {
  it('counts rows that stand on one side only', () => {
    const file = aFile('a.ts', {
      hunks: [
        { oldStart: 1, oldLines: 7, newStart: 1, newLines: 8, heading: '', firstRow: 0, rowCount: 9 },
        { oldStart: 20, oldLines: 3, newStart: 21, newLines: 0, heading: '', firstRow: 9, rowCount: 3 },
      ],
    });

    expect(countChanges(file)).toEqual({ added: 2, removed: 4 });
  });
});

describe('riskOf', () => {
  it('puts code before its tests, and both before prose', () => {
    const order = ['README.md', 'src/a.test.ts', 'config.yaml', 'src/a.ts', 'src/login.ts'];

    const risks = order.map((path) => riskOf(aFile(path)));

    expect([...risks].sort((left, right) => left - right)).toEqual(risks);
    expect(new Set(risks).size).toBe(order.length);
  });
});
