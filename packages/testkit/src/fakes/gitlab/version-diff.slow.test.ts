import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkPosition, type DiffPosition } from './check-position.ts';
import { GitRepository, type GitLabFileChanges } from './git-repository.ts';
import { findRow, lineCode, mapNewLine, mapOldLine, type DiffFile, type VersionDiff } from './version-diff.ts';

let dir: string;
let repository: GitRepository;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'version-diff-'));
  repository = await GitRepository.create(dir, 'main');
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function diffOf(before: GitLabFileChanges, after: GitLabFileChanges): Promise<VersionDiff> {
  const baseSha = await repository.commit(null, { files: before });
  const headSha = await repository.commit(baseSha, { files: after });
  return await repository.diff(baseSha, headSha, null);
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join('');
const sha1 = /^[0-9a-f]{40}/;
const codes = (file: DiffFile | undefined) =>
  (file?.rows ?? []).map((row) => (file === undefined ? '' : lineCode(file, row).replace(sha1, '')));

describe('loadVersionDiff', () => {
  it('counts both sides at every row', async () => {
    const before = numbered(6);
    const diff = await diffOf({ a: before }, { a: before.replace('line 3\n', 'three\nand a half\n') });

    expect(diff.files[0]?.rows.map((row) => [row.kind, row.oldPos, row.newPos, row.text])).toEqual([
      ['context', 1, 1, 'line 1'],
      ['context', 2, 2, 'line 2'],
      ['removed', 3, 3, 'line 3'],
      ['added', 4, 3, 'three'],
      ['added', 4, 4, 'and a half'],
      ['context', 4, 5, 'line 4'],
      ['context', 5, 6, 'line 5'],
      ['context', 6, 7, 'line 6'],
    ]);
  });

  it('counts a side without lines from zero, as line codes of new and deleted files do', async () => {
    const diff = await diffOf({ gone: 'a\nb\n' }, { gone: null, new: 'completely\ndifferent\nthing\n' });

    expect(diff.files.map((file) => [file.newPath, file.isNew, file.isDeleted, codes(file)])).toEqual([
      ['gone', false, true, ['_1_0', '_2_0']],
      ['new', true, false, ['_0_1', '_0_2', '_0_3']],
    ]);
  });

  it('follows renames at 30 %', async () => {
    const diff = await diffOf({ old: numbered(10) }, { old: null, new: numbered(5) + 'a\nb\nc\nd\ne\nf\n' });

    expect(diff.files.map((file) => [file.oldPath, file.newPath, file.isRenamed])).toEqual([['old', 'new', true]]);
  });

  it('takes content that looks like headers for content', async () => {
    const diff = await diffOf({ a: '-- a/x\nkeep\n' }, { a: 'keep\n++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n' });

    expect(diff.files.map((file) => file.rows.map((row) => `${row.kind} ${row.text}`))).toEqual([
      ['removed -- a/x', 'context keep', 'added ++ b/x', 'added @@ -1 +1 @@', 'added diff --git a/x b/x'],
    ]);
  });

  it('knows no rows of binary files, mode changes, renames without a change and long patches', async () => {
    const before = { bin: Buffer.from([0, 1, 2]), mode: 'x\n', name: numbered(9), long: 'a\n' };
    const after = {
      bin: Buffer.from([0, 3]),
      mode: { content: 'x\n', mode: '100755' },
      name: null,
      renamed: numbered(9),
      long: numbered(500),
    };
    const { baseSha, headSha } = await diffOf(before, after);
    const diff = await repository.diff(baseSha, headSha, 1000);

    expect(diff.files.map((file) => [file.newPath, file.rows.length, file.isBinary, file.isTooLarge])).toEqual([
      ['bin', 0, true, false],
      ['long', 0, false, true],
      ['mode', 0, false, false],
      ['renamed', 0, false, false],
    ]);
  });

  it('shows a change of type as a deletion and a creation', async () => {
    const diff = await diffOf({ a: 'text\n' }, { a: { content: 'elsewhere', mode: '120000' } });

    expect(diff.files.map((file) => [file.isNew, file.isDeleted, file.rows.map((row) => row.text)])).toEqual([
      [false, true, ['text']],
      [true, false, ['elsewhere']],
    ]);
  });

  it('reads paths of any bytes', async () => {
    const names = ['täglich', 'a b', 'a\tb', 'a"b\\c', 'a\nb', '-x', ':y', 'x b/y', 'cafe\u0301', 'caf\u00e9'];
    const diff = await diffOf({ z: 'z\n' }, Object.fromEntries(names.map((name) => [name, `${name}\n`])));

    expect(diff.files.map((file) => file.newPath).sort()).toEqual([...names].sort());
  });

  it('ends lines at line feeds only', async () => {
    const diff = await diffOf({ a: 'x\n' }, { a: 'a\rb\r\nc\u2028d\fe\n' });

    expect(diff.files[0]?.rows.filter((row) => row.kind === 'added').map((row) => row.text)).toEqual([
      'a\rb\r',
      'c\u2028d\fe',
    ]);
  });

  it('maps every unchanged line to the other side and accepts every row and every unchanged line', async () => {
    const line = fc.constantFrom('a', 'b', 'c', '', '-- a', '++ b', '@@ -1 +1 @@', '}', '\r');
    const text = fc.tuple(fc.array(line, { maxLength: 40 }), fc.boolean());
    const join = ([lines, hasEnd]: readonly [readonly string[], boolean]) => lines.join('\n') + (hasEnd ? '\n' : '');
    await fc.assert(
      fc.asyncProperty(text, text, async (left, right) => {
        const [before, after] = [
          `${numbered(20)}${join(left)}\n${numbered(15)}`,
          `${numbered(20)}${join(right)}\n${numbered(15)}`,
        ];
        const diff = await diffOf({ a: before }, { a: after });
        const [file] = diff.files;
        if (file === undefined) return;
        const [oldLines, newLines] = [before.split('\n').slice(0, -1), after.split('\n').slice(0, -1)];

        for (let newLine = 1; newLine <= newLines.length; newLine++) {
          const oldLine = mapNewLine(file, newLine);
          const checked = checkPosition({ diff, refs, position: at(oldLine, newLine) });
          expect(checked).toMatchObject({ kind: 'accepted', text: newLines[newLine - 1] });
          if (oldLine === null) continue;
          expect(mapOldLine(file, oldLine)).toBe(newLine);
          expect(oldLines[oldLine - 1]).toBe(newLines[newLine - 1]);
        }
        for (let oldLine = 1; oldLine <= oldLines.length; oldLine++) {
          if (mapOldLine(file, oldLine) !== null) continue;
          const checked = checkPosition({ diff, refs, position: at(oldLine, null) });
          expect(checked).toMatchObject({ kind: 'accepted', side: 'old', text: oldLines[oldLine - 1] });
          expect(findRow(file, oldLine, null)?.text).toBe(oldLines[oldLine - 1]);
        }
      }),
      { numRuns: 40 },
    );
  });
});

const refs = { base_sha: 'b', start_sha: 's', head_sha: 'h' };
const at = (oldLine: number | null, newLine: number | null): DiffPosition => ({
  ...refs,
  position_type: 'text',
  old_path: 'a',
  new_path: 'a',
  old_line: oldLine,
  new_line: newLine,
});
