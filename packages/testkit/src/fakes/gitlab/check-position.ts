/**
 * Whether GitLab would take a diff note at a position, and which line the note would then stand on.
 * Messages are GitLab's. Where GitLab is lenient but the note would stand wrong (a line code of another line, a file
 * that is not in the diff), this is not: such refusals are marked `isStricter`.
 * @see https://docs.gitlab.com/api/discussions/#create-a-new-thread-in-the-merge-request-diff
 */
import {
  findRow,
  lineCode,
  newLineOf,
  oldLineOf,
  rowAt,
  unfoldRow,
  type DiffFile,
  type DiffRow,
  type VersionDiff,
} from './version-diff.ts';

/** The three commits of a merge request version, in GitLab's words. */
export interface PositionRefs {
  readonly base_sha: string;
  readonly start_sha: string;
  readonly head_sha: string;
}

/** One end of a multi-line note. */
export interface PositionRangeEnd {
  readonly line_code?: string | null;
  readonly type?: string | null;
  readonly old_line?: number | null;
  readonly new_line?: number | null;
}

/** A position as a client sends it. */
export interface DiffPosition extends PositionRefs {
  readonly position_type: string;
  readonly old_path?: string | null;
  readonly new_path?: string | null;
  readonly old_line?: number | null;
  readonly new_line?: number | null;
  readonly line_range?: { readonly start?: PositionRangeEnd; readonly end?: PositionRangeEnd } | null;
  readonly x?: number | null;
  readonly y?: number | null;
  readonly width?: number | null;
  readonly height?: number | null;
}

/** What GitLab makes of a position. */
export type PositionCheck =
  | {
      readonly kind: 'accepted';
      /** The line it points at, without its line feed; empty for a whole file. */
      readonly text: string;
      readonly side: 'new' | 'old' | 'context' | 'file';
      /** Null for a whole file. */
      readonly lineCode: string | null;
      /** The lines of a multi-line note, first to last; one line without `line_range`. */
      readonly rangeTexts: readonly string[];
    }
  | { readonly kind: 'refused'; readonly status: 400 | 500; readonly message: string; readonly isStricter: boolean };

interface PositionToCheck {
  /** Of the version that `refs` names. */
  readonly diff: VersionDiff;
  readonly refs: PositionRefs;
  readonly position: DiffPosition;
}

/** Checks a position against one merge request version. */
export function checkPosition({ diff, refs, position }: PositionToCheck): PositionCheck {
  const shas = [position.base_sha, position.start_sha, position.head_sha];
  if (shas.some((sha) => sha === ''))
    return { kind: 'refused', status: 500, message: internalError, isStricter: false };
  const schemaFault = findSchemaFault(position);
  if (schemaFault !== null) return refuse({ position: ['must be a valid json schema'] });

  const isComplete = isFilled(position.old_path) && isFilled(position.new_path) && hasPlace(position);
  const isKnown =
    refs.base_sha === position.base_sha && refs.start_sha === position.start_sha && refs.head_sha === position.head_sha;
  const file = isKnown ? findFile(diff, position) : null;
  if (position.position_type !== 'text') return checkFile(file, isComplete);

  const row = file === null ? null : locateRow(diff, file, position.old_line ?? null, position.new_line ?? null);
  if (!isComplete || file === null || row === null) {
    return refuse({
      ...(row === null ? { line_code: ["can't be blank", 'must be a valid line code'] } : {}),
      ...(isComplete ? {} : { position: ['is incomplete'] }),
    });
  }
  const range = position.line_range ?? null;
  const rangeFault = range === null ? null : findRangeFault(diff, file, row, range);
  if (rangeFault !== null) return refuse({ position: [rangeFault] }, true);
  const side = row.kind === 'added' ? 'new' : row.kind === 'removed' ? 'old' : 'context';
  const rangeTexts = range === null ? [row.text] : readRange(diff, file, row, range);
  return { kind: 'accepted', text: row.text, side, lineCode: lineCode(file, row), rangeTexts };
}

const internalError = '500 Internal Server Error';

function refuse(errors: Readonly<Record<string, readonly string[]>>, isStricter = false): PositionCheck {
  return { kind: 'refused', status: 400, message: `400 Bad request - Note ${inspectErrors(errors)}`, isStricter };
}

/** A hash of messages as Ruby prints it, which is how GitLab's API shows a model's errors. */
export function inspectErrors(errors: Readonly<Record<string, readonly string[]>>): string {
  const entries = Object.entries(errors).map(
    ([key, messages]) => `:${key}=>[${messages.map((message) => JSON.stringify(message)).join(', ')}]`,
  );
  return `{${entries.join(', ')}}`;
}

