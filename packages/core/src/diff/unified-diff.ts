import { TerminalError } from '../errors.ts';
import type { FileDiff, Hunk } from './file-diff.ts';
import type { RawDiffEntry } from './raw-diff.ts';

const lineFeed = 10;
const space = 32;
const plus = 43;
const minus = 45;
const backslash = 92;

const context = 0;
const added = 1;
const removed = 2;

const hunkHeader = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?/;
/** No header line that git writes is longer, but for its heading and for paths, which may be of any length. */
const headerProbeBytes = 80;

interface Columns {
  readonly kinds: Uint8Array;
  readonly oldCounters: Uint32Array;
  readonly newCounters: Uint32Array;
  readonly textStarts: Uint32Array;
}

interface Parser {
  readonly patch: Buffer;
  readonly columns: Columns;
  /** Offset of the next line. */
  at: number;
  /** Rows of all files so far. */
  rowCount: number;
}

interface Section {
  readonly isBinary: boolean;
  readonly hunks: Hunk[];
  readonly oldEndsWithoutNewline: boolean;
  readonly newEndsWithoutNewline: boolean;
}

/**
 * Parses the patch of the diff whose raw listing is `entries`, made with the same options. Files are matched by order,
 * rows are counted by their hunk's header, so neither a path nor a line of code can pass for structure. Only a line
 * feed ends a line. Throws `git.failed` where patch and listing disagree.
 */
export function parseUnifiedDiff(patch: Buffer, entries: readonly RawDiffEntry[]): FileDiff[] {
  const parser: Parser = { patch, columns: columnsFor(patch), at: 0, rowCount: 0 };
  const files = entries.map((entry) => parseFile(parser, entry));
  if (parser.at < patch.length) disagree('more files than the listing');
  return files;
}

/** No patch has more rows than line feeds. */
function columnsFor(patch: Buffer): Columns {
  let lines = 0;
  for (let at = patch.indexOf(lineFeed); at >= 0; at = patch.indexOf(lineFeed, at + 1)) lines += 1;
  return {
    kinds: new Uint8Array(lines),
    oldCounters: new Uint32Array(lines),
    newCounters: new Uint32Array(lines),
    textStarts: new Uint32Array(lines),
  };
}

function parseFile(parser: Parser, entry: RawDiffEntry): FileDiff {
  const firstRow = parser.rowCount;
  // Git writes a change of type as a deletion and a creation, under one entry.
  const sections = Array.from({ length: entry.status === 'type-changed' ? 2 : 1 }, () =>
    parseSection(parser, firstRow),
  );
  const { columns, rowCount, patch } = parser;
  return {
    ...entry,
    isBinary: sections.some((section) => section.isBinary),
    isSubmodule: hasMode(entry, '160000'),
    isSymlink: hasMode(entry, '120000'),
    oldEndsWithoutNewline: sections.some((section) => section.oldEndsWithoutNewline),
    newEndsWithoutNewline: sections.some((section) => section.newEndsWithoutNewline),
    hunks: sections.flatMap((section) => section.hunks),
    rows: {
      count: rowCount - firstRow,
      kinds: columns.kinds.subarray(firstRow, rowCount),
      oldCounters: columns.oldCounters.subarray(firstRow, rowCount),
      newCounters: columns.newCounters.subarray(firstRow, rowCount),
      textStarts: columns.textStarts.subarray(firstRow, rowCount),
      patch,
    },
  };
}

function hasMode(entry: RawDiffEntry, mode: string): boolean {
  return entry.oldMode === mode || entry.newMode === mode;
}

