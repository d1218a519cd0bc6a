import type { Category, Severity, Side } from '@drydock/core';
import type { DiffRow, ShownFile } from './read-shown-diff.ts';

/** The input of `report_finding`. */
export interface Claim {
  readonly path: string;
  readonly side: Side;
  readonly startLine: number;
  readonly endLine: number;
  readonly severity: Severity;
  readonly category: Category;
  readonly confidence: number;
  readonly title: string;
  readonly quotedCode: string;
  readonly reason: string;
  readonly suggestion?: string;
  readonly rootCause?: string;
}

/** A tool call that tells whether a suspicion holds. */
export interface Lookup {
  readonly name: 'read_file' | 'search';
  readonly input: Readonly<Record<string, string | number>>;
}

/** Something that looks wrong in the diff. */
export interface Suspicion {
  /** Null: the diff alone tells. */
  readonly lookup: Lookup | null;
  /** What to report; null when the look-up cleared it. `answer` is null when there was no answer. */
  readonly conclude: (answer: string | null) => readonly Claim[];
}

/** The whole change, as far as it was shown. */
export interface ShownChange {
  readonly files: readonly ShownFile[];
}

/** Looks at one file of a change. */
export type Rule = (file: ShownFile, change: ShownChange) => readonly Suspicion[];

/** What a claim says, without its place. */
export type ClaimText = Pick<Claim, 'severity' | 'category' | 'confidence' | 'title' | 'reason'> & {
  readonly suggestion?: string;
};

/** A claim about rows of one side of a file, quoting them exactly. */
export function claimAt(file: ShownFile, side: Side, rows: readonly DiffRow[], text: ClaimText): Claim | null {
  const numbers = rows.map((row) => (side === 'new' ? row.newLine : row.oldLine)).filter((line) => line !== null);
  const [startLine] = numbers;
  const endLine = numbers.at(-1);
  if (startLine === undefined || endLine === undefined || numbers.length !== rows.length) return null;
  const path = side === 'old' ? (file.oldPath ?? file.path) : file.path;
  return { path, side, startLine, endLine, ...text, quotedCode: rows.map((row) => row.text).join('\n') };
}

/** A suspicion that needs no look-up. */
export function certain(claim: Claim | null): readonly Suspicion[] {
  return claim === null ? [] : [{ lookup: null, conclude: () => [claim] }];
}

/** The lines of the head that the hunks show, hunk by hunk. */
export function newSide(file: ShownFile): readonly (readonly DiffRow[])[] {
  return file.hunks.map((hunk) => hunk.filter((row) => row.sign !== '-'));
}

/** The added lines that are no comment. */
export function addedCode(file: ShownFile): readonly DiffRow[] {
  return file.hunks.flat().filter((row) => row.sign === '+' && !isComment(row.text));
}

/** Whether a line is only a comment. */
export function isComment(text: string): boolean {
  return /^\s*(?:\/\/|\/\*|\*(?!\w)|#(?!!)|--\s|<!--)/.test(text);
}

/** Whether a path is a test's: made-up values and missing checks are at home there. */
export function isTestPath(path: string): boolean {
  return /(?:^|\/)(?:tests?|__tests__|spec|fixtures|testdata)\//.test(path) || /[._-](?:test|spec)\.\w+$/.test(path);
}

/** Whether a path holds prose rather than code. */
export function isProse(path: string): boolean {
  return /\.(?:md|markdown|txt|rst|adoc)$/i.test(path) || /(?:^|\/)(?:LICENSE|CHANGELOG|README)[^/]*$/.test(path);
}

/** A name as a pattern that matches only itself, in RE2 and in JavaScript. */
export function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
