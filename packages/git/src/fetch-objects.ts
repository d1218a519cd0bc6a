import type { GitNetwork, GitRepository, GitSetting } from './git-environment.ts';
import { checkRevision } from './revision.ts';
import { runGit } from './run-git.ts';

const remote = 'drydock';
const keptRefs = 'refs/drydock/kept';
const maxOutputBytes = 64 * 2 ** 20;

/** Where fetched objects come from and go to. */
export interface FetchTarget {
  /** Bare, made by `initRepository`. */
  readonly repo: GitRepository;
  readonly network: GitNetwork;
  readonly timeoutMs?: number;
}

/** Which commits to fetch. */
export interface FetchCommits extends FetchTarget {
  /** Full commit ids, or full ref names of the other side. */
  readonly wants: readonly string[];
  /** What stays away until it is asked for; default `blob:none`. Null: nothing, a full clone. */
  readonly filter?: 'blob:none' | 'tree:0' | null;
  /** How many commits deep; default: all. */
  readonly depth?: number;
}

/**
 * Fetches commits without tags and without what the filter keeps away, and keeps them under `refs/drydock/kept/`, so
 * that the next fetch sends only what is new. Throws `git.unreachable`, `git.unauthorized`, `git.want_refused`,
 * `git.timeout`.
 */
export async function fetchCommits(input: FetchCommits, signal: AbortSignal): Promise<void> {
  const { repo, network, wants, filter = 'blob:none', depth, timeoutMs = 600_000 } = input;
  const args = [...fetchArgs, ...(depth === undefined ? [] : [`--depth=${depth}`]), '--stdin', remote];
  const refspecs = wants.map((want) => `+${checkRevision(want)}:${keptRefs}/${want}\n`);
  const settings = remoteSettings(network, filter);
  await runGit({ repo, args, network, settings, signal, timeoutMs, maxOutputBytes, input: refspecs.join('') });
}

/** The id that a full ref name had at the other side when `fetchCommits` was asked for it; null: it was not. */
export async function fetchedCommit(repo: GitRepository, want: string, signal: AbortSignal): Promise<string | null> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${keptRefs}/${checkRevision(want)}^{commit}`];
  const { exitCode, stdout } = await runGit({
    ...{ repo, args, signal, timeoutMs: 30_000, maxOutputBytes: 1_000 },
    exitCodes: [0, 1],
  });
  return exitCode === 0 ? stdout.toString('latin1').trim() : null;
}

/**
 * Fetches single objects by id, all in one request, leaving out those that are here. The other side must allow it, as
 * servers of partial clones do.
 */
export async function fetchObjects(
  input: FetchTarget & { readonly oids: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const { repo, network, timeoutMs = 600_000 } = input;
  const missing = await listMissing({ repo, oids: input.oids }, signal);
  if (missing.length === 0) return;
  // Git's own lazy fetch does the same: there is nothing to negotiate about single objects.
  const settings = [...remoteSettings(network, 'blob:none'), ['fetch.negotiationAlgorithm', 'noop'] as const];
  const args = [...fetchArgs, '--stdin', remote];
  await runGit({ repo, args, network, settings, signal, timeoutMs, maxOutputBytes, input: missing.join('\n') + '\n' });
}

/** Which of these objects a repository does not have. */
export async function listMissing(
  { repo, oids }: { readonly repo: GitRepository; readonly oids: readonly string[] },
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = [...new Set(oids.map(checkRevision))];
  if (wanted.length === 0) return [];
  const { stdout } = await runGit({
    ...{ repo, signal, timeoutMs: 60_000, maxOutputBytes },
    args: ['cat-file', '--batch-check=%(objectname)', '--buffer'],
    input: wanted.join('\n') + '\n',
  });
  const missing = /^([0-9a-f]+) missing$/gm;
  return Array.from(stdout.toString('latin1').matchAll(missing), ([, oid = '']) => oid);
}

/** Makes an empty bare repository, with no template's hooks; one that is there stays as it is. */
export async function initRepository(
  input: { readonly repo: GitRepository; readonly objectFormat?: 'sha1' | 'sha256' },
  signal: AbortSignal,
): Promise<void> {
  const { repo, objectFormat = 'sha1' } = input;
  const args = ['init', '--quiet', '--bare', '--template=', '--initial-branch=none'];
  await runGit({
    repo: { gitDir: null, searchPath: repo.searchPath },
    args: [...args, `--object-format=${objectFormat}`, '--end-of-options', repo.gitDir],
    ...{ signal, timeoutMs: 30_000, maxOutputBytes },
  });
}

const fetchArgs = [
  ...['fetch', '--quiet', '--no-progress', '--no-tags', '--force', '--no-write-fetch-head'],
  ...['--recurse-submodules=no', '--no-auto-maintenance', '--refmap='],
];

/**
 * The remote is told for this call alone: in the repository's own settings it would make git fetch by itself whatever
 * it misses. The name of the promisor is needed for packs with holes to be believed.
 */
function remoteSettings(network: GitNetwork, filter: FetchCommits['filter']): GitSetting[] {
  const promise: GitSetting[] =
    filter === null || filter === undefined
      ? []
      : [
          [`remote.${remote}.promisor`, 'true'],
          [`remote.${remote}.partialclonefilter`, filter],
        ];
  return [[`remote.${remote}.url`, network.url], ...promise];
}
