import { describe, expect, it } from '@jest/globals';
import { aGitRepository, gitDiffOutput, type FileChanges } from '@drydock/testkit';
import { findFileDiff, placeLines, widenPlacement, type LineCounts, type Placement } from './diff-position.ts';
import { countLines, lookUpLine, type FileDiff } from './file-diff.ts';
import { parseRawDiff } from './raw-diff.ts';
import { parseUnifiedDiff } from './unified-diff.ts';

const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

async function diffOf(before: FileChanges, after: FileChanges, contextLines = 3): Promise<FileDiff[]> {
  await using repository = await aGitRepository();
  const base = await repository.commit(before);
  const head = await repository.commit(after);
  const { raw, patch } = await gitDiffOutput(repository, base, head, { contextLines });
  return parseUnifiedDiff(patch, parseRawDiff(raw));
}

interface Claim {
  readonly path?: string;
  readonly side?: 'new' | 'old';
  readonly startLine?: number;
  readonly endLine: number;
  readonly counts?: LineCounts;
}

function place(files: readonly FileDiff[], { path = 'f', side = 'new', endLine, startLine, counts }: Claim): Placement {
  const claim = { path, side, startLine: startLine ?? endLine, endLine };
  return placeLines(claim, findFileDiff(files, claim), counts);
}

/** `- old/new counters`, with the numbers that a position carries. */
function shown(placement: Placement): unknown {
  if (placement.kind !== 'inline') return `${placement.kind}: ${placement.why}`;
  const { start, end } = placement;
  const point = ({ kind, oldLine, newLine, oldCounter, newCounter }: typeof start) =>
    `${kind} ${String(oldLine)}:${String(newLine)} _${oldCounter}_${newCounter}`;
  return start.oldCounter === end.oldCounter && start.newCounter === end.newCounter
    ? point(end)
    : `${point(start)} to ${point(end)}`;
}

// Line 10 of 40 is replaced by two, lines 20 and 21 are removed, one line is added after line 30.
const edited = lines(1, 9) + 'ten\nten and a half\n' + lines(11, 19) + lines(22, 30) + 'more\n' + lines(31, 40);
const editedFile = () => diffOf({ f: lines(1, 40) }, { f: edited });

