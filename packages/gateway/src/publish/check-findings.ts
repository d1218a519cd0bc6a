/**
 * Claims become findings, or are held back and counted. An agent may say anything; what counts is what stands in the
 * repository: the quoted code at its place, the diff, and the policy.
 */
import {
  codeHash,
  compareSeverity,
  findFileDiff,
  findingIdentity,
  normaliseCode,
  placeLines,
  type FileDiff,
  type Finding,
  type Placement,
  type ReviewPolicy,
  type Severity,
  type Side,
} from '@drydock/core';
import { checkSuggestion, type CheckedSuggestion } from './check-suggestion.ts';

/** Why a claim is not posted. */
export type HeldBackWhy =
  'not-confirmed' | 'duplicate' | 'declined' | 'below-severity' | 'below-confidence' | 'over-cap';

/** A finding that stands: its code was found, and it may be posted. */
export interface CheckedFinding {
  /** With the severity it may have, and the lines on which its code really stands. */
  readonly finding: Finding;
  readonly identity: string;
  /** The path on the finding's own side. */
  readonly path: string;
  readonly codeHash: string;
  readonly codeLines: number;
  readonly placement: Placement;
  readonly suggestion: CheckedSuggestion;
}

/** What came of an agent's claims. */
export interface CheckedFindings {
  /** Worst and surest first. */
  readonly standing: readonly CheckedFinding[];
  readonly heldBack: Readonly<Partial<Record<HeldBackWhy, number>>>;
  /** Severities of all that is true and over the thresholds, also over the cap: what the verdict is about. */
  readonly severities: readonly Severity[];
}

/** What claims are checked against. */
export interface CheckGround {
  readonly diff: readonly FileDiff[];
  /** The lines of a file of one side, without line feeds; null: not there, or no text. */
  readonly linesOf: (side: Side, path: string) => readonly string[] | null;
  readonly policy: ReviewPolicy;
  /** Whether a person has turned this finding down. */
  readonly isDeclined: (checked: CheckedFinding) => boolean;
}

/** How far from a hunk code may have been meant when its line numbers are wrong. */
const neighbourhoodLines = 3;

/** Pure. A claim is held back for the first reason that applies, in the order of `HeldBackWhy`. */
export function checkFindings(claims: readonly Finding[], ground: CheckGround): CheckedFindings {
  const counts = new Map<HeldBackWhy, number>();
  const holdBack = (why: HeldBackWhy, number = 1) => {
    if (number > 0) counts.set(why, (counts.get(why) ?? 0) + number);
  };
  const { policy } = ground;
  const kept = new Map<string, CheckedFinding>();
  for (const checked of claims.map((claim) => confirm(claim, ground)).sort(byRank)) {
    if (checked === null) holdBack('not-confirmed');
    else if (kept.has(checked.identity)) holdBack('duplicate');
    else if (ground.isDeclined(checked)) holdBack('declined');
    else if (compareSeverity(checked.finding.severity, policy.minSeverity) < 0) holdBack('below-severity');
    else if (checked.finding.confidence < policy.minConfidence) holdBack('below-confidence');
    else kept.set(checked.identity, checked);
  }
  const ranked = [...kept.values()];
  holdBack('over-cap', ranked.length - policy.maxComments);
  return {
    standing: ranked.slice(0, policy.maxComments),
    heldBack: Object.fromEntries(counts),
    severities: ranked.map((checked) => checked.finding.severity),
  };
}

/** Which files must be read to check these claims. */
export function filesToRead(
  claims: readonly Pick<Finding, 'path' | 'side'>[],
  diff: readonly FileDiff[],
): { readonly side: Side; readonly path: string }[] {
  const wanted = new Map(
    claims.map(({ path, side }) => {
      const place = { side, path: sidePath({ path, side }, findFileDiff(diff, { path, side })) };
      return [`${side}:${place.path}`, place] as const;
    }),
  );
  return [...wanted.values()];
}