function parseSection(parser: Parser, firstRowOfFile: number): Section {
  if (!startsWith(parser, 'diff --git ')) disagree('fewer files than the listing');
  skipLine(parser);
  let isBinary = false;
  while (parser.at < parser.patch.length && !startsWith(parser, '@@ -') && !startsWith(parser, 'diff --git ')) {
    isBinary ||= startsWith(parser, 'Binary files ') || startsWith(parser, 'GIT binary patch');
    skipLine(parser);
  }
  const hunks: Hunk[] = [];
  let oldEndsWithoutNewline = false;
  let newEndsWithoutNewline = false;
  while (startsWith(parser, '@@ -')) {
    const { hunk, ...ends } = parseHunk(parser, firstRowOfFile);
    hunks.push(hunk);
    oldEndsWithoutNewline ||= ends.oldEndsWithoutNewline;
    newEndsWithoutNewline ||= ends.newEndsWithoutNewline;
  }
  return { isBinary, hunks, oldEndsWithoutNewline, newEndsWithoutNewline };
}

interface ParsedHunk extends Omit<Section, 'isBinary' | 'hunks'> {
  readonly hunk: Hunk;
}

function parseHunk(parser: Parser, firstRowOfFile: number): ParsedHunk {
  const firstRow = parser.rowCount;
  const header = parseHunkHeader(parser);
  let oldLeft = header.oldLines;
  let newLeft = header.newLines;
  let oldCounter = header.oldStart;
  let newCounter = header.newStart;
  let lastKind = context;
  let oldEndsWithoutNewline = false;
  let newEndsWithoutNewline = false;
  // The marker of a missing line feed follows the row it is about, also the last one.
  while (oldLeft > 0 || newLeft > 0 || parser.patch[parser.at] === backslash) {
    if (parser.patch[parser.at] === backslash) {
      oldEndsWithoutNewline ||= lastKind !== added;
      newEndsWithoutNewline ||= lastKind !== removed;
      skipLine(parser);
      continue;
    }
    lastKind = kindAt(parser);
    putRow(parser, lastKind, oldCounter, newCounter);
    if (lastKind !== added) {
      oldCounter += 1;
      oldLeft -= 1;
    }
    if (lastKind !== removed) {
      newCounter += 1;
      newLeft -= 1;
    }
  }
  if (oldLeft < 0 || newLeft < 0) disagree('a hunk with more rows than its header tells');
  const hunk = { ...header, firstRow: firstRow - firstRowOfFile, rowCount: parser.rowCount - firstRow };
  return { hunk, oldEndsWithoutNewline, newEndsWithoutNewline };
}

function parseHunkHeader(parser: Parser): Omit<Hunk, 'firstRow' | 'rowCount'> {
  const { patch, at } = parser;
  const end = lineEnd(parser);
  const match =
    hunkHeader.exec(patch.toString('latin1', at, Math.min(end, at + headerProbeBytes))) ?? disagree('a broken hunk');
  const [whole, oldStart, oldLines = '1', newStart, newLines = '1'] = match;
  parser.at = end + 1;
  return {
    oldStart: Number(oldStart),
    oldLines: Number(oldLines),
    newStart: Number(newStart),
    newLines: Number(newLines),
    heading: patch.toString('utf8', at + whole.length, end),
  };
}

function kindAt({ patch, at }: Parser): number {
  const mark = patch[at];
  if (mark === plus) return added;
  if (mark === minus) return removed;
  // `diff.suppressBlankEmpty` leaves nothing of an empty context line.
  if (mark === space || mark === lineFeed) return context;
  return disagree('a hunk with fewer rows than its header tells');
}

function putRow(parser: Parser, kind: number, oldCounter: number, newCounter: number): void {
  const { columns, patch, rowCount, at } = parser;
  columns.kinds[rowCount] = kind;
  columns.oldCounters[rowCount] = oldCounter;
  columns.newCounters[rowCount] = newCounter;
  columns.textStarts[rowCount] = patch[at] === lineFeed ? at : at + 1;
  parser.rowCount += 1;
  skipLine(parser);
}

function startsWith({ patch, at }: Parser, text: string): boolean {
  return patch.toString('latin1', at, at + text.length) === text;
}

function skipLine(parser: Parser): void {
  parser.at = lineEnd(parser) + 1;
}

function lineEnd({ patch, at }: Parser): number {
  const end = patch.indexOf(lineFeed, at);
  return end < 0 ? disagree('a line without an end') : end;
}

function disagree(what: string): never {
  throw new TerminalError('git.failed', `the patch holds ${what}`);
}