describe('placeLines', () => {
  it.each<[string, Claim, string]>([
    ['an added line by its new number', { endLine: 11 }, 'added null:11 _11_11'],
    ['a removed line by its old number', { side: 'old', endLine: 10 }, 'removed 10:null _10_10'],
    ['the last of some removed lines', { side: 'old', endLine: 21 }, 'removed 21:null _21_21'],
    ['a line added alone', { endLine: 30 }, 'added null:30 _31_30'],
    ['a context line by both numbers', { endLine: 12 }, 'context 11:12 _11_12'],
    ['a context line of the old side by both numbers', { side: 'old', endLine: 31 }, 'context 31:31 _31_31'],
    ['a line before every hunk', { endLine: 2 }, 'unchanged 2:2 _2_2'],
    ['a line between two hunks', { endLine: 16 }, 'unchanged 15:16 _15_16'],
    ['a line between two hunks, from the old side', { side: 'old', endLine: 26 }, 'unchanged 26:25 _26_25'],
    ['a range of added lines', { startLine: 10, endLine: 11 }, 'added null:10 _11_10 to added null:11 _11_11'],
    [
      'a range over removed lines and context',
      { side: 'old', startLine: 9, endLine: 11 },
      'context 9:9 _9_9 to context 11:12 _11_12',
    ],
    ['a range over two hunks', { startLine: 10, endLine: 30 }, 'added null:10 _11_10 to added null:30 _31_30'],
    [
      'a range from an unchanged line into a hunk',
      { startLine: 1, endLine: 10 },
      'unchanged 1:1 _1_1 to added null:10 _11_10',
    ],
  ])('places %s', async (_, claim, expected) => {
    expect(shown(place(await editedFile(), claim))).toBe(expected);
  });

  describe('past the last hunk', () => {
    it.each<[string, Claim, string]>([
      [
        'a line that a count of the new side shows',
        { endLine: 40, counts: { old: null, new: 40 } },
        'unchanged 40:40 _40_40',
      ],
      [
        'a line that a count of the old side shows',
        { endLine: 40, counts: { old: 40, new: null } },
        'unchanged 40:40 _40_40',
      ],
      ['a line past the end', { endLine: 41, counts: { old: 40, new: 40 } }, 'file: line-not-in-file'],
      [
        'a range that passes the end',
        { startLine: 39, endLine: 41, counts: { old: 40, new: 40 } },
        'file: line-not-in-file',
      ],
      ['a line that nobody counted', { endLine: 40 }, 'file: line-count-unknown'],
      [
        'a number past every integer of 32 bits',
        { endLine: 2 ** 33 + 11, counts: { old: 40, new: 40 } },
        'file: line-not-in-file',
      ],
    ])('%s', async (_, claim, expected) => {
      expect(shown(place(await editedFile(), claim))).toBe(expected);
    });
  });

  it('refuses lines that are none', async () => {
    const files = await editedFile();

    expect(shown(place(files, { endLine: 0 }))).toBe('file: line-not-in-file');
    expect(shown(place(files, { startLine: 12, endLine: 11 }))).toBe('file: line-not-in-file');
    expect(shown(place(files, { startLine: 0, endLine: 11 }))).toBe('file: line-not-in-file');
  });

  it('carries the next old number on added rows, the next new one on removed rows', async () => {
    const files = await diffOf({ f: lines(1, 40) }, { f: lines(1, 5) + 'more\n' + lines(6, 32) + lines(34, 40) });

    expect(shown(place(files, { side: 'old', endLine: 33 }))).toBe('removed 33:null _33_34');
    expect(shown(place(files, { endLine: 6 }))).toBe('added null:6 _6_6');
  });

  it.each<[string, FileChanges, FileChanges, Claim, string]>([
    ['a new file', { x: '' }, { f: 'a\nb\n' }, { endLine: 2 }, 'added null:2 _0_2'],
    ['the old side of a new file', { x: '' }, { f: 'a\n' }, { side: 'old', endLine: 1 }, 'file: side-not-in-file'],
    ['a new empty file', { x: '' }, { f: '' }, { endLine: 1 }, 'file: no-rows'],
    [
      'a removed line of a deleted file',
      { f: 'a\nb\n', x: '' },
      { f: null },
      { side: 'old', endLine: 2 },
      'removed 2:null _2_0',
    ],
    ['the new side of a deleted file', { f: 'a\n', x: '' }, { f: null }, { endLine: 1 }, 'file: side-not-in-file'],
    ['a pure rename', { a: lines(1, 9) }, { a: null, f: lines(1, 9) }, { endLine: 1 }, 'file: no-rows'],
    ['a change of mode', { f: 'a\n' }, { f: { mode: '100755', content: 'a\n' } }, { endLine: 1 }, 'file: no-rows'],
    ['a new link', { x: '' }, { f: { mode: '120000', content: 'x' } }, { endLine: 1 }, 'file: symlink'],
    [
      'a file that became a link',
      { f: 'a\n' },
      { f: { mode: '120000', content: 'x' } },
      { endLine: 1 },
      'file: type-changed',
    ],
    [
      'a link that became a file',
      { f: { mode: '120000', content: 'x' } },
      { f: 'a\n' },
      { endLine: 1 },
      'file: type-changed',
    ],
    ['a submodule', { x: '' }, { f: { submodule: 'a'.repeat(40) } }, { endLine: 1 }, 'file: submodule'],
    ['a binary', { f: 'a\0b' }, { f: 'a\0c' }, { endLine: 1 }, 'file: binary'],
    ['text that turned binary', { f: 'a\n' }, { f: 'a\n\0' }, { endLine: 1 }, 'file: binary'],
    ['a pointer to a large file', { f: 'oid 1\n' }, { f: 'oid 2\n' }, { endLine: 1 }, 'added null:1 _2_1'],
    ['a last line without line feed', { f: 'a\nb' }, { f: 'a\nc' }, { endLine: 2 }, 'added null:2 _3_2'],
    ['a path outside the diff', { f: 'a\n', g: 'a\n' }, { g: 'b\n' }, { endLine: 1 }, 'summary: file-not-in-diff'],
  ])('places %s', async (_, before, after, claim, expected) => {
    expect(shown(place(await diffOf(before, after), claim))).toBe(expected);
  });

  it('sends no path that is too long or no UTF-8', async () => {
    const long = `${'p'.repeat(250)}/`.repeat(4) + 'p';
    const astral = `${'\u{1f600}'.repeat(60)}/`.repeat(16) + 'p';
    const files = await diffOf({ x: '' }, [
      [long, 'a\n'],
      [astral, 'a\n'],
      [Buffer.from('\xff', 'latin1'), 'a\n'],
    ]);

    expect(shown(place(files, { path: long, endLine: 1 }))).toBe('summary: path-too-long');
    expect(shown(place(files, { path: astral, endLine: 1 }))).toBe('added null:1 _0_1');
    expect(shown(place(files, { path: '\ufffd', endLine: 1 }))).toBe('summary: path-not-utf8');
  });

  it('keeps both paths of a rename, whichever the claim names', async () => {
    const files = await diffOf({ old: lines(1, 20) }, { old: null, new: lines(1, 19) + 'twenty\n' });

    for (const path of ['old', 'new']) {
      const claim = { path, side: 'new', endLine: 20 } as const;
      expect(place(files, claim)).toMatchObject({ kind: 'inline', oldPath: 'old', newPath: 'new', side: 'new' });
    }
  });

  it('maps unchanged lines of hunks without context', async () => {
    const files = await diffOf({ f: lines(1, 12) }, { f: lines(1, 4) + lines(6, 9) + 'more\n' + lines(10, 12) }, 0);

    const [file] = files;
    const newNumbers = Array.from({ length: 12 }, (_, index) => file && lookUpLine(file, 'old', index + 1)?.newLine);
    const oldNumbers = Array.from({ length: 12 }, (_, index) => file && lookUpLine(file, 'new', index + 1)?.oldLine);

    expect(newNumbers).toEqual([1, 2, 3, 4, null, 5, 6, 7, 8, 10, 11, 12]);
    expect(oldNumbers).toEqual([1, 2, 3, 4, 6, 7, 8, 9, null, 10, 11, 12]);
  });
});

