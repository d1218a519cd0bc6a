import { anyGlob, type FileDiff, type ReviewPolicy } from '@drydock/core';
import type { ReviewedFile } from '../review-session.ts';
import type { Attributes } from './git-attributes.ts';
import { whyKnown } from './known-paths.ts';
import { riskOf } from './risk.ts';

/** What decides which files a review looks at. */
export interface LeftOutFacts {
  readonly policy: Pick<ReviewPolicy, 'ignorePaths' | 'onlyPaths' | 'maxFiles' | 'maxChangedLines'>;
  /** Of the target branch. */
  readonly attributes: Attributes;
}

/** A single file with more changed lines is no reading matter, whatever the whole change may hold. */
const maxChangedLinesOfFile = 8000;

/** Says of each changed file whether the review looks at it, or why not. Keeps the order. */
export function leaveOut(files: readonly FileDiff[], { policy, attributes }: LeftOutFacts): readonly ReviewedFile[] {
  const byPolicy = whyByPolicy(policy);
  const reasons = new Map(files.map((file) => [file, whyLeftOut(file, attributes, byPolicy)]));
  const candidates = files.filter((file) => reasons.get(file) === null);
  for (const [file, why] of overLimit(candidates, policy)) reasons.set(file, why);
  return files.map((diff) => ({ diff, leftOut: reasons.get(diff) ?? null }));
}

/** Added and removed rows of a file. A row that is not on one side is a change of the other. */
export function countChanges(file: FileDiff): { readonly added: number; readonly removed: number } {
  let added = 0;
  let removed = 0;
  for (const hunk of file.hunks) {
    added += hunk.rowCount - hunk.oldLines;
    removed += hunk.rowCount - hunk.newLines;
  }
  return { added, removed };
}

type WhyOfPath = (path: string) => string | null;

function whyByPolicy({ ignorePaths, onlyPaths }: Pick<ReviewPolicy, 'ignorePaths' | 'onlyPaths'>): WhyOfPath {
  const isIgnored = anyGlob(ignorePaths);
  const isWanted = onlyPaths.length === 0 ? () => true : anyGlob(onlyPaths);
  return (path) => {
    if (isIgnored(path)) return 'ignored by policy';
    return isWanted(path) ? null : 'not among the paths to review';
  };
}

function whyLeftOut(file: FileDiff, attributes: Attributes, byPolicy: WhyOfPath): string | null {
  const path = file.newPath;
  if (!file.pathIsValid) return 'its path is not UTF-8';
  if (file.isSubmodule) return 'submodule';
  if (file.isBinary) return 'binary';
  return byPolicy(path) ?? whyByAttributes(path, attributes) ?? whyBySize(file);
}

/** An attribute that is set either way settles it; else the name does. */
function whyByAttributes(path: string, attributes: Attributes): string | null {
  const generated = flag(attributes(path, 'linguist-generated'));
  const vendored = flag(attributes(path, 'linguist-vendored'));
  if (generated === true) return 'generated, says .gitattributes';
  if (vendored === true) return 'vendored, says .gitattributes';
  if (attributes(path, 'diff') === false) return 'without diff, says .gitattributes';
  return generated === false || vendored === false ? null : whyKnown(path);
}

function flag(value: ReturnType<Attributes>): boolean | null {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : null;
}

function whyBySize(file: FileDiff): string | null {
  return changedLines(file) > maxChangedLinesOfFile ? `too large: over ${maxChangedLinesOfFile} changed lines` : null;
}

/** The riskiest files are read first; what is over a limit then is what matters least. */
function overLimit(
  files: readonly FileDiff[],
  { maxFiles, maxChangedLines }: LeftOutFacts['policy'],
): [FileDiff, string][] {
  const over: [FileDiff, string][] = [];
  let taken = 0;
  let lines = 0;
  for (const file of [...files].sort(byRisk)) {
    const changed = changedLines(file);
    if (taken >= maxFiles) over.push([file, `over the limit of ${maxFiles} files`]);
    else if (lines + changed > maxChangedLines) over.push([file, `over the limit of ${maxChangedLines} changed lines`]);
    else {
      taken += 1;
      lines += changed;
    }
  }
  return over;
}

function byRisk(left: FileDiff, right: FileDiff): number {
  const difference = riskOf(right) - riskOf(left);
  if (difference !== 0) return difference;
  return left.newPath < right.newPath ? -1 : 1;
}

function changedLines(file: FileDiff): number {
  const { added, removed } = countChanges(file);
  return added + removed;
}

/** Whether a file was left out for its size or number alone: it should have been read, and the review is partial. */
export function isOverLimit(why: string): boolean {
  return why.startsWith('over the limit of ') || why.startsWith('too large: ');
}