const isGiven = (value: unknown): boolean => (value ?? null) !== null;
const isFilled = (text: string | null | undefined): boolean => (text ?? '') !== '';

function hasPlace(position: DiffPosition): boolean {
  if (position.position_type === 'file') return true;
  if (position.position_type === 'text') return isGiven(position.old_line) || isGiven(position.new_line);
  return [position.x, position.y, position.width, position.height].every(isGiven);
}

/** A pair of paths that the diff does not hold together finds no file. Of a change of type GitLab takes the deletion. */
function findFile(diff: VersionDiff, position: DiffPosition): DiffFile | null {
  return diff.files.find((file) => file.oldPath === position.old_path && file.newPath === position.new_path) ?? null;
}

function checkFile(file: DiffFile | null, isComplete: boolean): PositionCheck {
  if (!isComplete) return refuse({ position: ['is incomplete'] });
  // GitLab stores the note all the same, on a file that the diff does not show.
  if (file === null) return refuse({ position: ['is incomplete'] }, true);
  return { kind: 'accepted', text: '', side: 'file', lineCode: null, rangeTexts: [] };
}

/** The row that a position names, in a hunk or unfolded; null when GitLab finds none. */
export function locateRow(
  diff: VersionDiff,
  file: DiffFile,
  oldLine: number | null,
  newLine: number | null,
): DiffRow | null {
  const row = findRow(file, oldLine, newLine);
  if (row !== null || oldLine === null || newLine === null) return row;
  return unfoldRow(diff, file, oldLine, newLine);
}

function findSchemaFault(position: DiffPosition): string | null {
  const { start, end } = position.line_range ?? {};
  if ([position.base_sha, position.start_sha, position.head_sha].some((sha) => sha.length > 64)) return 'sha';
  if ([position.old_path, position.new_path].some((path) => (path?.length ?? 0) > 1000)) return 'path';
  if ([start, end].some((code) => (code?.line_code?.length ?? 0) > 100)) return 'line_code';
  return null;
}

type Range = NonNullable<DiffPosition['line_range']>;

/** GitLab stores line codes unseen; a wrong one shows a range over other lines. */
function findRangeFault(diff: VersionDiff, file: DiffFile, noteRow: DiffRow, range: Range): string | null {
  const rows: DiffRow[] = [];
  for (const name of ['start', 'end'] as const) {
    const end = range[name];
    const code = end?.line_code ?? null;
    if (end === undefined || code === null) return `line_range ${name} has no line_code`;
    const row = rowOfLineCode(diff, file, code);
    if (row === null) return `line_range ${name} has a line_code that is no line of the diff`;
    if (end.type !== (row.kind === 'added' ? 'new' : 'old')) return `line_range ${name} has the wrong type`;
    if (isGiven(end.old_line) && end.old_line !== oldLineOf(row)) return `line_range ${name} has the wrong old_line`;
    if (isGiven(end.new_line) && end.new_line !== newLineOf(row)) return `line_range ${name} has the wrong new_line`;
    rows.push(row);
  }
  const [start, end] = rows;
  if (start === undefined || end === undefined) return 'line_range is incomplete';
  if (lineCode(file, end) !== lineCode(file, noteRow) || end.kind !== noteRow.kind)
    return 'line_range does not end on the line of the note';
  return compareRows(start, end) > 0 ? 'line_range ends before it starts' : null;
}

function compareRows(left: DiffRow, right: DiffRow): number {
  return left.oldPos - right.oldPos || left.newPos - right.newPos;
}

function rowOfLineCode(diff: VersionDiff, file: DiffFile, code: string): DiffRow | null {
  const parts = /^[0-9a-f]{40}_(\d+)_(\d+)$/.exec(code);
  if (parts === null) return null;
  const counters = { oldPos: Number(parts[1]), newPos: Number(parts[2]) };
  if (code !== lineCode(file, counters)) return null;
  return rowAt(file, counters) ?? unfoldRow(diff, file, counters.oldPos, counters.newPos);
}

/** The rows that the range spans, those outside the hunks included. */
function readRange(diff: VersionDiff, file: DiffFile, noteRow: DiffRow, range: Range): string[] {
  const texts: string[] = [];
  let row = rowOfLineCode(diff, file, range.start?.line_code ?? '');
  while (row !== null && compareRows(row, noteRow) <= 0) {
    texts.push(row.text);
    const next = {
      oldPos: row.oldPos + (row.kind === 'added' ? 0 : 1),
      newPos: row.newPos + (row.kind === 'removed' ? 0 : 1),
    };
    row = rowAt(file, next) ?? unfoldRow(diff, file, next.oldPos, next.newPos);
  }
  return texts;
}
