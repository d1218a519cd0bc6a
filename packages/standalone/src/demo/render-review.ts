import type { PublishedComment } from '@drydock/core';
import type pc from 'picocolors';

type Colors = ReturnType<typeof pc.createColors>;

/** The lines of a file on one side, or null when there is no such file. */
export type ReadLines = (side: 'new' | 'old', path: string) => readonly string[] | null;

const contextLines = 2;
const width = 96;

/** Each comment under the code that it stands on, file by file. */
export function renderReview(comments: readonly PublishedComment[], readLines: ReadLines, colors: Colors): string {
  const sorted = [...comments].sort(
    (left, right) => left.path.localeCompare(right.path) || left.startLine - right.startLine,
  );
  return sorted.map((comment) => renderComment(comment, readLines, colors)).join('\n');
}

function renderComment(comment: PublishedComment, readLines: ReadLines, colors: Colors): string {
  const removed = comment.side === 'old' ? ' (a removed line)' : '';
  const place = comment.placement === 'inline' ? '' : ` (placed at the ${comment.placement})`;
  const heading = `  ${colors.bold(comment.path)}:${String(comment.startLine)}${removed}${place}`;
  return [heading, ...renderCode(comment, readLines, colors), ...renderBody(comment.body, colors), ''].join('\n');
}

function renderCode(comment: PublishedComment, readLines: ReadLines, colors: Colors): string[] {
  const lines = readLines(comment.side, comment.path) ?? [];
  const first = Math.max(1, comment.startLine - contextLines);
  return lines.slice(first - 1, comment.endLine).map((text, index) => {
    const number = first + index;
    const row = `${String(number).padStart(6)} │ ${text.slice(0, width)}`;
    return number >= comment.startLine ? row : colors.dim(row);
  });
}

function renderBody(body: string, colors: Colors): string[] {
  const bar = colors.cyan('┃');
  return body.split('\n').flatMap((line) => wrap(line, width - 8).map((part) => `       ${bar} ${part}`));
}

/** Breaks at spaces; what has none is left long. */
function wrap(line: string, columns: number): string[] {
  const rows: string[] = [];
  let row = '';
  for (const word of line.split(/(?<= )/)) {
    if (row !== '' && row.length + word.trimEnd().length > columns) {
      rows.push(row.trimEnd());
      row = '';
    }
    row += word;
  }
  return [...rows, row.trimEnd()];
}
