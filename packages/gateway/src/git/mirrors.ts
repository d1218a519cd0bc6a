/**
 * Bare mirrors of projects, one folder each, filled by exact commits. Agents never see one: they are served from it.
 * Only this process writes to them, one fetch for a project at a time; nothing in them is configuration from outside.
 */
import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, TransientError, type DiffRefs, type ForgeId, type MergeRequestRef } from '@drydock/core';
import type { GitRemote } from '@drydock/forge';
import {
  fetchCommits,
  initRepository,
  listMissing,
  writePrivateConfig,
  type GitNetwork,
  type GitRepository,
} from '@drydock/git';
import { KeyedLock } from './keyed-lock.ts';

/** Where mirrors are and how they are made. */
export interface MirrorSettings {
  /** A folder of the gateway's own. */
  readonly dataDir: string;
  /** Where git is found, in the manner of PATH. */
  readonly searchPath: string;
  readonly fetchTimeoutMs: number;
  /** Lets remotes be folders of this machine: for tests. */
  readonly allowFile?: boolean;
  /** Forges whose repository is on this machine already, whole, by their id: there is nothing to mirror. */
  readonly local?: ReadonlyMap<ForgeId, GitRepository>;
}

/** What a run needs of a project's repository. */
export interface MirrorRequest {
  readonly subject: MergeRequestRef;
  readonly refs: DiffRefs;
  /** Asked only when something must be fetched. */
  readonly remote: () => GitRemote | Promise<GitRemote>;
  readonly targetBranch: string;
}

/** The mirrors of a gateway. */
export class Mirrors {
  readonly #settings: MirrorSettings;
  readonly #lock = new KeyedLock();
  readonly #closing = new AbortController();

  constructor(settings: MirrorSettings) {
    this.#settings = settings;
  }

  /**
   * The mirror with the three commits in it, fetched if need be. A fetch goes on when its caller gives up, so that the
   * next one finds it done. Throws `git.unreachable`, `git.unauthorized`, `git.want_refused`, `git.timeout`, `aborted`.
   */
  async ensure(request: MirrorRequest, signal: AbortSignal): Promise<GitRepository> {
    const local = this.#settings.local?.get(request.subject.forge);
    if (local !== undefined) return local;
    const repo = this.#repositoryOf(request);
    if ((await exists(repo)) && (await this.#missing(repo, request.refs)).length === 0) return repo;
    const filling = this.#lock.inTurn(repo.gitDir, () => this.#fill(repo, request));
    filling.catch(() => undefined); // whoever still waits sees the error
    return untilAborted(filling, signal);
  }

  /** Ends fetches that are under way. */
  close(): void {
    this.#closing.abort();
  }

  async #fill(repo: GitRepository, request: MirrorRequest): Promise<GitRepository> {
    const { refs, subject, targetBranch } = request;
    await mkdir(join(repo.gitDir, '..'), { recursive: true, mode: 0o700 });
    await initRepository({ repo, objectFormat: objectFormatOf(refs) }, this.#closing.signal);
    const missing = await this.#missing(repo, refs);
    if (missing.length === 0) return repo;
    const remote = await request.remote();
    try {
      await this.#fetch(repo, remote, missing);
    } catch (error) {
      if (!(error instanceof TransientError) || error.code !== 'git.want_refused') throw error;
      // Some servers give out commits by the name of a ref only.
      await this.#fetch(repo, remote, [remote.headRef, `refs/heads/${targetBranch}`]);
    }
    const absent = await this.#missing(repo, refs);
    if (absent.length > 0) {
      const what = `${String(absent.length)} of the commits of merge request ${String(subject.iid)}`;
      throw new TransientError('git.want_refused', `the forge did not give out ${what}`);
    }
    return repo;
  }

  async #fetch(repo: GitRepository, remote: GitRemote, wants: readonly string[]): Promise<void> {
    const directory = join(this.#settings.dataDir, 'private');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const header = new Secret(`Authorization: ${remote.authorization.reveal()}`);
    await using config = await writePrivateConfig({ directory, url: remote.url, header });
    const network: GitNetwork = {
      url: remote.url,
      configFile: config.path,
      caFile: remote.caBundlePem === null ? null : await writeCaFile(directory, remote.caBundlePem),
      ...remote.proxy,
      allowFile: this.#settings.allowFile ?? false,
    };
    const timeoutMs = this.#settings.fetchTimeoutMs;
    await fetchCommits({ repo, network, wants, filter: null, timeoutMs }, this.#closing.signal);
  }

  #missing(repo: GitRepository, { baseSha, startSha, headSha }: DiffRefs): Promise<string[]> {
    return listMissing({ repo, oids: [baseSha, startSha, headSha] }, this.#closing.signal);
  }

  /** Forge id and project id are of schemas that no path can hide in. */
  #repositoryOf({ subject, refs }: MirrorRequest): GitRepository {
    const suffix = objectFormatOf(refs) === 'sha1' ? '' : '-sha256';
    const name = `${subject.projectId}${suffix}.git`;
    return {
      gitDir: join(this.#settings.dataDir, 'mirrors', subject.forge, name),
      searchPath: this.#settings.searchPath,
    };
  }
}

/** How objects of a repository with these commits are named. */
export function objectFormatOf({ headSha }: DiffRefs): 'sha1' | 'sha256' {
  return headSha.length === 64 ? 'sha256' : 'sha1';
}

/** `HEAD` is what `git init` writes last of what makes a repository one. */
async function exists({ gitDir }: GitRepository): Promise<boolean> {
  return access(join(gitDir, 'HEAD')).then(
    () => true,
    () => false,
  );
}

/** Written once for each content, whole or not at all. */
async function writeCaFile(directory: string, pem: string): Promise<string> {
  const path = join(directory, `ca-${createHash('sha256').update(pem).digest('hex').slice(0, 16)}.pem`);
  const draft = `${path}.${randomUUID()}`; // several fetches may write it at once
  await writeFile(draft, pem, { mode: 0o600 });
  await rename(draft, path);
  return path;
}

function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      reject(new TransientError('aborted', 'nobody waits for this repository any more'));
    };
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', giveUp);
    });
  });
}
