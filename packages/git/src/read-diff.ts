import { type FileDiff, parseRawDiff, parseUnifiedDiff, type RawDiffEntry } from '@drydock/core';
import type { GitRepository } from './git-environment.ts';
import { checkRevision } from './revision.ts';
import { runGit } from './run-git.ts';

/** Which diff to read. */
export interface ReadDiff {
  readonly repo: GitRepository;
  /** Full commit ids: the merge base and the head. */
  readonly baseSha: string;
  readonly headSha: string;
  /** Files and folders, taken literally; a rename is seen only when both its paths are named. Default: all. */
  readonly paths?: readonly string[];
  /** Default 3, as forges show it; positions are good for a forge with that alone. */
  readonly contextLines?: number;
  readonly maxOutputBytes?: number;
  readonly timeoutMs?: number;
}

/**
 * Gitaly finds the renames of a merge request's diff at 30 % (`internal/gitaly/service/diff/commit_diff.go`), not at
 * git's 50 %, and leaves the number of candidates at git's default; with other numbers the paths of a position would
 * not be those that GitLab knows.
 */
const renameOptions = ['--find-renames=30%', '-l1000'];

/** What settings could change. Plumbing ignores most of them; these say the rest. */
const formatOptions = [
  ...['--no-color', '--no-ext-diff', '--no-textconv', '--no-relative', '--full-index', '--no-abbrev'],
  ...['--src-prefix=a/', '--dst-prefix=b/', '--diff-algorithm=myers', '--indent-heuristic'],
  ...['--inter-hunk-context=0', '--submodule=short', '--ignore-submodules=none', '-O/dev/null'],
];

/**
 * The files that changed between two commits, with their rows. The same on any machine and under any settings.
 * Throws `git.object_missing` (see `listDiff`), `git.output_too_large`, `git.timeout`, `git.failed`.
 */
export async function readDiff(input: ReadDiff, signal: AbortSignal): Promise<FileDiff[]> {
  const [entries, patch] = await Promise.all([
    readRaw(input, renameOptions, signal),
    runDiff(input, [...renameOptions, `--unified=${String(input.contextLines ?? 3)}`], signal),
  ]);
  return parseUnifiedDiff(patch, entries);
}

/** What a diff touches, as far as trees tell. */
export interface DiffListing {
  /** Ids of what `readDiff` needs, so that a partial clone can fetch it first. */
  readonly blobs: readonly string[];
  /** Of both sides, those that are UTF-8. */
  readonly paths: readonly string[];
}

/** Looks ahead of `readDiff`; reads trees alone. Throws as it does. */
export async function listDiff(input: ReadDiff, signal: AbortSignal): Promise<DiffListing> {
  const entries = await readRaw(input, ['--no-renames'], signal);
  const blobs = entries.flatMap(({ oldMode, newMode, oldOid, newOid }) => [
    ...(isBlob(oldMode) ? [oldOid] : []),
    ...(isBlob(newMode) ? [newOid] : []),
  ]);
  const paths = entries.filter((entry) => entry.pathIsValid).map((entry) => entry.newPath);
  return { blobs: [...new Set(blobs)], paths };
}

function isBlob(mode: string): boolean {
  return mode !== '000000' && mode !== '160000';
}

async function readRaw(input: ReadDiff, options: readonly string[], signal: AbortSignal): Promise<RawDiffEntry[]> {
  return parseRawDiff(await runDiff(input, [...options, '--raw', '-z'], signal));
}

async function runDiff(input: ReadDiff, options: readonly string[], signal: AbortSignal): Promise<Buffer> {
  const { repo, baseSha, headSha, paths = [], maxOutputBytes = 256 * 2 ** 20, timeoutMs = 120_000 } = input;
  const args = ['diff-tree', '-r', ...formatOptions, ...options, checkRevision(baseSha), checkRevision(headSha)];
  return (await runGit({ repo, args: [...args, '--', ...paths], signal, timeoutMs, maxOutputBytes })).stdout;
}
