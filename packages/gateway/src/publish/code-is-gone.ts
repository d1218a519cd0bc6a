import { codeHash, containsCode, findFileDiff, normaliseCode, rowsOf, type FileDiff, type Side } from '@drydock/core';
import type { FindingMark } from './marker.ts';

/** The lines of a file of one side; null: not there, or no text. */
export type LinesOf = (side: Side, path: string) => readonly string[] | null;

/** Where a file could have gone that git does not pair with its old name: only so many are looked at. */
const maxNewFiles = 50;

/** Files to read before `codeIsGone` can be asked about these marks. */
export function filesUnderMarks(
  marks: readonly FindingMark[],
  diff: readonly FileDiff[],
): { readonly side: Side; readonly path: string }[] {
  return [
    ...marks.flatMap((mark) => [
      { side: 'new' as const, path: pathAtHead(mark, diff) },
      ...(mark.side === 'old' ? [{ side: 'old' as const, path: mark.path }] : []),
    ]),
    ...(marks.length === 0 ? [] : newFiles(diff)),
  ];
}

/**
 * Whether the code that a finding was about no longer stands: on the new side, when the file at the head does not hold
 * it, nor a new file it may have been moved to; on the old side, when the change no longer removes it.
 */
export function codeIsGone(mark: FindingMark, diff: readonly FileDiff[], linesOf: LinesOf): boolean {
  const { side, path, codeHash: hash, codeLines } = mark;
  const file = findFileDiff(diff, { path, side });
  if (codeLines === 0) return file === undefined;
  const stands = (lines: readonly string[] | null) => lines !== null && containsCode(lines, hash, codeLines);
  const atHead = linesOf('new', pathAtHead(mark, diff));
  if (side === 'old') {
    if (file === undefined || !stands(linesOf('old', path))) return true;
    return !isRemoved(file, hash, codeLines) && stands(atHead);
  }
  if (stands(atHead)) return false;
  return atHead !== null || !newFiles(diff).some((place) => stands(linesOf(place.side, place.path)));
}

function pathAtHead({ path, side }: FindingMark, diff: readonly FileDiff[]): string {
  return findFileDiff(diff, { path, side: 'new' })?.newPath ?? findFileDiff(diff, { path, side })?.newPath ?? path;
}

function newFiles(diff: readonly FileDiff[]): { readonly side: Side; readonly path: string }[] {
  return diff
    .filter((file) => file.status === 'added' && !file.isBinary)
    .slice(0, maxNewFiles)
    .map((file) => ({ side: 'new', path: file.newPath }));
}

/** Whether the rows of the diff hold this code with at least one removed line in it. */
function isRemoved(file: FileDiff, hash: string, codeLines: number): boolean {
  for (const hunk of file.hunks) {
    const rows = [...rowsOf(file, hunk)].filter((row) => row.kind !== 'added' && normaliseCode([row.text]).length > 0);
    for (let start = 0; start + codeLines <= rows.length; start += 1) {
      const window = rows.slice(start, start + codeLines);
      if (!window.some((row) => row.kind === 'removed')) continue;
      if (codeHash(normaliseCode(window.map((row) => row.text))) === hash) return true;
    }
  }
  return false;
}