function confirm(claim: Finding, ground: CheckGround): CheckedFinding | null {
  const { diff, policy, linesOf } = ground;
  const file = findFileDiff(diff, claim);
  const path = sidePath(claim, file);
  const lines = linesOf(claim.side, path);
  const span = lines === null || lines.length === 0 ? wholeFile(claim, file) : findCode(claim, lines, file);
  if (span === null) return null;
  const cap = policy.severityCaps[claim.category];
  const isCapped = cap !== undefined && compareSeverity(claim.severity, cap) > 0;
  const finding = { ...claim, ...span, severity: isCapped ? cap : claim.severity };
  const all = lines ?? [];
  const code = normaliseCode(all.slice(span.startLine - 1, span.endLine));
  const counts = { old: claim.side === 'old' ? all.length : null, new: claim.side === 'new' ? all.length : null };
  const placement = placeLines({ path, side: claim.side, ...span }, file, counts);
  return {
    finding,
    identity: findingIdentity({ path: identityPath(path, file), ...placeOf(finding), lines: all }),
    path,
    codeHash: codeHash(code),
    codeLines: code.length,
    placement,
    suggestion: checkSuggestion(finding, placement, all, policy.suggestions),
  };
}

function placeOf({ category, side, startLine, endLine }: Finding) {
  return { category, side, startLine, endLine };
}

/** The file's name on the side that the claim is about. */
function sidePath({ path, side }: Pick<Finding, 'path' | 'side'>, file: FileDiff | undefined): string {
  if (file === undefined) return path;
  return side === 'new' ? file.newPath : file.oldPath;
}

/** A renamed file keeps its old name, so that a later rename changes no identity; a copy is a file of its own. */
function identityPath(path: string, file: FileDiff | undefined): string {
  return file?.status === 'renamed' ? file.oldPath : path;
}

interface Span {
  readonly startLine: number;
  readonly endLine: number;
}

/** What has no lines to quote (a binary or empty file, a mode) can be spoken of as a file of the diff, quoting nothing. */
function wholeFile(claim: Finding, file: FileDiff | undefined): Span | null {
  return file !== undefined && claim.quotedCode.trim() === '' ? { startLine: 1, endLine: 1 } : null;
}

/** Where the quoted code stands: where the claim says, or else at the one place near the diff that reads the same. */
function findCode(claim: Finding, lines: readonly string[], file: FileDiff | undefined): Span | null {
  const quoted = claim.quotedCode
    .replace(/\r?\n$/, '')
    .split('\n')
    .map(withoutReturn);
  if (normaliseCode(quoted).length === 0) return null;
  const isAt = (startLine: number) =>
    quoted.every((line, offset) => withoutReturn(lines[startLine - 1 + offset] ?? '\n') === line);
  const spanFrom = (startLine: number) => ({ startLine, endLine: startLine + quoted.length - 1 });
  const isWhole = claim.endLine - claim.startLine === quoted.length - 1;
  if (isWhole && isAt(claim.startLine)) return spanFrom(claim.startLine);
  const elsewhere: Span[] = [];
  for (let start = 1; start + quoted.length - 1 <= lines.length && elsewhere.length < 2; start += 1) {
    if (isAt(start) && isNearDiff(spanFrom(start), claim.side, file)) elsewhere.push(spanFrom(start));
  }
  return elsewhere.length === 1 ? (elsewhere[0] ?? null) : null;
}

function isNearDiff({ startLine, endLine }: Span, side: Side, file: FileDiff | undefined): boolean {
  if (file === undefined) return true;
  return file.hunks.some((hunk) => {
    const [from, count] = side === 'new' ? [hunk.newStart, hunk.newLines] : [hunk.oldStart, hunk.oldLines];
    return endLine >= from - neighbourhoodLines && startLine < from + count + neighbourhoodLines;
  });
}

function withoutReturn(line: string): string {
  return line.replace(/\r$/, '');
}

function byRank(left: CheckedFinding | null, right: CheckedFinding | null): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  return (
    compareSeverity(right.finding.severity, left.finding.severity) ||
    right.finding.confidence - left.finding.confidence ||
    (left.path < right.path ? -1 : Number(left.path > right.path)) ||
    left.finding.startLine - right.finding.startLine
  );
}
