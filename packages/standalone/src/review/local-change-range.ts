import { TerminalError, type DiffRefs } from '@drydock/core';
import {
  listDiff,
  listMissing,
  readLog,
  runGit,
  type FoundRepository,
  type LogEntry,
  type RepositoryView,
} from '@drydock/git';
import {
  findBase,
  findHead,
  withoutRefs,
  type Base,
  type Ends,
  type Head,
  type RangeGrounds,
} from './local-change-base.ts';
import { readBranches, type KnownBranches } from './local-change-branches.ts';
import { refuse, type Nothing, type Refused } from './local-change-refusal.ts';
import { peel } from './local-change-revision.ts';
import { writeCommit } from './local-change-synthetic.ts';
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
import type { ChangeWanted, LocalChange } from './local-change-wanted.ts';
import { readUncommitted, type Uncommitted } from './local-change-uncommitted.ts';

type Range = Omit<LocalChange, 'repository' | 'rootDir' | 'scope' | typeof Symbol.asyncDispose>;

/** Finds both ends and tells of what lies between. Throws what git's calls throw. */
export async function readRange(
  grounds: RangeGrounds,
  signal: AbortSignal,
): Promise<{ readonly kind: 'found'; readonly range: Range } | Nothing | Refused> {
  const { wanted, repository, place } = grounds;
  const headRef = wanted.head === null ? repository.headRef : `refs/heads/${withoutRefs(wanted.head)}`;
  const asked = [
    readBranches(place, headRef === null ? null : withoutRefs(headRef), signal),
    findHead(grounds, signal),
    wanted.work === 'none' ? Promise.resolve(null) : readUncommitted({ ...grounds, what: wanted.work }, signal),
  ] as const;
  await Promise.allSettled(asked); // none may still write to a folder that goes when another fails
  const [branches, head, work] = await Promise.all(asked);
  if ('kind' in head) return head;
  if (work?.kind === 'refused') return work;
  const base = await findBase(grounds, { branches, head, work }, signal);
  if (base.kind !== 'base') return base;
  return describe(grounds, { branches, head, work, base }, signal);
}

type WholeRange = Ends & { readonly base: Base };

async function describe(
  grounds: RangeGrounds,
  range: WholeRange,
  signal: AbortSignal,
): Promise<{ readonly kind: 'found'; readonly range: Range } | Nothing | Refused> {
  const { view, wanted } = grounds;
  const { head, work, base } = range;
  const { baseSha, startSha } = base;
  const tip = head.sha;
  const [commits, [baseTree = null, tipTree = null]] = await Promise.all([
    tip === null || tip === baseSha ? [] : readCommits(view, base, tip, signal),
    peel(view, [`${baseSha}^{tree}`, ...(tip === null ? [] : [`${tip}^{tree}`])], signal),
  ]);
  const headTree = work?.tree ?? tipTree;
  const uncommitted = work === null || work.tree === tipTree ? null : work;
  if (headTree === baseTree && headTree !== null) return nothing(wanted, head, base, commits);
  const headSha = uncommitted === null ? tip : await commitOf(grounds, uncommitted, tip);
  if (headSha === null) return nothing(wanted, head, base, commits);
  const refs: DiffRefs = { baseSha, startSha, headSha };
  const holes = view.isPartial ? await findHoles(view, refs, signal) : null;
  if (holes !== null) return refusalOfHoles(holes, baseSha, tip ?? baseSha);
  const count = await countCommits(view, { base, tip, commits }, signal);
  const words = wordsOf({ ...range, uncommitted }, { commits, count, headSha });
  return { kind: 'found', range: { ...words, refs, projectPath: projectPathOf(range.branches, grounds.repository) } };
}

/** What a merge request would have brought along. */
function wordsOf(
  { branches, head, work, base, uncommitted }: WholeRange & { readonly uncommitted: Uncommitted | null },
  { commits, count, headSha }: { readonly commits: readonly LogEntry[]; count: number | null; headSha: string },
): Omit<Range, 'refs' | 'projectPath'> {
  const what = [
    ...(count === null ? ['changes'] : count > 0 || uncommitted === null ? [countOf(count, 'commit')] : []),
    ...(uncommitted === null ? [] : [uncommitted.name]),
  ];
  const branch = head.ref !== null && branches.refs.has(head.ref) ? head.name : null;
  const ownCommits = count === null ? [] : commits;
  return {
    title: uncommitted?.title ?? titleOf(ownCommits, branch, `Changes up to ${shortSha(headSha)}`),
    description: describeCommits(ownCommits, count ?? 0),
    author: uncommitted === null ? plain(commits[0]?.authorName ?? 'local') : 'local',
    sourceBranch: head.name,
    targetBranch: base.branch,
    commits: count,
    told: plain(`${head.name}: ${what.join(' and ')} since ${sinceOf(base)}${work?.note ?? ''}`),
  };
}

function sinceOf({ name, startSha }: Base): string {
  return name === shortSha(startSha) ? name : `${name} (${shortSha(startSha)})`;
}

function nothing({ work }: ChangeWanted, head: Head, base: Base, commits: readonly LogEntry[]): Nothing {
  const since = sinceOf(base);
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
  const commit = { format: repository.objectFormat, tree: work.tree, parents, message: 'Uncommitted changes' };
  return writeCommit(view.repository, commit);
}

/** The newest of a range; none when their messages are too large to be of use. */
async function readCommits(view: RepositoryView, base: Base, tip: string, signal: AbortSignal): Promise<LogEntry[]> {
  const range =
    base.isTree === true ? { exclude: [], maxCount: 1 } : { exclude: [base.baseSha], maxCount: maxDescribedCommits };
  return readLog({ repo: view.repository, head: tip, ...range }, signal).catch((error: unknown) => {
    if (error instanceof TerminalError && error.code === 'git.output_too_large') return [];
    throw error;
  });
}

/** Null: no history leads from the base to here. */
async function countCommits(
  view: RepositoryView,
  { base, tip, commits }: { readonly base: Base; readonly tip: string | null; readonly commits: readonly LogEntry[] },
  signal: AbortSignal,
): Promise<number | null> {
  if (base.isTree === true) return null;
  if (tip === null || tip === base.baseSha) return 0;
  if (commits.length > 0 && commits.length < maxDescribedCommits) return commits.length;
  const args = ['rev-list', '--count', tip, `^${base.baseSha}`];
  const limits = { signal, timeoutMs: 120_000, maxOutputBytes: 1_000 };
  const { stdout } = await runGit({ ...limits, repo: view.repository, args });
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

function refusalOfHoles(holes: 'trees' | 'blobs', from: string, to: string): Refused {
  const [what, filter] = holes === 'blobs' ? ['Files', '--no-filter'] : ['Folders', '--filter=blob:none'];
  const onlyThose = `, or only those with \`git diff --stat ${shortSha(from)} ${shortSha(to)}\``;
  return refuse(
    `${what} that this review needs were left out of this partial clone.`,
    `fetch them with \`git fetch --refetch ${filter}\`${holes === 'blobs' ? onlyThose : ''}.`,
  );
}

function projectPathOf({ remotes }: KnownBranches, { workTree, commonDir }: FoundRepository): string {
  const url = remotes.get('origin') ?? [...remotes.values()][0];
  const path = url === undefined ? null : pathOfRemote(url);
  if (path !== null) return path;
  const main = commonDir.endsWith('/.git') ? commonDir.slice(0, -'/.git'.length) : (workTree ?? commonDir);
  return nameOfFolder(main);
}
