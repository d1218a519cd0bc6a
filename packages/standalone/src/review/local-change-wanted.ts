import type { DiffRefs } from '@drydock/core';
import type { GitRepository } from '@drydock/git';

/** What to review. */
export interface ChangeWanted {
  readonly cwd: string;
  /** Where git is looked for, in the manner of PATH. */
  readonly searchPath: string;
  /** A revision as git takes it, which may name a tree; null: what the head's branch follows, or the default branch. */
  readonly base: string | null;
  /** Null: what is checked out. */
  readonly head: string | null;
  readonly work: 'none' | 'staged' | 'worktree';
  /** Everything that the head contains is new. */
  readonly isRoot: boolean;
}

/** A range of a repository of this machine, ready to be reviewed. Dispose of it: its folder goes. */
export interface LocalChange extends AsyncDisposable {
  /** A bare view on the user's objects, in a temporary folder that only this user can read; ours go into it alone. */
  readonly repository: GitRepository;
  /** Start: the tip of the base as given. */
  readonly refs: DiffRefs;
  /** Of the work tree, or the bare repository. */
  readonly rootDir: string;
  /** For people: the path of the remote, else the name of the folder. */
  readonly projectPath: string;
  /** Names the repository for caches: the same for all its work trees. */
  readonly scope: string;
  readonly title: string;
  readonly description: string;
  /** Of the head commit; `local` for what is not committed. */
  readonly author: string;
  readonly sourceBranch: string;
  readonly targetBranch: string;
  /** Of the range, without what is not committed; null: not counted. */
  readonly commits: number | null;
  /** One line for people. */
  readonly told: string;
}
