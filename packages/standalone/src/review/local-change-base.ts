import {
  readLog,
  runGit,
  runUserGit,
  type FoundRepository,
  type RepositoryView,
  type UserGitPlace,
} from '@drydock/git';
import { chooseBases, withoutRemote, type KnownBranches } from './local-change-branches.ts';
import { deepen, refuse, type Nothing, type Refused } from './local-change-refusal.ts';
import { isFullId, peel, resolveRevision } from './local-change-revision.ts';
import { writeCommit, writeEmptyCommit } from './local-change-synthetic.ts';
import { plain, shortSha } from './local-change-text.ts';
import type { ChangeWanted } from './local-change-wanted.ts';
import type { Uncommitted } from './local-change-uncommitted.ts';

/** Where a range is looked for. */
export interface RangeGrounds {
  readonly wanted: ChangeWanted;
  readonly repository: FoundRepository;
  readonly place: UserGitPlace;
  readonly view: RepositoryView;
  /** Temporary, ours. */
  readonly folder: string;
}

/** The commit that a range ends at. */
export interface Head {
  /** Null: no commit yet. */
  readonly sha: string | null;
  /** As people say it. */
  readonly name: string;
  /** The full name of its branch. */
  readonly ref: string | null;
}

/** What a range begins at. */
export interface Base {
  readonly kind: 'base';
  readonly startSha: string;
  readonly baseSha: string;
  readonly name: string;
  readonly branch: string;
  /** A tree that somebody named, which no history leads to. */
  readonly isTree?: true;
}

/** What is known of a range before its base is. */
export interface Ends {
  readonly branches: KnownBranches;
  readonly head: Head;
  readonly work: Uncommitted | null;
}

