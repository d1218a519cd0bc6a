/**
 * The diff of one merge request version as GitLab sees it, built from git's own output: the oracle for positions.
 * It shares no code with the product, so a mistake there is not repeated here.
 *
 * A row carries both counters, as GitLab's line codes need them: an added row the next old number, a removed row the
 * next new one. Only a line feed ends a line.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { gitEnvironment, runGit } from './git-process.ts';

/** One line of a diff. */
export interface DiffRow {
  readonly kind: 'added' | 'removed' | 'context';
  /** 1-based counter of the old side at this row. */
  readonly oldPos: number;
  /** 1-based counter of the new side at this row. */
  readonly newPos: number;
  /** Without its line feed; invalid UTF-8 is replaced. */
  readonly text: string;
}

/** One file of a diff. */
export interface DiffFile {
  readonly oldPath: string;
  readonly newPath: string;
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldBlob: string;
  readonly newBlob: string;
  readonly isNew: boolean;
  readonly isDeleted: boolean;
  readonly isRenamed: boolean;
  readonly isBinary: boolean;
  /** The patch is over the size limit: GitLab then knows no row of it. */
  readonly isTooLarge: boolean;
  readonly rows: readonly DiffRow[];
  /** From the first hunk header on, as the API shows it. */
  readonly patch: string;
}

/** All files between two commits. */
export interface VersionDiff {
  readonly repoDir: string;
  readonly baseSha: string;
  readonly headSha: string;
  readonly files: readonly DiffFile[];
}

interface LoadDiff {
  readonly repoDir: string;
  readonly baseSha: string;
  readonly headSha: string;
  /** Files with a longer patch lose their rows, as on GitLab (200 KiB there by default); null: no limit. */
  readonly maxPatchBytes?: number | null;
}

const diffOptions = [
  '--find-renames=30%',
  '--full-index',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--src-prefix=a/',
  '--dst-prefix=b/',
  '--submodule=short',
];

/** Reads the diff of `baseSha` to `headSha`. */
export async function loadVersionDiff({
  repoDir,
  baseSha,
  headSha,
  maxPatchBytes = null,
}: LoadDiff): Promise<VersionDiff> {
  const diff = (format: readonly string[]) =>
    runGit(repoDir, ['diff', ...diffOptions, ...format, baseSha, headSha, '--']);
  const raw = parseRaw(await diff(['--raw', '-z', '--no-abbrev']));
  const sections = splitSections(await diff(['--patch', '--unified=3']));
  if (raw.length !== sections.length) throw new Error('git named other files in its raw than in its patch output');
  const files = raw.map((entry, index) => readFile(entry, sections[index] ?? Buffer.alloc(0), maxPatchBytes));
  return { repoDir, baseSha, headSha, files };
}

/** GitLab's name for a row: the file's path, hashed, and both counters. */
export function lineCode(file: DiffFile, row: Pick<DiffRow, 'oldPos' | 'newPos'>): string {
  return `${hashPath(file)}_${row.oldPos}_${row.newPos}`;
}

const pathHashes = new WeakMap<DiffFile, string>();

function hashPath(file: DiffFile): string {
  const known = pathHashes.get(file);
  if (known !== undefined) return known;
  const hash = createHash('sha1').update(file.newPath).digest('hex');
  pathHashes.set(file, hash);
  return hash;
}

const rowIndexes = new WeakMap<DiffFile, ReadonlyMap<string, DiffRow>>();

/** The row with exactly these counters; no two rows of a file share both. */
export function rowAt(file: DiffFile, { oldPos, newPos }: Pick<DiffRow, 'oldPos' | 'newPos'>): DiffRow | null {
  return indexRows(file).get(`at ${oldPos} ${newPos}`) ?? null;
}

/** The row that a pair of line numbers names: one null for a changed line, both for an unchanged one. */
export function findRow(file: DiffFile, oldLine: number | null, newLine: number | null): DiffRow | null {
  return indexRows(file).get(`line ${oldLine ?? '-'} ${newLine ?? '-'}`) ?? null;
}

