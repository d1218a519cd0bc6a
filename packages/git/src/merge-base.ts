import type { GitRepository } from './git-environment.ts';
import { checkRevision } from './revision.ts';
import { runGit } from './run-git.ts';

const maxOutputBytes = 2 ** 20;

/** Two commits by full id or full ref name. */
export interface CommitPair {
  readonly repo: GitRepository;
  readonly left: string;
  readonly right: string;
  readonly timeoutMs?: number;
}

/**
 * The best common ancestors: none for unrelated histories (or where a shallow one was cut before it), several after
 * criss-cross merges, of which forges take the first. Throws `git.object_missing`.
 */
export async function findMergeBases(input: CommitPair, signal: AbortSignal): Promise<string[]> {
  const { repo, left, right, timeoutMs = 60_000 } = input;
  const args = ['merge-base', '--all', '--end-of-options', checkRevision(left), checkRevision(right)];
  const { stdout } = await runGit({ repo, args, signal, timeoutMs, maxOutputBytes, exitCodes: [0, 1] });
  return stdout.toString('latin1').split('\n').filter(Boolean);
}

/** Whether `left` can be reached from `right`, itself included. Throws `git.object_missing`. */
export async function isAncestor(input: CommitPair, signal: AbortSignal): Promise<boolean> {
  const { repo, left, right, timeoutMs = 60_000 } = input;
  const args = ['merge-base', '--is-ancestor', '--end-of-options', checkRevision(left), checkRevision(right)];
  const { exitCode } = await runGit({ repo, args, signal, timeoutMs, maxOutputBytes, exitCodes: [0, 1] });
  return exitCode === 0;
}
