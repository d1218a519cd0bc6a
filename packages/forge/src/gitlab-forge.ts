import {
  ConfigError,
  DrydockError,
  Secret,
  StaleError,
  TerminalError,
  type Clock,
  type ForgeId,
  type ForgeUser,
  type MergeRequestRef,
  type NumericId,
  type OpenMergeRequest,
  type Role,
  type Sha,
} from '@drydock/core';
import { createHttpClient, trustedCaPem, type HttpClient, type HttpClientSettings } from '@drydock/http';
import type {
  CommitStatus,
  Forge,
  ForgeHook,
  ForgeMergeRequest,
  ForgeProject,
  ForgeThread,
  GitRemote,
  ListPage,
  MergeRequestHead,
  OpenMergeRequestQuery,
  ProxyAddresses,
  ThreadCreated,
} from './forge.ts';
import type { GitLabApi } from './gitlab-api.ts';
import { badAnswer } from './gitlab-error.ts';
import { parse } from './gitlab-parse.ts';
import { listPages } from './gitlab-pages.ts';
import { toGitLabPosition } from './gitlab-position.ts';
import type { GitLabTransport } from './gitlab-requester.ts';
import {
  GitLabCommitStatuses,
  GitLabCreated,
  GitLabDiscussion,
  GitLabMember,
  GitLabMergeRequest,
  GitLabProject,
  GitLabUser,
  GitLabVersions,
} from './gitlab-schema.ts';
import { listFailedDeliveries, listHooks, resendDelivery } from './gitlab-hooks.ts';
import { listOpenMergeRequests, listProjects } from './gitlab-sweep.ts';
import { toForgeThread } from './gitlab-thread.ts';
import { NoteLimiter } from './note-limiter.ts';

/** A GitLab instance and our account on it. Everything comes from the operator's settings, nothing from a payload. */
export interface GitLabForgeSettings {
  readonly id: ForgeId;
  /** Address of the instance, with its relative URL root if it has one. */
  readonly baseUrl: string;
  /** Of an account of its own, with the scope `api`. */
  readonly token: Secret;
  readonly proxy: ProxyAddresses;
  /** PEM text of private authorities; null: none. */
  readonly caPem: string | null;
  readonly clock: Clock;
  readonly timeouts?: NonNullable<HttpClientSettings['timeouts']>;
  /** New comments that our account writes in a minute; default 50, as GitLab.com stops at 60. */
  readonly notesPerMinute?: number;
  /** Told of every request to the API, with the status of its answer; 0: there was none. */
  readonly onAnswer?: (status: number) => void;
}

const notesPerMinute = 50;
const maxDiscussionPages = 200;
const maxRememberedUsers = 1000;

/** GitLab over REST v4, by @gitbeaker/rest on a requester that neither retries nor follows redirects. */
export class GitLabForge implements Forge {
  readonly id: ForgeId;
  readonly #settings: GitLabForgeSettings;
  readonly #baseUrl: string;
  readonly #http: HttpClient;
  readonly #transport: GitLabTransport;
  readonly #isBot = new Map<NumericId, boolean>();
  #self: Omit<ForgeUser, 'isBot'> | null = null;
  #caBundlePem: string | null = null;