function indexRows(file: DiffFile): ReadonlyMap<string, DiffRow> {
  const known = rowIndexes.get(file);
  if (known !== undefined) return known;
  const index = new Map<string, DiffRow>();
  for (const row of file.rows) {
    index.set(`at ${row.oldPos} ${row.newPos}`, row);
    index.set(`line ${oldLineOf(row) ?? '-'} ${newLineOf(row) ?? '-'}`, row);
    if (row.kind !== 'added') index.set(`old ${row.oldPos}`, row);
    if (row.kind !== 'removed') index.set(`new ${row.newPos}`, row);
  }
  rowIndexes.set(file, index);
  return index;
}

/** The line number on the old side, null on an added row. */
export function oldLineOf(row: DiffRow): number | null {
  return row.kind === 'added' ? null : row.oldPos;
}

/** The line number on the new side, null on a removed row. */
export function newLineOf(row: DiffRow): number | null {
  return row.kind === 'removed' ? null : row.newPos;
}

/**
 * The row of an unchanged line that no hunk shows, as GitLab unfolds it; null where it does not: new, deleted and
 * binary files, files without any row, and pairs of numbers that do not belong together.
 */
export function unfoldRow(diff: VersionDiff, file: DiffFile, oldLine: number, newLine: number): DiffRow | null {
  const isText = !file.isBinary && file.oldMode !== submoduleMode && file.rows.length > 0;
  if (file.isNew || file.isDeleted || !isText) return null;
  if (mapOldLine(file, oldLine) !== newLine || findRow(file, oldLine, newLine) !== null) return null;
  const text = blobLines(diff, file.oldBlob)[oldLine - 1];
  return text === undefined ? null : { kind: 'context', oldPos: oldLine, newPos: newLine, text };
}

/** Where a line of the old side stands on the new side; null when the diff removes it. */
export function mapOldLine(file: DiffFile, oldLine: number): number | null {
  const row = indexRows(file).get(`old ${oldLine}`);
  if (row !== undefined) return row.kind === 'removed' ? null : row.newPos;
  return oldLine + offsetBefore(file, (candidate) => candidate.oldPos < oldLine);
}

/** Where a line of the new side stood on the old side; null when the diff added it. */
export function mapNewLine(file: DiffFile, newLine: number): number | null {
  const row = indexRows(file).get(`new ${newLine}`);
  if (row !== undefined) return row.kind === 'added' ? null : row.oldPos;
  return newLine - offsetBefore(file, (candidate) => candidate.newPos < newLine);
}

/** New minus old line number behind the last row that `isBefore`; rows are sorted by both counters. */
function offsetBefore(file: DiffFile, isBefore: (row: DiffRow) => boolean): number {
  let low = 0;
  for (let high = file.rows.length; low < high;) {
    const middle = (low + high) >> 1;
    const row = file.rows[middle];
    if (row !== undefined && isBefore(row)) low = middle + 1;
    else high = middle;
  }
  const last = file.rows[low - 1];
  return last === undefined ? 0 : rowOffsetAfter(last);
}

function rowOffsetAfter(row: DiffRow): number {
  const nextOld = row.kind === 'added' ? row.oldPos : row.oldPos + 1;
  const nextNew = row.kind === 'removed' ? row.newPos : row.newPos + 1;
  return nextNew - nextOld;
}

const blobCache = new Map<string, readonly string[]>();
const maxCachedBlobs = 500;

/** The lines of a blob without their line feeds; a last line without one counts. */
function blobLines(diff: VersionDiff, blob: string): readonly string[] {
  const key = `${diff.repoDir}:${blob}`;
  const known = blobCache.get(key);
  if (known !== undefined) return known;
  const options = { cwd: diff.repoDir, env: gitEnvironment, maxBuffer: 2 ** 30 };
  const lines = splitLines(execFileSync('git', ['cat-file', 'blob', blob], options)).map((line) =>
    line.toString('utf8'),
  );
  if (blobCache.size >= maxCachedBlobs) blobCache.clear();
  blobCache.set(key, lines);
  return lines;
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start);
    if (end === -1) return [...lines, bytes.subarray(start)];
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

interface RawEntry {
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldBlob: string;
  readonly newBlob: string;
  readonly status: string;
  readonly oldPath: string;
  readonly newPath: string;
}

