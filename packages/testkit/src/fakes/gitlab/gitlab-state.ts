/** What the fake GitLab holds. Plain records; every change goes through the actions beside it, which send webhooks. */
import type { DiffPosition } from './check-position.ts';
import type { GitRepository } from './git-repository.ts';

/** GitLab's numbers for roles in a project. */
export const accessLevels = { guest: 10, planner: 15, reporter: 20, developer: 30, maintainer: 40, owner: 50 } as const;

/** A role by its name. */
export type GitLabRole = keyof typeof accessLevels;

/** Someone who can sign in, a person or a bot. */
export interface GitLabUser {
  readonly id: number;
  readonly username: string;
  readonly name: string;
  readonly bot: boolean;
  state: 'active' | 'blocked';
}

/** A personal or project access token. */
export interface GitLabToken {
  readonly value: string;
  readonly userId: number;
  readonly scopes: readonly string[];
  state: 'active' | 'revoked' | 'expired';
}

/** A label of a project. */
export interface GitLabLabel {
  readonly id: number;
  readonly title: string;
  readonly color: string;
}

/** A project with its repository and everything that hangs on it. */
export interface GitLabProject {
  readonly id: number;
  readonly name: string;
  /** Group and name, as in its address. */
  pathWithNamespace: string;
  visibility: 'private' | 'internal' | 'public';
  readonly defaultBranch: string;
  readonly repository: GitRepository;
  /** Access level by user id. */
  readonly members: Map<number, number>;
  readonly labels: GitLabLabel[];
  readonly mergeRequests: GitLabMergeRequest[];
  readonly statuses: GitLabCommitStatus[];
  readonly webhooks: GitLabWebhook[];
  readonly forkedFromId: number | null;
}

/** One state of a merge request's diff; a push makes a new one. */
export interface GitLabVersion {
  readonly id: number;
  readonly headSha: string;
  readonly baseSha: string;
  readonly startSha: string;
  readonly createdAtMs: number;
  /** Until then the API does not show it: GitLab prepares it in the background. */
  readonly visibleAtMs: number;
  state: 'collected' | 'overflow' | 'empty';
  readonly realSize: number;
  readonly commitCount: number;
}

/** A merge request. Whether it is a draft is told by its title, as in GitLab. */
export interface GitLabMergeRequest {
  readonly id: number;
  readonly iid: number;
  readonly projectId: number;
  readonly sourceProjectId: number;
  readonly sourceBranch: string;
  targetBranch: string;
  title: string;
  description: string;
  readonly authorId: number;
  labels: GitLabLabel[];
  assigneeIds: number[];
  reviewerIds: number[];
  state: 'opened' | 'closed' | 'merged' | 'locked';
  isDiscussionLocked: boolean;
  readonly createdAtMs: number;
  updatedAtMs: number;
  mergeCommitSha: string | null;
  mergedById: number | null;
  /** Oldest first. */
  readonly versions: GitLabVersion[];
  readonly discussions: GitLabDiscussion[];
  readonly drafts: GitLabDraftNote[];
  readonly approvedBy: { readonly userId: number; readonly atMs: number }[];
  readonly awards: GitLabAward[];
}

/** A thread, or a note that stands alone. */
export interface GitLabDiscussion {
  readonly id: string;
  isIndividual: boolean;
  /** The first one opened it. */
  readonly notes: GitLabNote[];
}

/** A comment. */
export interface GitLabNote {
  readonly id: number;
  readonly discussionId: string;
  readonly mergeRequestIid: number;
  readonly projectId: number;
  type: 'DiffNote' | 'DiscussionNote' | null;
  /** As stored: without the quick actions that ran. */
  body: string;
  readonly authorId: number;
  readonly system: boolean;
  readonly internal: boolean;
  readonly createdAtMs: number;
  updatedAtMs: number;
  /** Follows the line through pushes while it can. */
  position: DiffPosition | null;
  readonly originalPosition: DiffPosition | null;
  lineCode: string | null;
  /** Its line is gone from the newest version. */
  isOutdated: boolean;
  resolvedById: number | null;
  resolvedAtMs: number | null;
  readonly awards: GitLabAward[];
}

/** A comment that its author has not published. */
export interface GitLabDraftNote {
  readonly id: number;
  readonly authorId: number;
  note: string;
  position: DiffPosition | null;
  readonly discussionId: string | null;
  readonly resolveDiscussion: boolean;
  readonly commitId: string | null;
}

/** An emoji reaction. */
export interface GitLabAward {
  readonly id: number;
  readonly name: string;
  readonly userId: number;
  readonly createdAtMs: number;
}

/** A commit status. */
export interface GitLabCommitStatus {
  readonly id: number;
  readonly sha: string;
  readonly name: string;
  readonly ref: string | null;
  status: 'pending' | 'running' | 'success' | 'failed' | 'canceled' | 'skipped';
  description: string | null;
  targetUrl: string | null;
  coverage: number | null;
  readonly authorId: number;
  readonly createdAtMs: number;
}

/** Which events a webhook wants. */
export type GitLabHookEvent = 'merge_requests_events' | 'note_events' | 'push_events';

/** A configured webhook. */
export interface GitLabWebhook {
  readonly id: number;
  readonly uuid: string;
  url: string;
  /** Sent in clear as X-Gitlab-Token. */
  readonly secretToken: string | null;
  /** `whsec_` and base64: signs each delivery. */
  readonly signingToken: string | null;
  readonly events: readonly GitLabHookEvent[];
  /** What GitLab makes of deliveries that failed: nothing, a pause until a time, or its end until a person acts. */
  disabled: { readonly untilMs: number | null } | null;
}

/** Something that a body of text set off, and that a review must never set off. */
export interface GitLabEffect {
  readonly kind: 'quick-action' | 'mention' | 'image' | 'link' | 'reference' | 'issue-close';
  /** The command with its arguments, the name, the address … */
  readonly detail: string;
  /** Null: the body held nothing else, so no note was kept. */
  readonly noteId: number | null;
  readonly iid: number;
  readonly authorId: number;
}

/** An error that the API answers. */
export class GitLabApiError extends Error {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`${status} ${JSON.stringify(body)}`);
    this.name = 'GitLabApiError';
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** `404 Project Not Found` and the like; without a name `404 Not found`, as where a record is missing. */
export function notFound(what: string | null = null): GitLabApiError {
  return new GitLabApiError(404, { message: what === null ? '404 Not found' : `404 ${what} Not Found` });
}

/** `400 Bad request - …` */
export function badRequest(reason: string): GitLabApiError {
  return new GitLabApiError(400, { message: `400 Bad request - ${reason}` });
}

/** `403 Forbidden` */
export function forbidden(): GitLabApiError {
  return new GitLabApiError(403, { message: '403 Forbidden' });
}

/** `401 Unauthorized` */
export function unauthorized(): GitLabApiError {
  return new GitLabApiError(401, { message: '401 Unauthorized' });
}
