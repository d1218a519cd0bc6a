/**
 * What makes two findings the same one: the path, the category and the normalised code under it. Never a line number,
 * never the wording, so an identity survives a rebase, moved code and a model that words things anew.
 *
 * Code that stands several times in a file is told apart by its nearest neighbours, and if these are the same too,
 * by its place among the twins.
 */
import { createHash } from 'node:crypto';
import type { Category, Side } from './finding.ts';

/** Where the code of a finding stands: `lines` are those of the whole file on that side. */
export interface FindingPlace {
  /** The path on the old side where the file was renamed, so that a later rename changes nothing. */
  readonly path: string;
  readonly category: Category;
  readonly side: Side;
  readonly lines: readonly string[];
  /** 1-based, inclusive. */
  readonly startLine: number;
  /** 1-based, inclusive. */
  readonly endLine: number;
}

interface CodeLine {
  readonly number: number;
  readonly text: string;
}

/** White space folded; blank lines dropped. Two texts with the same result are the same code. */
export function normaliseCode(lines: readonly string[]): string[] {
  return codeLines(lines).map((line) => line.text);
}

/** A hash of normalised code, to find it again in another version of the file. */
export function codeHash(normalised: readonly string[]): string {
  return sha256(normalised).slice(0, 24);
}

/** Whether code of this hash, `length` normalised lines long, stands anywhere in a file. */
export function containsCode(lines: readonly string[], hash: string, length: number): boolean {
  const code = codeOf(lines).lines.map((line) => line.text);
  for (let start = 0; start + length <= code.length; start += 1) {
    if (codeHash(code.slice(start, start + length)) === hash) return true;
  }
  return false;
}

/** 64 hex digits. Equal for the same claim about the same code, whatever lines it stands on. */
export function findingIdentity(place: FindingPlace): string {
  const code = codeOf(place.lines);
  const first = indexFrom(code.lines, place.startLine);
  const text = code.lines.slice(first, indexFrom(code.lines, place.endLine + 1)).map((line) => line.text);
  return sha256(['identity-1', place.path, place.category, place.side, ...text, ...twinMark(code, first, text)]);
}

function twinMark(code: Code, first: number, text: readonly string[]): string[] {
  const starts = (code.starts.get(text[0] ?? '') ?? []).filter((start) => standsAt(code.lines, start, text));
  if (starts.length < 2) return [];
  const around = neighbours(code.lines, first, text.length);
  const twins = starts.filter((start) => neighbours(code.lines, start, text.length).join('\n') === around.join('\n'));
  return ['twin', ...around, ...(twins.length < 2 ? [] : [String(twins.indexOf(first))])];
}

function standsAt(code: readonly CodeLine[], start: number, text: readonly string[]): boolean {
  return text.every((line, offset) => code[start + offset]?.text === line);
}

function neighbours(code: readonly CodeLine[], start: number, length: number): string[] {
  return [code[start - 1]?.text ?? '', code[start + length]?.text ?? ''];
}

/** Index of the first line of code that stands on line `number` of the file or below it. */
function indexFrom(code: readonly CodeLine[], number: number): number {
  let [low, high] = [0, code.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((code[middle]?.number ?? Infinity) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Code {
  readonly lines: readonly CodeLine[];
  /** By text: the indexes of the lines that read so, ascending. */
  readonly starts: ReadonlyMap<string, readonly number[]>;
}

/** A review asks this of the same file for each of its findings. */
const known = new WeakMap<readonly string[], Code>();

function codeOf(lines: readonly string[]): Code {
  const before = known.get(lines);
  if (before !== undefined) return before;
  const code = codeLines(lines);
  const starts = new Map<string, number[]>();
  code.forEach(({ text }, index) => {
    const same = starts.get(text);
    if (same === undefined) starts.set(text, [index]);
    else same.push(index);
  });
  known.set(lines, { lines: code, starts });
  return { lines: code, starts };
}

function codeLines(lines: readonly string[]): readonly CodeLine[] {
  return lines
    .map((line, index) => ({ number: index + 1, text: line.trim().replace(/\s+/g, ' ') }))
    .filter((line) => line.text !== '');
}

function sha256(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${String(Buffer.byteLength(part))}:${part}`);
  return hash.digest('hex');
}
