import { runUserGit, type UserGitPlace } from '@drydock/git';

/** A ref of the user's repository. */
export interface KnownRef {
  readonly sha: string;
  /** The full name of the branch that this one follows; null: none. */
  readonly upstream: string | null;
}

/** What of the user's branches and remotes tells against what a branch is to be compared. */
export interface KnownBranches {
  readonly refs: ReadonlyMap<string, KnownRef>;
  /** For each symbolic ref such as `refs/remotes/origin/HEAD` what it points to. */
  readonly symbolic: ReadonlyMap<string, string>;
  /** Their URLs by name, as configured: never to be shown, they may hold credentials. */
  readonly remotes: ReadonlyMap<string, string>;
}

const limits = { timeoutMs: 30_000, maxOutputBytes: 64 * 2 ** 20 };
const format = ['%(refname)', '%(objectname)', '%(upstream)', '%(symref)'].join('%00');

/** Lists the main branches, those of the same name as `branch`, and the remotes. `branch` is short; null: none. */
export async function readBranches(
  place: UserGitPlace,
  branch: string | null,
  signal: AbortSignal,
): Promise<KnownBranches> {
  const names = ['main', 'master', ...(branch !== null && isPlainName(branch) ? [branch] : [])];
  const patterns = names.flatMap((name) => [`refs/heads/${name}`, `refs/remotes/**/${name}`]);
  const [refs, remotes] = await Promise.all([
    runUserGit(
      { place, args: ['for-each-ref', `--format=${format}`, ...patterns, 'refs/remotes/**/HEAD'], ...limits },
      signal,
    ),
    runUserGit({ place, args: ['config', '-z', '--get-regexp', '^remote\\..*\\.url$'], ...limits }, signal),
  ]);
  const rows = refs.stdout.toString('utf8').split('\n').filter(Boolean);
  const fields = rows.map((row) => row.split('\0'));
  return {
    refs: new Map(fields.map(([name = '', sha = '', upstream = '']) => [name, { sha, upstream: upstream || null }])),
    symbolic: new Map(fields.flatMap(([name = '', , , target = '']) => (target === '' ? [] : [[name, target]]))),
    remotes: new Map(remotes.stdout.toString('utf8').split('\0').flatMap(toRemote)),
  };
}

/** No pattern to git. */
function isPlainName(name: string): boolean {
  return name !== '' && name.length <= 1000 && !/[*?[\\\s\p{Cc}]/u.test(name);
}

function toRemote(setting: string): [string, string][] {
  const [key = '', ...value] = setting.split('\n');
  const name = key.slice('remote.'.length, -'.url'.length);
  return name === '' ? [] : [[name, value.join('\n')]];
}

/** A branch that a change may be compared with. */
export interface BaseBranch {
  /** As people say it: `origin/main`. */
  readonly name: string;
  /** Without the remote: `main`. */
  readonly branch: string;
  readonly ref: string;
  /** Null: it is known by name alone. */
  readonly sha: string | null;
}

/** With what to compare a branch, best first: what it follows, then the default branch. `branchRef`: null if none. */
export function chooseBases(branches: KnownBranches, branchRef: string | null): BaseBranch[] {
  const { refs } = branches;
  const upstream = branchRef === null ? null : (refs.get(branchRef)?.upstream ?? null);
  const bases = [upstream, defaultBranch(branches)].filter((ref) => ref !== null && ref !== branchRef);
  return [...new Set(bases)].flatMap((ref) => (ref === null ? [] : [toBase(branches, ref)]));
}

function defaultBranch({ refs, symbolic, remotes }: KnownBranches): string | null {
  const [first, ...others] = remotes.keys();
  const remote = remotes.has('origin') ? 'origin' : others.length === 0 ? first : undefined;
  const head = symbolic.get(`refs/remotes/${remote}/HEAD`);
  const remoteRefs = remote === undefined ? [] : [`refs/remotes/${remote}/main`, `refs/remotes/${remote}/master`];
  const candidates = [...(head === undefined ? [] : [head]), ...remoteRefs, 'refs/heads/main', 'refs/heads/master'];
  return candidates.find((ref) => refs.has(ref) || ref === head) ?? null;
}

function toBase(branches: KnownBranches, ref: string): BaseBranch {
  const name = ref.replace(/^refs\/(heads|remotes|tags)\//, '');
  return { name, branch: withoutRemote(branches, name), ref, sha: branches.refs.get(ref)?.sha ?? null };
}

/** `main` of `origin/main`, when there is such a remote. */
export function withoutRemote({ remotes }: KnownBranches, name: string): string {
  const plain = name.replace(/^refs\/(heads|remotes|tags)\//, '');
  for (const remote of remotes.keys()) if (plain.startsWith(`${remote}/`)) return plain.slice(remote.length + 1);
  return plain;
}