function parseRaw(output: Buffer): RawEntry[] {
  const fields = output.toString('latin1').split('\0').map(decodePath);
  const entries: RawEntry[] = [];
  for (let index = 0; index + 1 < fields.length;) {
    const [oldMode = '', newMode = '', oldBlob = '', newBlob = '', status = ''] = (fields[index] ?? '')
      .slice(1)
      .split(' ');
    const isPair = /^[RC]/.test(status);
    const oldPath = fields[index + 1] ?? '';
    const newPath = isPair ? (fields[index + 2] ?? '') : oldPath;
    index += isPair ? 3 : 2;
    const entry = { oldMode, newMode, oldBlob, newBlob, oldPath, newPath };
    if (status === 'T') {
      // Git writes a change of type (file to link) as a deletion and a creation, and so does GitLab.
      entries.push({ ...entry, newMode: '000000', status: 'D' }, { ...entry, oldMode: '000000', status: 'A' });
    } else {
      entries.push({ ...entry, status });
    }
  }
  return entries;
}

/** A path that is no UTF-8 gets a name that no client can send. */
function decodePath(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : `\0${latin1}`;
}

/** Every content line of a patch has a prefix, so a line that begins with `diff --git ` is a header, whatever files hold. */
function splitSections(patch: Buffer): Buffer[] {
  const header = Buffer.from('\ndiff --git ');
  if (patch.length === 0) return [];
  const sections: Buffer[] = [];
  let start = 0;
  for (let next = patch.indexOf(header); next !== -1; next = patch.indexOf(header, start)) {
    sections.push(patch.subarray(start, next + 1));
    start = next + 1;
  }
  return [...sections, patch.subarray(start)];
}

const zeroMode = '000000';
const submoduleMode = '160000';

function readFile(entry: RawEntry, section: Buffer, maxPatchBytes: number | null): DiffFile {
  const start = section.indexOf('\n@@ -');
  const header = section.subarray(0, start === -1 ? section.length : start).toString('latin1');
  const body = start === -1 ? Buffer.alloc(0) : section.subarray(start + 1);
  const isTooLarge = maxPatchBytes !== null && body.length > maxPatchBytes;
  return {
    oldPath: entry.oldPath,
    newPath: entry.newPath,
    oldMode: entry.oldMode,
    newMode: entry.newMode,
    oldBlob: entry.oldBlob,
    newBlob: entry.newBlob,
    isNew: entry.oldMode === zeroMode,
    isDeleted: entry.newMode === zeroMode,
    isRenamed: entry.status.startsWith('R'),
    isBinary: start === -1 && /^Binary files /m.test(header),
    isTooLarge,
    rows: isTooLarge ? [] : readRows(body),
    patch: isTooLarge ? '' : body.toString('utf8'),
  };
}

const hunkHeader = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/** Rows are counted by the lengths that each hunk declares, so content that looks like a header is content. */
function readRows(body: Buffer): DiffRow[] {
  const rows: DiffRow[] = [];
  let oldPos = 0;
  let newPos = 0;
  let oldLeft = 0;
  let newLeft = 0;
  for (const line of splitLines(body)) {
    if (oldLeft === 0 && newLeft === 0) {
      const hunk = hunkHeader.exec(line.toString('latin1'));
      if (hunk === null) continue; // the marker for a missing last line feed
      oldLeft = Number(hunk[2] ?? 1);
      newLeft = Number(hunk[4] ?? 1);
      // As written, 0 for a side without lines: GitLab's line codes for a new file are _0_1, _0_2 …
      oldPos = Number(hunk[1]);
      newPos = Number(hunk[3]);
      continue;
    }
    const text = () => line.subarray(1).toString('utf8');
    switch (line[0] ?? 0x20) {
      case 0x2b: // +
        rows.push({ kind: 'added', oldPos, newPos: newPos++, text: text() });
        newLeft--;
        break;
      case 0x2d: // -
        rows.push({ kind: 'removed', oldPos: oldPos++, newPos, text: text() });
        oldLeft--;
        break;
      case 0x5c: // \ No newline at end of file
        break;
      default:
        rows.push({ kind: 'context', oldPos: oldPos++, newPos: newPos++, text: text() });
        oldLeft--;
        newLeft--;
    }
  }
  return rows;
}
