/**
 * A file of a diff, and what stands on its lines.
 *
 * Rows are columns, not objects: a diff of 200,000 rows costs 13 bytes a row beside the patch itself, whose bytes are
 * kept and decoded when a row is looked at.
 */
import type { Side } from '../finding.ts';
import type { RawDiffEntry } from './raw-diff.ts';

/** One file of a diff. Paths, status, modes and object ids are those of git's raw listing. */
export interface FileDiff extends RawDiffEntry {
  /** Git sees no text here: no rows. */
  readonly isBinary: boolean;
  /** A side is a submodule: its one row is a commit id, no line of a file. */
  readonly isSubmodule: boolean;
  /** A side is a symbolic link: its one row is a target, no line of a file. */
  readonly isSymlink: boolean;
  /** Whether the last line of the side is known to lack its line feed; git says so only where a hunk shows that line. */
  readonly oldEndsWithoutNewline: boolean;
  readonly newEndsWithoutNewline: boolean;
  readonly hunks: readonly Hunk[];
  readonly rows: DiffRows;
}

/** A run of rows. Starts and lengths are the header's: with a length of 0 the start is the line before. */
export interface Hunk {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  /** What git shows after the second `@@`; text of the repository. */
  readonly heading: string;
  /** Index of its first row in the file, 0-based. */
  readonly firstRow: number;
  readonly rowCount: number;
}

/** The rows of a file as columns. Read them with `rowAt`, `rowsOf` and `lookUpLine`. */
interface DiffRows {
  readonly count: number;
  /** `rowKinds` by index. */
  readonly kinds: Uint8Array;
  /** The number that each side's next line has at this row. */
  readonly oldCounters: Uint32Array;
  readonly newCounters: Uint32Array;
  /** Where a row's text begins in `patch`. */
  readonly textStarts: Uint32Array;
  readonly patch: Buffer;
}

/** The kinds of rows, by their number in `DiffRows.kinds`. */
const rowKinds = ['context', 'added', 'removed'] as const;

/** A row made readable. */
export interface DiffRow {
  readonly kind: (typeof rowKinds)[number];
  /** 1-based; null where the line is not on that side. */
  readonly oldLine: number | null;
  readonly newLine: number | null;
  /** Without its line feed, with its carriage return if it has one; bytes that are no UTF-8 are replaced. */
  readonly text: string;
}

/**
 * A line of either side and where it stands in the diff. `unchanged` is outside every hunk; like `context` it has both
 * numbers.
 */
export interface DiffPoint {
  readonly kind: DiffRow['kind'] | 'unchanged';
  /** 1-based; null where the line is not on that side. What a forge's position carries. */
  readonly oldLine: number | null;
  readonly newLine: number | null;
  /** Both counters at that row, never null: an added row has the next old number, a removed row the next new one. */
  readonly oldCounter: number;
  readonly newCounter: number;
}

const lineFeed = 10;

/** The row at a 0-based index; undefined past the end. */
export function rowAt(file: FileDiff, index: number): DiffRow | undefined {
  const point = pointAt(file.rows, index);
  if (point === undefined) return undefined;
  return { kind: point.kind, oldLine: point.oldLine, newLine: point.newLine, text: textAt(file.rows, index) };
}

/** The rows of one hunk, or of the whole file, in order. */
export function* rowsOf(file: FileDiff, hunk?: Hunk): Generator<DiffRow> {
  const from = hunk?.firstRow ?? 0;
  const to = hunk === undefined ? file.rows.count : from + hunk.rowCount;
  for (let index = from; index < to; index += 1) {
    const row = rowAt(file, index);
    if (row !== undefined) yield row;
  }
}

/**
 * What stands at a 1-based line of one side. Null where the diff cannot say: no such side, no text. A line past the
 * last hunk is called `unchanged` however long the file is: who places something there must know that length.
 */
