/**
 * Where a note's line stands after a push. The line is followed from head to head (or base to base for a removed
 * line) and must still be a line of the new version's diff, shown or unfolded; otherwise the note is outdated and
 * keeps its old position.
 */
import type { DiffPosition, PositionRefs } from './check-position.ts';
import { locateRow } from './check-position.ts';
import { mapNewLine, mapOldLine, type DiffFile, type VersionDiff } from './version-diff.ts';

interface PositionTrace {
  readonly position: DiffPosition;
  readonly newRefs: PositionRefs;
  /** Old base to new base, old head to new head, and the new version itself. */
  readonly baseToBase: VersionDiff;
  readonly headToHead: VersionDiff;
  readonly newVersion: VersionDiff;
}

/** The position in the new version, or `outdated`. */
export type TracedPosition =
  { readonly kind: 'moved'; readonly position: DiffPosition } | { readonly kind: 'outdated' };

interface Place {
  readonly oldPath: string;
  readonly newPath: string;
  readonly oldLine: number | null;
  readonly newLine: number | null;
}

/** Follows a position to a newer version. */
export function tracePosition(trace: PositionTrace): TracedPosition {
  const { position, newRefs, newVersion } = trace;
  if (position.position_type !== 'text') return traceFile(trace);
  const oldLine = position.old_line ?? null;
  const newLine = position.new_line ?? null;
  const place =
    newLine !== null
      ? traceNewSide(trace, newLine, oldLine !== null)
      : oldLine !== null
        ? traceOldSide(trace, oldLine)
        : null;
  const file = place === null ? null : fileOf(newVersion, place);
  if (place === null || file === null) return { kind: 'outdated' };
  if (locateRow(newVersion, file, place.oldLine, place.newLine) === null) return { kind: 'outdated' };
  const lines = { old_line: place.oldLine, new_line: place.newLine };
  return {
    kind: 'moved',
    position: { ...position, ...newRefs, old_path: place.oldPath, new_path: place.newPath, ...lines },
  };
}

/** An added or unchanged line lives on while it stands in the new head. */
function traceNewSide(trace: PositionTrace, line: number, wasUnchanged: boolean): Place | null {
  const oldHeadPath = trace.position.new_path ?? '';
  const moved = trace.headToHead.files.find((file) => file.oldPath === oldHeadPath && !file.isNew);
  const newPath = moved?.newPath ?? oldHeadPath;
  const newLine = moved === undefined ? line : moved.isDeleted ? null : mapOldLine(moved, line);
  if (newLine === null) return null;
  const file = trace.newVersion.files.find((candidate) => candidate.newPath === newPath && !candidate.isDeleted);
  const oldPath = file?.oldPath ?? newPath;
  const oldLine = file === undefined ? newLine : file.isNew ? null : mapNewLine(file, newLine);
  if (wasUnchanged && oldLine !== null && !standsInNewBase(trace)) return null;
  return { oldPath, newPath, oldLine, newLine };
}

function standsInNewBase({ baseToBase, position }: PositionTrace): boolean {
  const moved = baseToBase.files.find((file) => file.oldPath === position.old_path && !file.isNew);
  return moved === undefined || (!moved.isDeleted && mapOldLine(moved, position.old_line ?? 0) !== null);
}

/** A removed line lives on while the new base still has it and the new head does not. */
function traceOldSide(trace: PositionTrace, line: number): Place | null {
  const oldBasePath = trace.position.old_path ?? '';
  const moved = trace.baseToBase.files.find((file) => file.oldPath === oldBasePath && !file.isNew);
  const oldPath = moved?.newPath ?? oldBasePath;
  const oldLine = moved === undefined ? line : moved.isDeleted ? null : mapOldLine(moved, line);
  if (oldLine === null) return null;
  const file = trace.newVersion.files.find((candidate) => candidate.oldPath === oldPath && !candidate.isNew);
  if (file === undefined || (!file.isDeleted && mapOldLine(file, oldLine) !== null)) return null;
  return { oldPath, newPath: file.newPath, oldLine, newLine: null };
}

/** A note on a whole file is outdated by any change of it. */
function traceFile({ position, newRefs, newVersion, headToHead }: PositionTrace): TracedPosition {
  const isChanged = headToHead.files.some((file) => file.oldPath === position.new_path);
  const file = newVersion.files.find((candidate) => candidate.newPath === position.new_path);
  if (isChanged || file === undefined) return { kind: 'outdated' };
  return { kind: 'moved', position: { ...position, ...newRefs, old_path: file.oldPath } };
}

function fileOf(diff: VersionDiff, place: Place): DiffFile | null {
  return diff.files.find((file) => file.oldPath === place.oldPath && file.newPath === place.newPath) ?? null;
}
