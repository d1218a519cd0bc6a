import { systemClock, type Secret } from '@drydock/core';
import { createHttpClient, type HttpClient, type HttpResponse } from '@drydock/http';
import { z } from 'zod';
import type { LiveAction } from './live-tree.ts';

/** Which merge request, in GitLab's own words. */
export interface LiveRef {
  readonly projectId: number;
  readonly iid: number;
}

interface LiveGitLabSettings {
  readonly baseUrl: string;
  readonly token: Secret;
  readonly proxy: Parameters<typeof createHttpClient>[0]['proxy'];
  readonly caPem: string | null;
}

const User = z.object({ id: z.int(), username: z.string(), name: z.string() });
const Project = z.object({ id: z.int(), path_with_namespace: z.string(), default_branch: z.string().nullish() });
const Ids = z.array(z.object({ id: z.int() })).nullish();

/** What a quick action in a comment could change. */
const Standing = z.object({
  title: z.string(),
  description: z.string().nullable(),
  state: z.string(),
  draft: z.boolean().nullish(),
  labels: z.array(z.string()),
  target_branch: z.string(),
  assignees: Ids,
  reviewers: Ids,
  milestone: z.object({ id: z.int() }).nullish(),
  discussion_locked: z.boolean().nullish(),
  merge_when_pipeline_succeeds: z.boolean().nullish(),
  time_stats: z.object({ time_estimate: z.number(), total_time_spent: z.number() }),
});
const Approvals = z.object({ approved_by: z.array(z.object({ user: User })) });
const MergeRequest = z.object({
  id: z.int(),
  iid: z.int(),
  title: z.string(),
  web_url: z.string(),
  updated_at: z.string(),
  source_branch: z.string(),
  target_branch: z.string(),
});

const line = z.int().nullish();
const RangeEnd = z.object({ line_code: z.string(), old_line: line, new_line: line });
const Position = z.object({
  position_type: z.string(),
  base_sha: z.string(),
  start_sha: z.string(),
  head_sha: z.string(),
  old_path: z.string(),
  new_path: z.string(),
  old_line: line,
  new_line: line,
  line_range: z.object({ start: RangeEnd, end: RangeEnd }).nullish(),
});
const Note = z.object({
  id: z.int(),
  type: z.string().nullable(),
  body: z.string(),
  author: User,
  system: z.boolean(),
  resolved: z.boolean().nullish(),
  position: Position.nullish(),
});
const Discussion = z.object({ id: z.string(), notes: z.array(Note) });

/** A comment as GitLab's API shows it. */
export type LiveNote = z.infer<typeof Note>;
/** A thread as GitLab's API shows it. */
export type LiveDiscussion = z.infer<typeof Discussion>;

const timeoutMs = 60_000;
const maxTries = 3;
const retryDelayMs = 2000;
const pageSize = 100;
const maxPages = 20;

/** What a person does to a project and looks at in it, over GitLab's API: none of our own adapter's code. */
export class LiveGitLab {
  readonly #settings: LiveGitLabSettings;
  readonly #http: HttpClient;

  constructor(settings: LiveGitLabSettings) {
    this.#settings = settings;
    this.#http = createHttpClient({ upstream: 'forge', proxy: settings.proxy, caPem: settings.caPem });
  }

