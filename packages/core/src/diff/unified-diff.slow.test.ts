import { describe, expect, it } from '@jest/globals';
import {
  aGitRepository,
  gitDiffOutput,
  type FileChange,
  type FileChanges,
  type GitDiffOptions,
} from '@drydock/testkit';
import { rowsOf, type FileDiff } from './file-diff.ts';
import { parseRawDiff } from './raw-diff.ts';
import { parseUnifiedDiff } from './unified-diff.ts';

type Files = Readonly<Record<string, FileChange>>;

const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

async function diffOf(before: FileChanges, after: FileChanges, options: GitDiffOptions = {}): Promise<FileDiff[]> {
  await using repository = await aGitRepository();
  const base = await repository.commit(before);
  const head = await repository.commit(after);
  const { raw, patch } = await gitDiffOutput(repository, base, head, options);
  return parseUnifiedDiff(patch, parseRawDiff(raw));
}

async function fileOf(before: FileChanges, after: FileChanges, options: GitDiffOptions = {}): Promise<FileDiff> {
  const [file, ...others] = await diffOf(before, after, options);
  if (file === undefined || others.length > 0) throw new Error('the case is to change one file');
  return file;
}

/** `-3 text`, `+3 text`, ` 3:4 text`. */
function shown(file: FileDiff): string[] {
  return Array.from(rowsOf(file), ({ kind, oldLine, newLine, text }) => {
    if (kind === 'context') return ` ${String(oldLine)}:${String(newLine)} ${text}`;
    return kind === 'added' ? `+${String(newLine)} ${text}` : `-${String(oldLine)} ${text}`;
  });
}

