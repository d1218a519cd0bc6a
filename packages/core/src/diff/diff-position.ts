import type { Side } from '../finding.ts';
import { type DiffPoint, type FileDiff, isBeforeLastHunkEnd, lineCountDelta, lookUpLine } from './file-diff.ts';

/** A claim about lines, as far as placing needs it. */
export interface LineClaim {
  /** The file's new or old path. */
  readonly path: string;
  readonly side: Side;
  /** 1-based, inclusive. */
  readonly startLine: number;
  /** 1-based, inclusive. */
  readonly endLine: number;
}

/** How many lines the sides of a file have; null where nobody counted. One of them is enough. */
export interface LineCounts {
  readonly old: number | null;
  readonly new: number | null;
}

/** Why a claim does not stand inline. */
export type NotInline =
  | 'file-not-in-diff'
  | 'path-not-utf8'
  | 'path-too-long'
  | 'binary'
  | 'submodule'
  | 'symlink'
  | 'type-changed'
  | 'no-rows'
  | 'side-not-in-file'
  | 'line-not-in-file'
  | 'line-count-unknown'
  | 'refused-by-forge';

/** Where a claim belongs: on lines of the diff, on a file of it, or in the summary. No claim is without a place. */
export type Placement =
  | {
      readonly kind: 'inline';
      readonly oldPath: string;
      readonly newPath: string;
      readonly side: Side;
      /** The first line, and the last one, where a comment stands. */
      readonly start: DiffPoint;
      readonly end: DiffPoint;
    }
  | { readonly kind: 'file'; readonly oldPath: string; readonly newPath: string; readonly why: NotInline }
  | { readonly kind: 'summary'; readonly why: NotInline };

/** In characters; GitLab's schema of positions refuses longer ones. */
const maxPathCharacters = 1000;

/**
 * The file that a claim speaks of. A path names the file on the claim's own side first: after `a` became `b` and a new
 * `a` appeared, old lines of `a` are those of the renamed file, new lines those of the new one.
 */
export function findFileDiff(
  files: readonly FileDiff[],
  claim: Pick<LineClaim, 'path' | 'side'>,
): FileDiff | undefined {
  const { path, side } = claim;
  const other = side === 'new' ? 'old' : 'new';
  return findOnSide(files, path, side) ?? findOnSide(files, path, other);
}

function findOnSide(files: readonly FileDiff[], path: string, side: Side): FileDiff | undefined {
  if (side === 'new') return files.find((file) => file.newPath === path && hasSide(file, 'new'));
  const found = files.filter((file) => file.oldPath === path && hasSide(file, 'old'));
  // The source of a copy has an entry of its own when it changed.
  return found.find((file) => file.status !== 'copied') ?? found[0];
}

/**
 * Finds the place of a claim in its file of the diff (`findFileDiff`). Lines outside every hunk are placed with both
 * their numbers; past the last hunk only where a line count shows that they exist.
 */
export function placeLines(claim: LineClaim, file: FileDiff | undefined, counts?: LineCounts): Placement {
  if (file === undefined) return { kind: 'summary', why: 'file-not-in-diff' };
  if (!file.pathIsValid) return { kind: 'summary', why: 'path-not-utf8' };
  if (isTooLong(file.oldPath) || isTooLong(file.newPath)) return { kind: 'summary', why: 'path-too-long' };
  const { oldPath, newPath } = file;
  const lines = placeRange(claim, file, counts);
  if (typeof lines === 'string') return { kind: 'file', oldPath, newPath, why: lines };
  return { kind: 'inline', oldPath, newPath, side: claim.side, start: lines.start, end: lines.end };
}

/** The next broader place, for a claim whose position the forge refused. */
export function widenPlacement(placement: Placement): Placement {
  const { kind } = placement;
  if (kind !== 'inline') return { kind: 'summary', why: kind === 'file' ? 'refused-by-forge' : placement.why };
  return { kind: 'file', oldPath: placement.oldPath, newPath: placement.newPath, why: 'refused-by-forge' };
}

function placeRange(
  claim: LineClaim,
  file: FileDiff,
  counts: LineCounts | undefined,
): NotInline | { readonly start: DiffPoint; readonly end: DiffPoint } {
  const { side, startLine, endLine } = claim;
  const obstacle = whyNoLines(file, side) ?? whyNotInFile(file, side, endLine, counts);
  if (obstacle !== null) return obstacle;
  const start = startLine > endLine ? null : lookUpLine(file, side, startLine);
  const end = lookUpLine(file, side, endLine);
  return start === null || end === null ? 'line-not-in-file' : { start, end };
}

function whyNoLines(file: FileDiff, side: Side): NotInline | null {
  if (file.isSubmodule) return 'submodule';
  if (file.status === 'type-changed') return 'type-changed';
  if (file.isSymlink) return 'symlink';
  if (file.isBinary) return 'binary';
  if (!hasSide(file, side)) return 'side-not-in-file';
  // A forge that shows no rows has none to unfold either.
  return file.rows.count === 0 ? 'no-rows' : null;
}

function whyNotInFile(file: FileDiff, side: Side, line: number, counts: LineCounts | undefined): NotInline | null {
  if (isBeforeLastHunkEnd(file, side, line)) return null;
  const count = countOf(file, side, counts);
  if (count === null) return 'line-count-unknown';
  return line <= count ? null : 'line-not-in-file';
}

function countOf(file: FileDiff, side: Side, counts: LineCounts | undefined): number | null {
  const own = counts?.[side] ?? null;
  if (own !== null) return own;
  const other = counts?.[side === 'old' ? 'new' : 'old'] ?? null;
  if (other === null) return null;
  return side === 'new' ? other + lineCountDelta(file) : other - lineCountDelta(file);
}

function hasSide(file: FileDiff, side: Side): boolean {
  return file.status !== (side === 'new' ? 'deleted' : 'added');
}

function isTooLong(path: string): boolean {
  return path.length > maxPathCharacters && Array.from(path).length > maxPathCharacters;
}