  async self() {
    return User.parse(await this.#call('GET', '/user'));
  }

  /** Such as `18.5.0-ee`. */
  async version(): Promise<string> {
    return z.object({ version: z.string() }).parse(await this.#call('GET', '/version')).version;
  }

  async project(pathOrId: string) {
    return Project.parse(await this.#call('GET', `/projects/${encodeURIComponent(pathOrId)}`));
  }

  /** One commit of several actions; gives its id. `startBranch` makes the branch. */
  async commit(
    projectId: number,
    commit: {
      readonly branch: string;
      readonly startBranch?: string;
      readonly message: string;
      readonly actions: readonly LiveAction[];
    },
  ): Promise<string> {
    const answer = await this.#call('POST', `/projects/${projectId}/repository/commits`, {
      branch: commit.branch,
      ...(commit.startBranch === undefined ? {} : { start_branch: commit.startBranch }),
      commit_message: commit.message,
      actions: commit.actions,
    });
    return z.object({ id: z.string() }).parse(answer).id;
  }

  /** Deleting what is not there succeeds. */
  async deleteBranch(projectId: number, branch: string): Promise<void> {
    const path = `/projects/${projectId}/repository/branches/${encodeURIComponent(branch)}`;
    await this.#call('DELETE', path, undefined, [404]);
  }

  async openMergeRequest(
    projectId: number,
    open: { readonly source: string; readonly target: string; readonly title: string; readonly description: string },
  ) {
    const { source, target, title, description } = open;
    const body = { source_branch: source, target_branch: target, title, description };
    return MergeRequest.parse(await this.#call('POST', `/projects/${projectId}/merge_requests`, body));
  }

  async mergeRequest(ref: LiveRef) {
    return MergeRequest.parse(await this.#call('GET', pathOf(ref)));
  }

  /** Closes every open merge request of a branch, also one whose opening was answered with an error. */
  async closeMergeRequests(projectId: number, sourceBranch: string): Promise<void> {
    const query = new URLSearchParams({ state: 'opened', source_branch: sourceBranch, per_page: '100' });
    const open = z
      .array(MergeRequest)
      .parse(await this.#call('GET', `/projects/${projectId}/merge_requests?${query.toString()}`));
    for (const { iid } of open) await this.#call('PUT', pathOf({ projectId, iid }), { state_event: 'close' });
  }

  /** All that a comment must never change. */
  async standing(ref: LiveRef) {
    const standing = Standing.parse(await this.#call('GET', pathOf(ref)));
    const approvals = await this.#call('GET', `${pathOf(ref)}/approvals`, undefined, [404]);
    return { ...standing, approvedBy: approvals === null ? [] : Approvals.parse(approvals).approved_by };
  }

  /** Oldest first, with what GitLab wrote by itself. */
  async discussions(ref: LiveRef): Promise<readonly LiveDiscussion[]> {
    const all: LiveDiscussion[] = [];
    for (let page = 1; page <= maxPages; page += 1) {
      const path = `${pathOf(ref)}/discussions?per_page=${pageSize}&page=${page}`;
      const found = z.array(Discussion).parse(await this.#call('GET', path));
      all.push(...found);
      if (found.length < pageSize) return all;
    }
    throw new Error('more threads than the live suite can have made');
  }

  /** A plain comment. */
  async comment(ref: LiveRef, body: string) {
    return Note.parse(await this.#call('POST', `${pathOf(ref)}/notes`, { body }));
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#http.close();
  }

  /** Null for an empty answer and for one of the `accepted` statuses. What only reads or may be repeated is tried again. */
  async #call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
    accepted: readonly number[] = [],
  ): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#send(method, path, body);
      const { status } = answer;
      if (status >= 200 && status < 300) return answer.body.length === 0 ? null : JSON.parse(answer.body.toString());
      if (accepted.includes(status)) return null;
      const mayRepeat = method !== 'POST' && (status === 429 || status >= 500);
      if (!mayRepeat || attempt === maxTries)
        throw new Error(`GitLab answered ${status} to ${method} ${path}: ${answer.body.toString().slice(0, 500)}`);
      await systemClock.sleep(attempt * retryDelayMs, AbortSignal.timeout(timeoutMs));
    }
  }

  async #send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<HttpResponse> {
    const { baseUrl, token } = this.#settings;
    return await this.#http.request({
      method,
      url: `${baseUrl.replace(/\/+$/, '')}/api/v4${path}`,
      headers: { 'private-token': token.reveal(), 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
  }
}

function pathOf({ projectId, iid }: LiveRef): string {
  return `/projects/${projectId}/merge_requests/${iid}`;
}
