import type { DiffRefs } from '@drydock/core';
import { TerminalError } from '@drydock/core';
import {
  listDiff,
  listMissing,
  readLog,
  runGit,
  runUserGit,
  type FoundRepository,
  type LogEntry,
  type RepositoryView,
  type UserGitPlace,
} from '@drydock/git';
import { chooseBases, readBranches, withoutRemote, type KnownBranches } from './local-change-branches.ts';
import { deepen, refuse, type Nothing, type Refused } from './local-change-refusal.ts';
import { peel, resolveRevision } from './local-change-revision.ts';
import { writeCommit, writeEmptyCommit } from './local-change-synthetic.ts';
import {
  countOf,
  describeCommits,
  maxDescribedCommits,
  nameOfFolder,
  pathOfRemote,
  plain,
  shortSha,
  titleOf,
} from './local-change-text.ts';
import type { ChangeWanted, LocalChange } from './local-change.ts';
import { readUncommitted, type Uncommitted } from './local-change-uncommitted.ts';

/** Where a range is looked for. */
export interface RangeGrounds {
  readonly wanted: ChangeWanted;
  readonly repository: FoundRepository;
  readonly place: UserGitPlace;
  readonly view: RepositoryView;
  /** Temporary, ours. */
  readonly folder: string;
}

type Range = Omit<LocalChange, 'repository' | 'rootDir' | 'scope' | typeof Symbol.asyncDispose>;

/** The commit that a range ends at. */
interface Head {
  /** Null: no commit yet. */
  readonly sha: string | null;
  /** As people say it. */
  readonly name: string;
  /** The full name of its branch. */
  readonly ref: string | null;
}

/** What a range begins at. */
interface Base {
  readonly kind: 'base';
  readonly startSha: string;
  readonly baseSha: string;
  readonly name: string;
  readonly branch: string;
}

/** Finds both ends and tells of what lies between. Throws what git's calls throw. */
export async function readRange(
  grounds: RangeGrounds,
  signal: AbortSignal,
): Promise<{ readonly kind: 'found'; readonly range: Range } | Nothing | Refused> {
  const { wanted, repository, place } = grounds;
  const headRef = wanted.head === null ? repository.headRef : `refs/heads/${withoutRefs(wanted.head)}`;
  const [branches, head, work] = await Promise.all([
    readBranches(place, headRef === null ? null : withoutRefs(headRef), signal),
    findHead(grounds, signal),
    wanted.work === 'none' ? null : readUncommitted({ ...grounds, what: wanted.work }, signal),
  ]);
  if ('kind' in head) return head;
  if (work?.kind === 'refused') return work;
  const base = await findBase(grounds, { branches, head, work }, signal);
  if (base.kind !== 'base') return base;
  return describe(grounds, { branches, head, work, base }, signal);
}

