/**
 * The repository in the work folder: bare, with three commits and what they need, and never a working tree. Files are
 * read from the object database, so no filter, hook, link, submodule or LFS pointer of theirs has any effect. The run
 * token is in a private configuration file that git alone reads.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, TerminalError, agentRoutes, type DiffRefs } from '@drydock/core';
import {
  fetchCommits,
  fetchedCommit,
  initRepository,
  writePrivateConfig,
  type FetchTarget,
  type GitRepository,
} from '@drydock/git';

/** Where the commits come from and go to. */
export interface CheckoutSettings {
  /** An absolute folder of our own. */
  readonly workDir: string;
  readonly gatewayUrl: string;
  readonly token: Secret;
  /** Where git is looked for, in the manner of PATH. */
  readonly searchPath: string;
}

/** A repository that holds the three commits. Disposing of it removes the token's file. */
export interface Checkout extends AsyncDisposable {
  readonly target: FetchTarget;
  readonly refs: DiffRefs;
}

/** Commits of history that come along, for blame and log: enough to ask about, whatever the repository's age. */
const historyDepth = 100;
const fetchTimeoutMs = 300_000;

/**
 * Fetches base, start and head, without blobs. Throws `git.want_refused` or `git.failed` when one of them is not what
 * was asked for, `git.unreachable`, `git.timeout`.
 */
export async function checkOut(refs: DiffRefs, settings: CheckoutSettings, signal: AbortSignal): Promise<Checkout> {
  const gitDir = join(settings.workDir, 'repository.git');
  const repo: GitRepository = { gitDir, searchPath: settings.searchPath };
  await mkdir(settings.workDir, { recursive: true, mode: 0o700 });
  const objectFormat = refs.headSha.length === 64 ? 'sha256' : 'sha1';
  await initRepository({ repo, objectFormat }, signal);
  const url = settings.gatewayUrl + agentRoutes.git;
  const header = new Secret(`Authorization: Bearer ${settings.token.reveal()}`);
  const config = await writePrivateConfig({ directory: settings.workDir, url, header });
  const target: FetchTarget = { repo, network: { url, configFile: config.path }, timeoutMs: fetchTimeoutMs };
  try {
    const wants = [...new Set([refs.baseSha, refs.startSha, refs.headSha])];
    await fetchCommits({ ...target, wants, depth: historyDepth }, signal);
    await Promise.all(wants.map((sha) => verify(repo, sha, signal)));
    return { target, refs, [Symbol.asyncDispose]: () => config[Symbol.asyncDispose]() };
  } catch (error) {
    await config[Symbol.asyncDispose]();
    throw error;
  }
}

async function verify(repo: GitRepository, sha: string, signal: AbortSignal): Promise<void> {
  const found = await fetchedCommit(repo, sha, signal);
  if (found !== sha) throw new TerminalError('git.failed', 'a fetched commit is not the one that was asked for');
}
