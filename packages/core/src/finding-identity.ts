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
  const code = normaliseCode(lines);
  for (let start = 0; start + length <= code.length; start += 1) {
    if (codeHash(code.slice(start, start + length)) === hash) return true;
  }
  return false;
}

/** 64 hex digits. Equal for the same claim about the same code, whatever lines it stands on. */
export function findingIdentity(place: FindingPlace): string {
  const code = codeLines(place.lines);
  const wanted = code.filter((line) => line.number >= place.startLine && line.number <= place.endLine);
  const first = code.findIndex((line) => line.number >= place.startLine);
  const text = wanted.map((line) => line.text);
  return sha256(['identity-1', place.path, place.category, place.side, ...text, ...twinMark(code, first, text)]);
}

function twinMark(code: readonly CodeLine[], first: number, text: readonly string[]): string[] {
  if (text.length === 0) return [];
  const starts = code.flatMap((_, index) => (standsAt(code, index, text) ? [index] : []));
  if (starts.length < 2) return [];
  const around = neighbours(code, first, text.length);
  const twins = starts.filter((start) => neighbours(code, start, text.length).join('\n') === around.join('\n'));
  return ['twin', ...around, ...(twins.length < 2 ? [] : [String(twins.indexOf(first))])];
}

function standsAt(code: readonly CodeLine[], start: number, text: readonly string[]): boolean {
  return text.every((line, offset) => code[start + offset]?.text === line);
}

function neighbours(code: readonly CodeLine[], start: number, length: number): string[] {
  return [code[start - 1]?.text ?? '', code[start + length]?.text ?? ''];
}

/** A review asks this of the same file for each of its findings. */
const known = new WeakMap<readonly string[], readonly CodeLine[]>();

function codeLines(lines: readonly string[]): readonly CodeLine[] {
  const before = known.get(lines);
  if (before !== undefined) return before;
  const code = lines
    .map((line, index) => ({ number: index + 1, text: line.trim().replace(/\s+/g, ' ') }))
    .filter((line) => line.text !== '');
  known.set(lines, code);
  return code;
}

function sha256(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${String(Buffer.byteLength(part))}:${part}`);
  return hash.digest('hex');
}