function withoutRefs(name: string): string {
  return name.replace(/^refs\/heads\//, '');
}

async function findHead(grounds: RangeGrounds, signal: AbortSignal): Promise<Head | Refused> {
  const { wanted, repository, place } = grounds;
  if (wanted.head !== null && wanted.head !== 'HEAD') {
    const found = await resolveRevision(grounds, { flag: '--head', text: wanted.head }, signal);
    if (found.kind === 'refused') return found;
    return { sha: found.sha, name: plain(wanted.head), ref: `refs/heads/${withoutRefs(wanted.head)}` };
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

interface Ends {
  readonly branches: KnownBranches;
  readonly head: Head;
  readonly work: Uncommitted | null;
}

async function findBase(grounds: RangeGrounds, ends: Ends, signal: AbortSignal): Promise<Base | Nothing | Refused> {
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

async function nothingBefore({ view, repository }: RangeGrounds, head: Head): Promise<Base> {
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
  const named = { kind: 'base', name: plain(text), branch: plain(withoutRemote(branches, text)) } as const;
  switch (found.kind) {
    case 'refused':
      return found;
    case 'tree': {
      const commit = { format: repository.objectFormat, tree: found.sha, parents: [], message: 'A tree' };
      const sha = await writeCommit(view.repository, commit);
      return { ...named, startSha: sha, baseSha: sha };
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
  { branches, head, headSha }: Ends & { readonly headSha: string },
  signal: AbortSignal,
): Promise<Base | Nothing | Refused> {
  const { view, repository } = grounds;
  const compared: string[] = [];
  for (const { name, branch, ref, sha } of chooseBases(branches, head.ref)) {
    const startSha = sha ?? (await resolveKnown(grounds, ref, signal));
    if (startSha === null) continue;
    const baseSha = startSha === headSha ? headSha : await mergeBase(view, startSha, headSha, signal);
    if (baseSha === null) return noMergeBase(name, head.name, repository.isShallow);
    if (baseSha !== headSha) return { kind: 'base', startSha, baseSha, name, branch };
    compared.push(name);
  }
  if (compared.length > 0) {
    const why = `${head.name} (${shortSha(headSha)}) has nothing that ${compared.join(' and ')} does not have`;
    return { kind: 'nothing', why: `${why}; name another base with --base, such as --base HEAD~1.` };
  }
  const [first] = await readLog({ repo: view.repository, head: headSha, maxCount: 1 }, signal);
  if (first?.parents.length === 0 && !repository.isShallow) return nothingBefore(grounds, head);
  const hint = 'name one with --base, such as --base HEAD~1, or review everything with --root.';
  const isOnlyMain = branches.remotes.size === 0 && /^refs\/heads\/(main|master)$/.test(head.ref ?? '');
  if (isOnlyMain) return { kind: 'nothing', why: `There is nothing to compare ${head.name} with; ${hint}` };
  return refuse(`There is no branch that ${head.name} could be compared with.`, hint);
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

async function describe(
  grounds: RangeGrounds,
  { branches, head, work, base }: Ends & { readonly base: Base },
  signal: AbortSignal,
): Promise<{ readonly kind: 'found'; readonly range: Range } | Nothing | Refused> {
  const { view, wanted, repository } = grounds;
  const { baseSha, startSha } = base;
  const tip = head.sha;
  const [commits, [baseTree = null, tipTree = null]] = await Promise.all([
    tip === null || tip === baseSha ? [] : readCommits(view, baseSha, tip, signal),
    peel(view, [`${baseSha}^{tree}`, ...(tip === null ? [] : [`${tip}^{tree}`])], signal),
  ]);
  const headTree = work?.tree ?? tipTree;
  const since = `${base.name} (${shortSha(startSha)})`;
  const uncommitted = work === null || work.tree === tipTree ? null : work;
  if (headTree === baseTree && headTree !== null) return nothing(wanted, head, commits, since);
  const headSha = uncommitted === null ? tip : await commitOf(grounds, uncommitted, tip);
  if (headSha === null) return nothing(wanted, head, commits, since);
  const refs: DiffRefs = { baseSha, startSha, headSha };
  const holes = view.isPartial ? await findHoles(view, refs, signal) : null;
  if (holes !== null) {
    const fetchThem = `git diff --stat ${shortSha(baseSha)} ${shortSha(tip ?? baseSha)}`;
    const filter = holes === 'blobs' ? '--no-filter' : '--filter=blob:none';
    return refuse(
      `${holes === 'blobs' ? 'Files' : 'Folders'} that this review needs were left out of this partial clone.`,
      `fetch them with \`git fetch --refetch ${filter}\`${holes === 'blobs' ? `, or only those with \`${fetchThem}\`` : ''}.`,
    );
  }
  const count = tip === null || tip === baseSha ? 0 : await countCommits(view, commits, baseSha, tip, signal);
  const what = [
    ...(count > 0 || uncommitted === null ? [countOf(count, 'commit')] : []),
    ...(uncommitted === null ? [] : [uncommitted.name]),
  ];
  const branchName = head.ref === null || head.name === 'HEAD' ? null : head.name;
  const otherwise = uncommitted === null ? `Changes up to ${shortSha(headSha)}` : capital(uncommitted.name);
  return {
    kind: 'found',
    range: {
      refs,
      projectPath: projectPathOf(branches, repository),
      title: uncommitted === null ? titleOf(commits, branchName, otherwise) : otherwise,
      description: describeCommits(commits, count),
      author: uncommitted === null ? plain(commits[0]?.authorName ?? 'local') : 'local',
      sourceBranch: head.name,
      targetBranch: base.branch,
      commits: count,
      told: plain(`${head.name}: ${what.join(' and ')} since ${since}${work?.note ?? ''}`),
    },
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function nothing({ work }: ChangeWanted, head: Head, commits: readonly LogEntry[], since: string): Nothing {
  if (work === 'none') {
    const what = commits.length === 0 ? 'has no commits' : 'has commits, but they change no file,';
    return { kind: 'nothing', why: `${head.name} ${what} since ${since}; name another base with --base.` };
  }
  const what = work === 'staged' ? 'Nothing is staged' : 'Nothing is uncommitted';
  const how = work === 'staged' ? 'stage something with `git add`, or' : 'change something, or';
  return {
    kind: 'nothing',
    why: `${what}: ${head.name} is as it was at ${since}; ${how} name another base with --base.`,
  };
}

async function commitOf({ view, repository }: RangeGrounds, work: Uncommitted, tip: string | null): Promise<string> {
  const parents = tip === null ? [] : [tip];
  const commit = { format: repository.objectFormat, tree: work.tree, parents, message: capital(work.name) };
  return writeCommit(view.repository, commit);
}

/** The newest of a range; none when their messages are too large to be of use. */
async function readCommits(view: RepositoryView, base: string, tip: string, signal: AbortSignal): Promise<LogEntry[]> {
  const log = { repo: view.repository, head: tip, exclude: [base], maxCount: maxDescribedCommits };
  return readLog(log, signal).catch((error: unknown) => {
    if (error instanceof TerminalError && error.code === 'git.output_too_large') return [];
    throw error;
  });
}

async function countCommits(
  view: RepositoryView,
  commits: readonly LogEntry[],
  base: string,
  tip: string,
  signal: AbortSignal,
): Promise<number> {
  if (commits.length > 0 && commits.length < maxDescribedCommits) return commits.length;
  const args = ['rev-list', '--count', tip, `^${base}`];
  const { stdout } = await runGit({
    ...{ repo: view.repository, args, signal, timeoutMs: 120_000, maxOutputBytes: 1_000 },
  });
  return Number(stdout.toString('latin1'));
}

/** How much history is fetched for a review; trees must be there so far. */
const servedCommits = 100;

/** What a partial clone lacks of what a review reads: all folders, and the files that changed. Null: nothing. */
async function findHoles(
  { repository: repo }: RepositoryView,
  { baseSha, startSha, headSha }: DiffRefs,
  signal: AbortSignal,
): Promise<'trees' | 'blobs' | null> {
  const args = ['rev-list', '--objects', '--filter=blob:none', '--missing=print', `--max-count=${servedCommits}`];
  const limits = { signal, timeoutMs: 120_000, maxOutputBytes: 256 * 2 ** 20 };
  const { stdout } = await runGit({ ...limits, repo, args: [...args, baseSha, startSha, headSha] });
  if (/^\?/m.test(stdout.toString('latin1'))) return 'trees';
  const { blobs } = await listDiff({ repo, baseSha, headSha }, signal);
  return (await listMissing({ repo, oids: blobs }, signal)).length > 0 ? 'blobs' : null;
}

function projectPathOf({ remotes }: KnownBranches, { workTree, commonDir }: FoundRepository): string {
  const url = remotes.get('origin') ?? [...remotes.values()][0];
  const path = url === undefined ? null : pathOfRemote(url);
  if (path !== null) return path;
  const main = commonDir.endsWith('/.git') ? commonDir.slice(0, -'/.git'.length) : (workTree ?? commonDir);
  return nameOfFolder(main);
}