export function lookUpLine(file: FileDiff, side: Side, line: number): DiffPoint | null {
  if (line < 1 || file.isBinary || file.isSubmodule) return null;
  const hunk = lastHunkFrom(file.hunks, side, line);
  if (hunk === undefined) return canBeUnchanged(file) ? unchanged(side, line, 0) : null;
  const { from, to } = spanOf(hunk, side);
  if (from <= line && line < to) return pointAt(file.rows, rowOfLine(file.rows, hunk, side, line)) ?? null;
  return canBeUnchanged(file) ? unchanged(side, line, spanOf(hunk, otherSide(side)).to - to) : null;
}

/** Whether a hunk ends after this line of the side, so that the line surely exists. */
export function isBeforeLastHunkEnd(file: FileDiff, side: Side, line: number): boolean {
  const last = file.hunks.at(-1);
  return last !== undefined && line < spanOf(last, side).to;
}

/** How many lines more the new side has than the old one. */
export function lineCountDelta(file: FileDiff): number {
  return file.hunks.reduce((delta, hunk) => delta + hunk.newLines - hunk.oldLines, 0);
}

/** Lines of a file as git counts them: ended by a line feed and nothing else, the last one with or without it. */
export function countLines(content: Uint8Array): number {
  let count = 0;
  for (let at = content.indexOf(lineFeed); at >= 0; at = content.indexOf(lineFeed, at + 1)) count += 1;
  return content.length > 0 && content.at(-1) !== lineFeed ? count + 1 : count;
}

function canBeUnchanged(file: FileDiff): boolean {
  return file.status === 'modified' || file.status === 'renamed' || file.status === 'copied';
}

function unchanged(side: Side, line: number, delta: number): DiffPoint {
  const oldLine = side === 'old' ? line : line + delta;
  const newLine = side === 'new' ? line : line + delta;
  return { kind: 'unchanged', oldLine, newLine, oldCounter: oldLine, newCounter: newLine };
}

function otherSide(side: Side): Side {
  return side === 'old' ? 'new' : 'old';
}

/** First line and the line after the last; an empty span lies where its lines would be. */
function spanOf(hunk: Hunk, side: Side): { readonly from: number; readonly to: number } {
  const [start, lines] = side === 'old' ? [hunk.oldStart, hunk.oldLines] : [hunk.newStart, hunk.newLines];
  const from = lines === 0 ? start + 1 : start;
  return { from, to: from + lines };
}

function lastHunkFrom(hunks: readonly Hunk[], side: Side, line: number): Hunk | undefined {
  let low = 0;
  let high = hunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const hunk = hunks[middle];
    if (hunk !== undefined && spanOf(hunk, side).from <= line) low = middle + 1;
    else high = middle;
  }
  return hunks[low - 1];
}

/** A side's counter grows after its own lines alone, so of the rows that carry a number the last is the line itself. */
function rowOfLine(rows: DiffRows, hunk: Hunk, side: Side, line: number): number {
  const counters = side === 'old' ? rows.oldCounters : rows.newCounters;
  let low = hunk.firstRow;
  let high = hunk.firstRow + hunk.rowCount;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((counters[middle] ?? 0) <= line) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function pointAt(rows: DiffRows, index: number): (DiffPoint & { readonly kind: DiffRow['kind'] }) | undefined {
  const kind = rowKinds[rows.kinds[index] ?? -1];
  const oldCounter = rows.oldCounters[index];
  const newCounter = rows.newCounters[index];
  if (kind === undefined || oldCounter === undefined || newCounter === undefined) return undefined;
  const oldLine = kind === 'added' ? null : oldCounter;
  const newLine = kind === 'removed' ? null : newCounter;
  return { kind, oldLine, newLine, oldCounter, newCounter };
}

function textAt(rows: DiffRows, index: number): string {
  const start = rows.textStarts[index] ?? rows.patch.length;
  const end = rows.patch.indexOf(lineFeed, start);
  return rows.patch.toString('utf8', start, end < 0 ? rows.patch.length : end);
}