describe('findFileDiff', () => {
  it('takes the path on the side of the claim first', async () => {
    const files = await diffOf(
      { a: lines(1, 20), c: 'c\n' },
      { a: null, b: lines(1, 20) + 'x\n', c: null, 'a/inner': 'new\n' },
    );

    const pathsOf = (path: string, side: 'new' | 'old') => {
      const file = findFileDiff(files, { path, side });
      return file === undefined ? undefined : [file.oldPath, file.newPath];
    };

    expect(pathsOf('a', 'old')).toEqual(['a', 'b']);
    expect(pathsOf('a', 'new')).toEqual(['a', 'b']);
    expect(pathsOf('b', 'old')).toEqual(['a', 'b']);
    expect(pathsOf('c', 'new')).toEqual(['c', 'c']);
    expect(pathsOf('d', 'new')).toBeUndefined();
  });
});

describe('findFileDiff among copies', () => {
  it('takes the changed source of a copy for its old lines', async () => {
    await using repository = await aGitRepository();
    const base = await repository.commit({ a: lines(1, 20) });
    const head = await repository.commit({ a: lines(1, 21), 'a-copy': lines(1, 20) + 'x\n' });
    const { raw, patch } = await gitDiffOutput(repository, base, head, { findCopies: true });
    const files = parseUnifiedDiff(patch, parseRawDiff(raw));

    expect(files.map(({ status }) => status)).toEqual(['modified', 'copied']);
    expect(findFileDiff(files, { path: 'a', side: 'old' })?.newPath).toBe('a');
    expect(findFileDiff(files.slice(1), { path: 'a', side: 'old' })?.newPath).toBe('a-copy');
    expect(findFileDiff(files, { path: 'a-copy', side: 'old' })?.newPath).toBe('a-copy');
  });
});

describe('widenPlacement', () => {
  it('goes from lines to the file to the summary', async () => {
    const inline = place(await editedFile(), { endLine: 10 });

    const file = widenPlacement(inline);
    const summary = widenPlacement(file);

    expect(file).toEqual({ kind: 'file', oldPath: 'f', newPath: 'f', why: 'refused-by-forge' });
    expect(summary).toEqual({ kind: 'summary', why: 'refused-by-forge' });
    expect(widenPlacement(summary)).toEqual(summary);
  });
});

describe('countLines', () => {
  it.each([
    ['', 0],
    ['\n', 1],
    ['a', 1],
    ['a\n', 1],
    ['a\r\nb\rc\u2028d\n\n', 3],
    ['a\nb', 2],
  ])('counts %j as git does', (content, count) => {
    expect(countLines(Buffer.from(content))).toBe(count);
  });
});
