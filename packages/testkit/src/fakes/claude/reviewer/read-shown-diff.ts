/** Reads what the tool `show_diff` prints. Lines that fit no form are skipped: notices, and what later versions add. */

/** A line of the overview. */
export interface ChangedFile {
  readonly path: string;
  /** Where the file was before; null unless renamed or copied. */
  readonly oldPath: string | null;
  readonly status: string;
  /** Why the agent shows no diff of it; null: it does. */
  readonly leftOut: string | null;
}

/** A line of a hunk. Line numbers are 1-based; null on the side that does not have it. */
export interface DiffRow {
  readonly sign: ' ' | '+' | '-';
  readonly oldLine: number | null;
  readonly newLine: number | null;
  readonly text: string;
}

/** The rows of one hunk, in order. */
export type Hunk = readonly DiffRow[];

/** A changed file with its diff. */
export interface ShownFile extends ChangedFile {
  readonly hunks: readonly Hunk[];
}

const leftOutMark = /\s*[([]?left out: ?([^)\]\t]*)[)\]]?\s*/;

/** The overview: one line for each changed file. */
export function readOverview(text: string): readonly ChangedFile[] {
  return text.split('\n').flatMap((line) => {
    if (!line.includes('\t') || line.startsWith('[')) return [];
    const leftOut = leftOutMark.exec(line)?.[1]?.trim() ?? null;
    const fields = line
      .replace(leftOutMark, '\t')
      .split('\t')
      .filter((field) => field !== '');
    const status = leftOut !== null && fields.length < 3 ? 'left out' : (fields[0] ?? '');
    const place = fields.filter((field) => !/^\+\d+ -\d+$/.test(field) && field !== status).at(-1);
    if (place === undefined) return [];
    const [from = '', to] = /^(renamed|copied)/.test(status) ? place.split(' => ') : [place];
    return [{ path: to ?? from, oldPath: to === undefined ? null : from, status, leftOut }];
  });
}

/** The hunks of one file. */
export function readHunks(text: string): readonly Hunk[] {
  const hunks: DiffRow[][] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('@@')) {
      hunks.push([]);
      continue;
    }
    const row = readRow(line);
    if (row !== null) hunks.at(-1)?.push(row);
  }
  return hunks;
}

/** Old number, new number, sign, text; a missing number is six spaces. */
const rowForm = /^( {6}| *\d+) ( {6}| *\d+) ([ +-])(?: (.*))?$/s;

const maxLineChars = 2000; // a longer line is no code, and would make the rules slow

function readRow(line: string): DiffRow | null {
  if (line.length > maxLineChars) return null;
  const [, oldText = '', newText = '', sign = '', text = ''] = rowForm.exec(line) ?? [];
  const oldLine = lineNumber(oldText);
  const newLine = lineNumber(newText);
  if (sign === ' ' && oldLine !== null && newLine !== null) return { sign, oldLine, newLine, text };
  if (sign === '+' && newLine !== null) return { sign, oldLine: null, newLine, text };
  if (sign === '-' && oldLine !== null) return { sign, oldLine, newLine: null, text };
  return null;
}

function lineNumber(text: string): number | null {
  return /^ *\d+$/.test(text) ? Number(text) : null;
}

/** The lines that `read_file` printed, by their 1-based number. */
export function readNumberedLines(text: string): ReadonlyMap<number, string> {
  const lines = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [, number, content = ''] = /^ *(\d+)\t(.*)$/s.exec(line) ?? [];
    if (number !== undefined) lines.set(Number(number), content);
  }
  return lines;
}

/** A line that `search` found. */
export interface SearchHit {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

/** What `search` printed. */
export function readSearchHits(text: string): readonly SearchHit[] {
  return text.split('\n').flatMap((line) => {
    const [, path, number, content = ''] = /^(.+?):(\d+):(.*)$/s.exec(line) ?? [];
    return path === undefined ? [] : [{ path, line: Number(number), text: content }];
  });
}