describe('parseUnifiedDiff', () => {
  it('reads rows with their numbers and texts', async () => {
    const file = await fileOf({ f: lines(1, 9) }, { f: lines(1, 4) + 'five\nfive and a half\n' + lines(6, 9) });

    expect(shown(file)).toEqual([
      ' 2:2 line 2',
      ' 3:3 line 3',
      ' 4:4 line 4',
      '-5 line 5',
      '+5 five',
      '+6 five and a half',
      ' 6:7 line 6',
      ' 7:8 line 7',
      ' 8:9 line 8',
    ]);
    expect(file.hunks).toEqual([
      { oldStart: 2, oldLines: 7, newStart: 2, newLines: 8, heading: 'line 1', firstRow: 0, rowCount: 9 },
    ]);
  });

  it('gives each file its own rows', async () => {
    const files = await diffOf({ a: 'a\n', b: 'b\n', c: 'c\n' }, { a: 'A\n', b: null, c: 'c\nd\n', d: 'new\n' });

    expect(files.map((file) => [file.newPath, shown(file)])).toEqual([
      ['a', ['-1 a', '+1 A']],
      ['b', ['-1 b']],
      ['c', [' 1:1 c', '+2 d']],
      ['d', ['+1 new']],
    ]);
  });

  describe('files without rows', () => {
    it.each<[string, Files, Files, Partial<FileDiff>]>([
      ['a pure rename', { a: lines(1, 9) }, { a: null, b: lines(1, 9) }, { status: 'renamed', similarity: 100 }],
      ['a rename of case only', { 'A.md': lines(1, 9) }, { 'A.md': null, 'a.md': lines(1, 9) }, { status: 'renamed' }],
      ['a new empty file', { x: '' }, { e: '' }, { status: 'added' }],
      ['a deleted empty file', { x: '', e: '' }, { e: null }, { status: 'deleted' }],
      ['a change of mode', { a: 'a\n' }, { a: { mode: '100755', content: 'a\n' } }, { newMode: '100755' }],
      ['a changed binary', { a: 'a\0b' }, { a: 'a\0c' }, { isBinary: true }],
      ['text turned binary by a NUL', { a: 'a\nb\n' }, { a: 'a\n\0b\n' }, { isBinary: true }],
      ['a binary turned text', { a: 'a\n\0b\n' }, { a: 'a\nb\n' }, { isBinary: true }],
      [
        'UTF-16',
        { a: Buffer.from('\ufeffa\n', 'utf16le') },
        { a: Buffer.from('\ufeffb\n', 'utf16le') },
        { isBinary: true },
      ],
    ])('%s has none, and the next file has its own', async (_, before, after, facts) => {
      const [file, next] = await diffOf({ ...before, z: 'z\n' }, { ...after, z: 'Z\n' });

      expect(file).toMatchObject({ ...facts, hunks: [] });
      expect(file?.rows.count).toBe(0);
      expect(next && shown(next)).toEqual(['-1 z', '+1 Z']);
    });
  });

  it('reads an edit under a rename, a copy and a changed mode', async () => {
    const files = await diffOf(
      { a: lines(1, 20), m: lines(1, 2) },
      { a: null, b: lines(1, 19) + 'twenty\n', m: { mode: '100755', content: lines(1, 3) } },
    );

    expect(files).toMatchObject([
      { status: 'renamed', oldPath: 'a', newPath: 'b' },
      { status: 'modified', oldMode: '100644', newMode: '100755' },
    ]);
    expect(files.map(shown)).toEqual([
      [' 17:17 line 17', ' 18:18 line 18', ' 19:19 line 19', '-20 line 20', '+20 twenty'],
      [' 1:1 line 1', ' 2:2 line 2', '+3 line 3'],
    ]);
  });

  it.each([
    ['a link', { mode: '120000', content: 'target' } as const, { isSymlink: true }, '+1 target'],
    ['a submodule', { submodule: 'a'.repeat(40) }, { isSubmodule: true }, `+1 Subproject commit ${'a'.repeat(40)}`],
  ])('reads a file that became %s as both its patches, and the next file', async (_, change, facts, row) => {
    const [file, next] = await diffOf({ a: lines(1, 2), b: 'b\n' }, { a: change, b: 'B\n' });

    expect(file).toMatchObject({ status: 'type-changed', ...facts });
    expect(file && shown(file)).toEqual(['-1 line 1', '-2 line 2', row]);
    expect(next && shown(next)).toEqual(['-1 b', '+1 B']);
  });

  it('reads submodules added, bumped and removed', async () => {
    const files = await diffOf(
      { bumped: { submodule: 'a'.repeat(40) }, removed: { submodule: 'a'.repeat(40) } },
      { bumped: { submodule: 'b'.repeat(40) }, removed: null, added: { submodule: 'b'.repeat(40) } },
    );

    expect(files.map(({ status, isSubmodule }) => [status, isSubmodule])).toEqual([
      ['added', true],
      ['modified', true],
      ['deleted', true],
    ]);
  });

  it.each([
    ['old', 'a\nb', 'a\nb\n', ['-2 b', '+2 b'], [true, false]],
    ['new', 'a\nb\n', 'a\nb', ['-2 b', '+2 b'], [false, true]],
    ['both, in changed lines', 'a\nb', 'a\nc', ['-2 b', '+2 c'], [true, true]],
    ['both, in a kept line', 'x\nb', 'a\nb', [' 2:2 b'], [true, true]],
  ])('takes no row from a missing line feed on the %s side', async (_, before, after, rows, ends) => {
    const file = await fileOf({ f: before }, { f: after });

    expect(shown(file)).toEqual(expect.arrayContaining(rows));
    expect(shown(file)).toHaveLength(3);
    expect([file.oldEndsWithoutNewline, file.newEndsWithoutNewline]).toEqual(ends);
  });

  it('ends a line at a line feed and nowhere else', async () => {
    const file = await fileOf({ f: 'a\r\nb\rc\fd\u2028e\u0085f\v\n' }, { f: 'a\nb\rc\fd\u2028e\u0085g\v\n' });

    expect(shown(file)).toEqual(['-1 a\r', '-2 b\rc\fd\u2028e\u0085f\v', '+1 a', '+2 b\rc\fd\u2028e\u0085g\v']);
  });

  it('reads a flip of all line ends', async () => {
    const file = await fileOf({ f: lines(1, 3) }, { f: lines(1, 3).replaceAll('\n', '\r\n') });

    expect(shown(file)).toEqual(['-1 line 1', '-2 line 2', '-3 line 3', '+1 line 1\r', '+2 line 2\r', '+3 line 3\r']);
  });

  it('replaces bytes that are no UTF-8 and counts the same lines', async () => {
    const file = await fileOf({ f: 'a\n' }, { f: Buffer.from('caf\xe9\nb\n', 'latin1') });

    expect(shown(file)).toEqual(['-1 a', '+1 caf\ufffd', '+2 b']);
  });

  it('keeps a byte order mark, tabs, and combining and wide characters', async () => {
    const file = await fileOf({ f: 'a\n' }, { f: '\ufeffa\n\te\u0301\u65e5\u{1f600}\n' });

    expect(shown(file)).toEqual(['-1 a', '+1 \ufeffa', '+2 \te\u0301\u65e5\u{1f600}']);
  });

  it('counts rows that look like structure by the length of their hunk', async () => {
    const tricks = ['-- a/x', '++ b/x', '@@ -1 +1 @@', 'diff --git a/x b/x', '\\ No newline at end of file', '- a', ''];
    const before = ['start', ...tricks, 'end', ''].join('\n');
    const after = ['start', ...tricks.map((line) => `${line}!`), 'end', ''].join('\n');

    const [file, next] = await diffOf({ f: before, g: 'g\n' }, { f: after, g: 'G\n' });
    const [gone] = await diffOf({ f: tricks.join('\n'), g: '' }, { f: null });
    const [born] = await diffOf({ g: '' }, { f: tricks.join('\n') });

    expect(file && shown(file)).toEqual([
      ' 1:1 start',
      ...tricks.map((line, index) => `-${index + 2} ${line}`),
      ...tricks.map((line, index) => `+${index + 2} ${line}!`),
      ' 9:9 end',
    ]);
    expect(next && shown(next)).toEqual(['-1 g', '+1 G']);
    expect(gone && shown(gone)).toEqual(tricks.slice(0, -1).map((line, index) => `-${index + 1} ${line}`));
    expect(born && shown(born)).toEqual(tricks.slice(0, -1).map((line, index) => `+${index + 1} ${line}`));
  });

  it('reads hunk headers without counts, zero context and touching hunks', async () => {
    const before = lines(1, 12);
    const after = before
      .replace('line 2\n', 'two\n')
      .replace('line 5\n', '')
      .replace('line 9\n', 'line 9\nnine and a half\n');

    const bare = await fileOf({ f: before }, { f: after }, { contextLines: 0 });
    const touching = await fileOf({ f: before }, { f: after }, { contextLines: 1 });

    expect(bare.hunks.map((h) => [h.oldStart, h.oldLines, h.newStart, h.newLines])).toEqual([
      [2, 1, 2, 1],
      [5, 1, 4, 0],
      [9, 0, 9, 1],
    ]);
    expect(shown(bare)).toEqual(['-2 line 2', '+2 two', '-5 line 5', '+9 nine and a half']);
    expect(touching.hunks.map((h) => [h.oldStart, h.oldLines, h.newStart, h.newLines])).toEqual([
      [1, 6, 1, 5],
      [9, 2, 8, 3],
    ]);
  });

  it('reads empty context lines that lost their space', async () => {
    await using repository = await aGitRepository();
    const base = await repository.commit({ f: 'a\n\nb\n\nc\n' });
    const head = await repository.commit({ f: 'a\n\nB\n\nc\n' });
    await repository.git(['config', 'diff.suppressBlankEmpty', 'true']);
    const { raw, patch } = await gitDiffOutput(repository, base, head);

    const [file] = parseUnifiedDiff(patch, parseRawDiff(raw));

    expect(patch.toString()).toContain('a\n\n-b');
    expect(file && shown(file)).toEqual([' 1:1 a', ' 2:2 ', '-3 b', '+3 B', ' 4:4 ', ' 5:5 c']);
  });

  it('reads a line of five megabytes', async () => {
    const long = 'x'.repeat(5_000_000);

    const file = await fileOf({ f: 'a\n' }, { f: `${long}\nb\n` });

    expect(Array.from(rowsOf(file), (row) => row.text.length)).toEqual([1, 5_000_000, 1]);
  });

  it('finds nothing in an empty diff', () => {
    expect(parseUnifiedDiff(Buffer.alloc(0), [])).toEqual([]);
  });

  it('refuses a patch that does not fit its listing', async () => {
    await using repository = await aGitRepository();
    const base = await repository.commit({ a: 'a\n', b: 'b\n' });
    const head = await repository.commit({ a: 'A\n', b: 'B\n' });
    const { raw, patch } = await gitDiffOutput(repository, base, head);
    const entries = parseRawDiff(raw);
    const failed = expect.objectContaining({ code: 'git.failed' });

    expect(() => parseUnifiedDiff(patch, entries.slice(1))).toThrow(failed);
    expect(() => parseUnifiedDiff(patch, [...entries, ...entries])).toThrow(failed);
    for (let length = patch.lastIndexOf('@@ -') + 1; length < patch.length; length += 1) {
      const cut = patch.subarray(0, length);
      expect(() => parseUnifiedDiff(cut, entries)).toThrow(failed);
    }
  });
});