  /** Throws a `ConfigError` for an address that cannot be one. */
  constructor(settings: GitLabForgeSettings) {
    this.id = settings.id;
    this.#settings = settings;
    this.#baseUrl = checkBaseUrl(settings.baseUrl);
    const { proxy, caPem, clock, timeouts } = settings;
    this.#http = createHttpClient({ upstream: 'forge', proxy, caPem, ...(timeouts === undefined ? {} : { timeouts }) });
    this.#transport = {
      http: this.#http,
      apiUrl: `${this.#baseUrl}/api/v4/`,
      clock,
      notes: new NoteLimiter(clock, settings.notesPerMinute ?? notesPerMinute),
      onAnswer: settings.onAnswer ?? (() => undefined),
      silentUntilMs: { notes: -Infinity, all: -Infinity },
    };
  }

  async self(signal: AbortSignal): Promise<Omit<ForgeUser, 'isBot'>> {
    if (this.#self === null) {
      const { users } = await this.#api(signal);
      const { id, username } = parse(GitLabUser, await users.showCurrentUser());
      this.#self = { id, username };
    }
    return this.#self;
  }

  async findProject(path: string, signal: AbortSignal): Promise<NumericId> {
    const { projects } = await this.#api(signal);
    return parse(GitLabProject, await projects.show(path)).id;
  }

  async readMergeRequest(ref: MergeRequestRef, signal: AbortSignal): Promise<ForgeMergeRequest> {
    const found = await this.#readMergeRequest(ref, signal);
    const isFromFork = found.source_project_id !== found.target_project_id;
    const { author } = found;
    const [{ diffRefs, isDiffCut }, self, isBot, authorRole] = await Promise.all([
      this.#readVersion(ref, found.sha, signal),
      this.self(signal),
      this.#readIsBot(author.id, signal),
      isFromFork ? this.#readAccess(ref.projectId, author.id, signal) : null,
    ]);
    const mergeRequest = {
      v: 1 as const,
      ref,
      projectPath: found.references.full.replace(/!\d+$/, ''),
      webUrl: found.web_url,
      title: found.title,
      description: found.description ?? '',
      state: found.state,
      isDraft: found.draft ?? found.work_in_progress ?? false,
      labels: found.labels,
      isReviewRequested: (found.reviewers ?? []).some((reviewer) => reviewer.id === self.id),
      author: { id: author.id, username: author.username, isBot },
      authorRole,
      sourceBranch: found.source_branch,
      targetBranch: found.target_branch,
      isFromFork,
      headSha: found.sha,
      diffRefs,
    };
    return { mergeRequest, isDiffCut };
  }

  async readHead(ref: MergeRequestRef, signal: AbortSignal): Promise<MergeRequestHead> {
    const { state, sha } = await this.#readMergeRequest(ref, signal);
    return { state, headSha: sha, ...(await this.#readVersion(ref, sha, signal)) };
  }

  async readRole(
    projectId: NumericId,
    userId: NumericId,
    signal: AbortSignal,
  ): Promise<{ readonly role: Role; readonly isBot: boolean }> {
    const [role, isBot] = await Promise.all([
      this.#readAccess(projectId, userId, signal),
      this.#readIsBot(userId, signal),
    ]);
    return { role, isBot };
  }

  gitRemote(projectPath: string, iid: number): GitRemote {
    const parts = projectPath.split('/');
    if (!parts.every((part) => /^[\p{L}\p{N}_.-]+$/u.test(part) && !/^\.{1,2}$/.test(part)))
      throw new TerminalError('forge.bad_answer', 'the project has a path that no GitLab project can have');
    const { token, proxy, caPem } = this.#settings;
    if (caPem !== null) this.#caBundlePem ??= trustedCaPem(caPem);
    return {
      url: `${this.#baseUrl}/${parts.map(encodeURIComponent).join('/')}.git`,
      authorization: new Secret(`Basic ${Buffer.from(`oauth2:${token.reveal()}`).toString('base64')}`),
      headRef: `refs/merge-requests/${iid}/head`,
      proxy,
      caBundlePem: this.#caBundlePem,
    };
  }

  async listOwnThreads(ref: MergeRequestRef, signal: AbortSignal): Promise<readonly ForgeThread[]> {
    const self = await this.self(signal);
    const { requester } = (await this.#api(signal)).discussions;
    const endpoint = `${ref.projectId}/merge_requests/${ref.iid}/discussions`;
    const threads: ForgeThread[] = [];
    const pages = listPages((searchParams) => requester.get(endpoint, { searchParams }), maxDiscussionPages);
    for await (const page of onMergeRequest(pages))
      for (const discussion of page) {
        const thread = toForgeThread(parse(GitLabDiscussion, discussion), self.id);
        if (thread !== null) threads.push(thread);
      }
    return threads;
  }

  async createThread(
    ref: MergeRequestRef,
    { placement, refs, body }: Parameters<Forge['createThread']>[1],
    signal: AbortSignal,
  ): Promise<ThreadCreated> {
    if (placement.kind === 'summary') return { kind: 'refused', why: 'it has no place in the diff' };
    // Not gitbeaker's own method: it sends a form, in which a path with `&` or `=` falls apart and numbers are texts.
    const { requester } = (await this.#api(signal)).discussions;
    const endpoint = `${ref.projectId}/merge_requests/${ref.iid}/discussions`;
    try {
      const answer = await requester.post(endpoint, { body: { body, position: toGitLabPosition(placement, refs) } });
      const note = parse(GitLabDiscussion, answer.body).notes[0];
      if (note === undefined) throw badAnswer('a thread without a comment');
      return { kind: 'created', noteId: note.id };
    } catch (error) {
      if (error instanceof TerminalError && error.code === 'forge.rejected')
        return { kind: 'refused', why: error.message };
      throw goneIfNotFound(error);
    }
  }

  async createNote(ref: MergeRequestRef, body: string, signal: AbortSignal): Promise<NumericId> {
    const { notes } = await this.#api(signal);
    return parse(GitLabCreated, await onMergeRequest(notes.create(ref.projectId, ref.iid, body))).id;
  }

  async editNote(ref: MergeRequestRef, noteId: NumericId, body: string, signal: AbortSignal): Promise<void> {
    const { notes } = await this.#api(signal);
    await notes.edit(ref.projectId, ref.iid, Number(noteId), { body });
  }

  async deleteNote(ref: MergeRequestRef, noteId: NumericId, signal: AbortSignal): Promise<void> {
    const { notes } = await this.#api(signal);
    await unlessGone(notes.remove(ref.projectId, ref.iid, Number(noteId)));
  }

  async setResolved(ref: MergeRequestRef, threadId: string, isResolved: boolean, signal: AbortSignal): Promise<void> {
    const { discussions } = await this.#api(signal);
    await unlessGone(discussions.resolve(ref.projectId, ref.iid, threadId, isResolved));
  }

  async setCommitStatus(ref: MergeRequestRef, sha: Sha, status: CommitStatus, signal: AbortSignal): Promise<void> {
    const { commits } = await this.#api(signal);
    const { name, state, description } = status;
    const endpoint = `projects/${ref.projectId}/repository/commits/${sha}/statuses`;
    const { body } = await commits.requester.get(endpoint, { searchParams: { name, per_page: 20 } });
    const [latest] = parse(GitLabCommitStatuses, body)
      .filter((candidate) => candidate.name === name)
      .sort((left, right) => right.id - left.id);
    // GitLab refuses the step from a state to itself.
    if (latest?.status === state) return;
    await commits.editStatus(ref.projectId, sha, state, { name, description });
  }

  get canListAll(): boolean {
    // There it would list every public project of the world.
    return new URL(this.#baseUrl).hostname !== 'gitlab.com';
  }

  async listProjects(cursor: string | null, signal: AbortSignal): Promise<ListPage<ForgeProject>> {
    return listProjects((await this.#api(signal)).projects.requester, cursor);
  }

  async listOpenMergeRequests(query: OpenMergeRequestQuery, signal: AbortSignal): Promise<ListPage<OpenMergeRequest>> {
    return listOpenMergeRequests((await this.#api(signal)).projects.requester, this.id, query);
  }

  async listHooks(projectId: NumericId, signal: AbortSignal): Promise<readonly ForgeHook[] | null> {
    return listHooks((await this.#api(signal)).projects.requester, this.id, projectId);
  }

  async listFailedDeliveries(
    hook: { readonly projectId: NumericId; readonly hookId: NumericId },
    page: number,
    signal: AbortSignal,
  ) {
    return listFailedDeliveries((await this.#api(signal)).projects.requester, this.id, hook, page);
  }

  async resendDelivery(
    delivery: { readonly projectId: NumericId; readonly hookId: NumericId; readonly eventId: NumericId },
    signal: AbortSignal,
  ) {
    return resendDelivery((await this.#api(signal)).projects.requester, delivery);
  }

  noteUrl(mergeRequestUrl: string, noteId: NumericId): string {
    return `${mergeRequestUrl}#note_${noteId}`;
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /** Loaded with its SDK at the first call: who reviews a change of this machine makes none. */
  async #api(signal: AbortSignal): Promise<GitLabApi> {
    const { gitLabApi } = await import('./gitlab-api.ts');
    const token = this.#settings.token.reveal();
    return gitLabApi({ host: this.#baseUrl, token, transport: this.#transport }, signal);
  }

  async #readMergeRequest(ref: MergeRequestRef, signal: AbortSignal): Promise<GitLabMergeRequest> {
    const { mergeRequests } = await this.#api(signal);
    return parse(GitLabMergeRequest, await onMergeRequest(mergeRequests.show(ref.projectId, ref.iid)));
  }

  async #readVersion(
    ref: MergeRequestRef,
    headSha: Sha | null,
    signal: AbortSignal,
  ): Promise<Pick<MergeRequestHead, 'diffRefs' | 'isDiffCut'>> {
    if (headSha === null) return { diffRefs: null, isDiffCut: false };
    const { requester } = (await this.#api(signal)).mergeRequests;
    const endpoint = `projects/${ref.projectId}/merge_requests/${ref.iid}/versions`;
    const { body } = await onMergeRequest(requester.get(endpoint, { searchParams: { per_page: 20 } }));
    const version = parse(GitLabVersions, body).find((candidate) => candidate.head_commit_sha === headSha);
    if (!version?.base_commit_sha || !version.start_commit_sha) return { diffRefs: null, isDiffCut: false };
    return {
      diffRefs: { headSha, baseSha: version.base_commit_sha, startSha: version.start_commit_sha },
      isDiffCut: /^(?:overflow|timeout)/.test(version.state ?? ''),
    };
  }

  async #readAccess(projectId: NumericId, userId: NumericId, signal: AbortSignal): Promise<Role> {
    const { members } = await this.#api(signal);
    const answer = await unlessGone(members.show(projectId, Number(userId), { includeInherited: true }));
    if (answer === null) return 'none';
    const { access_level, state } = parse(GitLabMember, answer);
    return state === null || state === undefined || state === 'active' ? roleOf(access_level) : 'none';
  }

  /** Remembered: an account does not change its kind. */
  async #readIsBot(userId: NumericId, signal: AbortSignal): Promise<boolean> {
    const known = this.#isBot.get(userId);
    if (known !== undefined) return known;
    const { users } = await this.#api(signal);
    const answer = await unlessGone(users.show(Number(userId)));
    const isBot = answer !== null && parse(GitLabUser, answer).bot === true;
    if (this.#isBot.size >= maxRememberedUsers) this.#isBot.clear();
    this.#isBot.set(userId, isBot);
    return isBot;
  }
}

function checkBaseUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.search}${url.hash}` === '';
  if (!isPlain)
    throw new ConfigError('the address of GitLab must be like https://gitlab.example.com, without user name or query');
  return url.href.replace(/\/+$/, '');
}

function isNotFound(error: unknown): boolean {
  return error instanceof DrydockError && error.code === 'forge.not_found';
}

function goneIfNotFound(error: unknown): unknown {
  return isNotFound(error)
    ? new StaleError('merge_request.gone', 'the merge request is gone, or not shown to us', { cause: error })
    : error;
}

/** A 404 on the merge request itself: there is nothing left to work on. */
function onMergeRequest<T>(call: Promise<T>): Promise<T>;
function onMergeRequest<T>(pages: AsyncIterable<T>): AsyncIterable<T>;
function onMergeRequest<T>(call: Promise<T> | AsyncIterable<T>): Promise<T> | AsyncIterable<T> {
  if (call instanceof Promise)
    return call.catch((error: unknown) => {
      throw goneIfNotFound(error);
    });
  return (async function* () {
    try {
      yield* call;
    } catch (error) {
      throw goneIfNotFound(error);
    }
  })();
}

/** Null where there is nothing: a stranger, a thread that was deleted meanwhile. */
async function unlessGone<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

function roleOf(accessLevel: number): Role {
  if (accessLevel >= 50) return 'owner';
  if (accessLevel >= 40) return 'maintainer';
  if (accessLevel >= 30) return 'developer';
  if (accessLevel >= 20) return 'reporter';
  return accessLevel >= 10 ? 'guest' : 'none';
}
