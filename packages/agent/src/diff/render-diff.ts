import { rowsOf, type DiffRow, type FileDiff, type Hunk } from '@drydock/core';
import type { ReviewedFile } from '../review-session.ts';
import { CappedLines, type TextCap } from '../tools/cap-text.ts';
import { visibleLine } from '../tools/visible-text.ts';
import { countChanges } from './left-out.ts';

/** Characters of a line that any tool shows. */
const longestShownLine = 2000;

const overviewCap: TextCap = { maxLines: 2000, maxBytes: 200_000, maxLineChars: 8000 };
const diffCap: TextCap = { maxLines: 4000, maxBytes: 200_000, maxLineChars: longestShownLine };

const signs = { context: ' ', added: '+', removed: '-' } as const;

/** One line for each changed file: what happened to it, how much, and whether the review leaves it out. */
export function renderOverview(files: readonly ReviewedFile[]): string {
  const lines = new CappedLines(overviewCap);
  for (const file of files) lines.add(overviewLine(file));
  if (lines.isFull) lines.notice(`${files.length - lines.count} more files are not listed here`);
  return lines.toString();
}

function overviewLine({ diff, leftOut }: ReviewedFile): string {
  const { added, removed } = countChanges(diff);
  const isMoved = diff.status === 'renamed' || diff.status === 'copied';
  const path = isMoved ? `${diff.oldPath} => ${diff.newPath}` : diff.newPath;
  const line = `${diff.status}\t+${added} -${removed}\t${visibleLine(path)}`;
  return leftOut === null ? line : `${line}\tleft out: ${leftOut}`;
}

/** The hunks of a file, every row with its line numbers on both sides. */
export function renderFileDiff(file: FileDiff): string {
  const lines = new CappedLines(diffCap);
  for (const hunk of file.hunks) {
    lines.add(hunkLine(hunk));
    for (const row of rowsOf(file, hunk)) {
      if (!lines.add(rowLine(row))) break;
    }
  }
  if (lines.isFull) lines.notice('the rest of this diff is not shown; use read_file for the lines that follow');
  if (file.rows.count === 0) lines.notice(whyNoRows(file));
  for (const notice of notices(file)) lines.notice(notice);
  return lines.toString();
}

/** How many changed lines are so long that nobody was shown their end. */
export function countCutLines(file: FileDiff): number {
  const isCut = ({ kind, text }: DiffRow) => kind !== 'context' && text.length > longestShownLine;
  return file.hunks.reduce((count, hunk) => count + [...rowsOf(file, hunk)].filter(isCut).length, 0);
}

function hunkLine(hunk: Hunk): string {
  const head = `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`;
  return hunk.heading === '' ? head : `${head} ${visibleLine(hunk.heading)}`;
}

function rowLine({ kind, oldLine, newLine, text }: DiffRow): string {
  return `${column(oldLine)} ${column(newLine)} ${signs[kind]} ${visibleLine(text)}`;
}

function column(line: number | null): string {
  return (line === null ? '' : String(line)).padStart(6);
}

function whyNoRows(file: FileDiff): string {
  if (file.isBinary) return 'a binary file: no lines to show';
  if (file.oldMode !== file.newMode && file.status === 'modified')
    return `only its mode changed: ${file.oldMode} to ${file.newMode}`;
  return file.status === 'renamed' || file.status === 'copied' ? 'moved or copied without a change' : 'an empty file';
}

function* notices(file: FileDiff): Generator<string> {
  if (file.isSymlink) yield 'a symbolic link: its line is the target, which is not followed';
  if (file.isSubmodule) yield 'a submodule: its line is a commit, which is not fetched';
}