/** The short name of a branch. */
export function withoutRefs(name: string): string {
  return name.replace(/^refs\/heads\//, '');
}

/** What is to be reviewed, as far as it is committed. Throws what git's calls throw. */
export async function findHead(grounds: RangeGrounds, signal: AbortSignal): Promise<Head | Refused> {
  const { wanted, repository, place } = grounds;
  if (wanted.head !== null && wanted.head !== 'HEAD') {
    const found = await resolveRevision(grounds, { flag: '--head', text: wanted.head }, signal);
    if (found.kind === 'refused') return found;
    return { sha: found.sha, name: nameOf(wanted.head), ref: `refs/heads/${withoutRefs(wanted.head)}` };
  }
  const { headSha, headRef } = repository;
  if (headSha !== null) return { sha: headSha, name: headRef === null ? 'HEAD' : withoutRefs(headRef), ref: headRef };
  if (wanted.work === 'none') {
    const why = 'There is no commit yet.';
    return refuse(why, 'commit something, or review what is not committed with --staged or --worktree.');
  }
  const args = ['symbolic-ref', '--quiet', '--short', 'HEAD'];
  const { stdout } = await runUserGit({ place, args, timeoutMs: 30_000, maxOutputBytes: 100_000 }, signal);
  return { sha: null, name: stdout.toString('utf8').trim() || 'HEAD', ref: null };
}

/** Against what it is reviewed. Throws what git's calls throw. */
export async function findBase(
  grounds: RangeGrounds,
  ends: Ends,
  signal: AbortSignal,
): Promise<Base | Nothing | Refused> {
  const { wanted } = grounds;
  const { head, work } = ends;
  if (wanted.isRoot) return nothingBefore(grounds, head);
  if (wanted.base !== null) return givenBase(grounds, ends, wanted.base, signal);
  if (head.sha === null) return nothingBefore(grounds, head);
  if (work !== null) {
    return { kind: 'base', startSha: head.sha, baseSha: head.sha, name: 'the last commit', branch: head.name };
  }
  return defaultBase(grounds, { ...ends, headSha: head.sha }, signal);
}

async function nothingBefore(
  { view, repository }: Pick<RangeGrounds, 'view' | 'repository'>,
  head: Head,
): Promise<Base> {
  const sha = await writeEmptyCommit(view.repository, repository.objectFormat);
  return { kind: 'base', startSha: sha, baseSha: sha, name: 'the beginning', branch: head.name };
}

async function givenBase(
  grounds: RangeGrounds,
  { branches, head }: Ends,
  text: string,
  signal: AbortSignal,
): Promise<Base | Refused> {
  const { view, repository } = grounds;
  const found = await resolveRevision(grounds, { flag: '--base', text }, signal);
  const named = { kind: 'base', name: nameOf(text), branch: nameOf(withoutRemote(branches, text)) } as const;
  switch (found.kind) {
    case 'refused':
      return found;
    case 'tree': {
      const commit = { format: repository.objectFormat, tree: found.sha, parents: [], message: 'A tree' };
      const sha = await writeCommit(view.repository, commit);
      return { ...named, startSha: sha, baseSha: sha, isTree: true };
    }
    case 'commit': {
      if (head.sha === null) return { ...named, startSha: found.sha, baseSha: found.sha };
      const baseSha = await mergeBase(view, found.sha, head.sha, signal);
      if (baseSha !== null) return { ...named, startSha: found.sha, baseSha };
      return noMergeBase(named.name, head.name, repository.isShallow);
    }
  }
}

function noMergeBase(base: string, head: string, isShallow: boolean): Refused {
  if (isShallow) return refuse(`Where ${head} left ${base} is not in this shallow clone.`, deepen);
  const why = `${head} and ${base} have no commit in common.`;
  return refuse(why, 'name another --base, or review everything with --root.');
}

async function defaultBase(
  grounds: RangeGrounds,
  ends: Ends & { readonly headSha: string },
  signal: AbortSignal,
): Promise<Base | Nothing | Refused> {
  const { view, repository } = grounds;
  const { branches, head, headSha } = ends;
  const compared = await Promise.all(
    chooseBases(branches, head.ref).map(async ({ name, branch, ref, sha }) => {
      const startSha = sha ?? (await resolveKnown(grounds, ref, signal));
      if (startSha === null) return null;
      const baseSha = startSha === headSha ? headSha : await mergeBase(view, startSha, headSha, signal);
      return { kind: 'base', startSha, baseSha, name, branch } as const;
    }),
  );
  const known = compared.filter((base) => base !== null);
  const [first, second] = known.filter(({ baseSha }) => baseSha !== headSha);
  if (first === undefined) {
    if (known.length === 0) return withoutBase(grounds, ends, signal);
    const names = known.map(({ name }) => name).join(' and ');
    const why = `${head.name} (${shortSha(headSha)}) has nothing that ${names} does not have`;
    return { kind: 'nothing', why: `${why}; name another base with --base, such as --base HEAD~1.` };
  }
  if (first.baseSha === null) return noMergeBase(first.name, head.name, repository.isShallow);
  const upstream: Base = { ...first, baseSha: first.baseSha };
  if (second === undefined || second.baseSha === null) return upstream;
  const isNearer = await isAncestor(view, second.baseSha, first.baseSha, signal);
  // A rebase or merge brought what the default branch has got since: that is no part of this change.
  return isNearer ? upstream : { ...second, baseSha: second.baseSha };
}

async function withoutBase(
  { view, repository }: RangeGrounds,
  { branches, head, headSha }: Ends & { readonly headSha: string },
  signal: AbortSignal,
): Promise<Base | Nothing | Refused> {
  const [newest] = await readLog({ repo: view.repository, head: headSha, maxCount: 1 }, signal);
  if (newest?.parents.length === 0 && !repository.isShallow) return nothingBefore({ view, repository }, head);
  const hint = 'name one with --base, such as --base HEAD~1, or review everything with --root.';
  const isOnlyMain = branches.remotes.size === 0 && /^refs\/heads\/(main|master)$/.test(head.ref ?? '');
  if (isOnlyMain) return { kind: 'nothing', why: `There is nothing to compare ${head.name} with; ${hint}` };
  return refuse(`There is no branch that ${head.name} could be compared with.`, hint);
}

async function isAncestor(view: RepositoryView, older: string, newer: string, signal: AbortSignal): Promise<boolean> {
  if (older === newer) return true;
  const { exitCode } = await runGit({
    ...{ repo: view.repository, args: ['merge-base', '--is-ancestor', older, newer], exitCodes: [0, 1] },
    ...{ signal, timeoutMs: 120_000, maxOutputBytes: 1_000 },
  });
  return exitCode === 0;
}

/** A branch that only its follower names; null: it is gone. */
async function resolveKnown({ place, view }: RangeGrounds, ref: string, signal: AbortSignal): Promise<string | null> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', ref];
  const { stdout } = await runUserGit({ place, args, timeoutMs: 30_000, maxOutputBytes: 100_000 }, signal);
  const oid = stdout.toString('latin1').trim();
  if (!/^[0-9a-f]+$/.test(oid)) return null;
  const [commit = null] = await peel(view, [`${oid}^{commit}`], signal);
  return commit;
}

/** Git's first choice when there are several. */
async function mergeBase(
  view: RepositoryView,
  base: string,
  head: string,
  signal: AbortSignal,
): Promise<string | null> {
  const { stdout } = await runGit({
    ...{ repo: view.repository, args: ['merge-base', base, head], exitCodes: [0, 1] },
    ...{ signal, timeoutMs: 120_000, maxOutputBytes: 100_000 },
  });
  return stdout.toString('latin1').split('\n')[0] || null;
}

/** A full id is no name to read; the report has all of it. */
function nameOf(revision: string): string {
  return isFullId(revision) ? shortSha(revision) : plain(revision);
}
