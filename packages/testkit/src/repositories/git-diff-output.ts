import type { GitRepositoryFixture } from './git-repository.ts';

/** What git printed about one diff, to be parsed by the code under test. */
export interface GitDiffOutput {
  readonly raw: Buffer;
  readonly patch: Buffer;
}

/** How the diff is made. */
export interface GitDiffOptions {
  /** Default 3. */
  readonly contextLines?: number;
  /** Default: only renames are found, at the similarity that GitLab takes. */
  readonly findCopies?: boolean;
}

/** Runs git's own diff between two commits. */
export async function gitDiffOutput(
  repository: GitRepositoryFixture,
  base: string,
  head: string,
  options: GitDiffOptions = {},
): Promise<GitDiffOutput> {
  const { contextLines = 3, findCopies = false } = options;
  const common = ['diff-tree', '-r', findCopies ? '--find-copies=30%' : '--find-renames=30%', '--full-index'];
  const [raw, patch] = await Promise.all([
    repository.git([...common, '--raw', '-z', '--no-abbrev', base, head]),
    repository.git([...common, `-U${contextLines}`, base, head]),
  ]);
  return { raw, patch };
}
