import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '@drydock/core';
import {
  accessLevels,
  notFound,
  type GitLabEffect,
  type GitLabMergeRequest,
  type GitLabProject,
  type GitLabToken,
  type GitLabUser,
  type GitLabVersion,
} from './gitlab-state.ts';
import type { WebhookSender } from './webhook-sender.ts';

/** How the instance is set up. */
export interface GitLabSettings {
  /** GitLab's version, such as `18.5.0`. */
  readonly version: string;
  /** How long a new merge request has no diff refs, and a push no new version. */
  readonly diffRefsDelayMs: number;
  /** Notes that one user may write in a minute; null: any number. */
  readonly notesPerMinute: number | null;
  /** API requests of one user in a minute; null: any number. */
  readonly requestsPerMinute: number | null;
  /** Deliveries of one project's webhooks that one user may have sent again in a minute; null: any number. */
  readonly resendsPerMinute: number | null;
  /** Whether a 429 says when to come back. */
  readonly sendsRetryAfter: boolean;
  /** A request body over this is answered 413. */
  readonly maxBodyBytes: number;
  /** A longer patch has no rows to comment on; null: no limit. */
  readonly maxPatchBytes: number | null;
  /** Older instances refuse `old_line` and `new_line` inside a draft note's `line_range`. */
  readonly draftsRefuseRangeLines: boolean;
}

/** Something that a client of the real GitLab should not have done. */
export interface GitLabViolation {
  readonly method: string;
  readonly path: string;
  readonly what: string;
}

/** The whole state of one fake instance. */
export class GitLabWorld {
  readonly settings: GitLabSettings;
  readonly clock: Clock;
  readonly users: GitLabUser[] = [];
  readonly tokens: GitLabToken[] = [];
  readonly groups = new Set<string>();
  readonly projects: GitLabProject[] = [];
  readonly effects: GitLabEffect[] = [];
  readonly violations: GitLabViolation[] = [];
  readonly webhooks: WebhookSender;
  /** Set once the server listens. */
  url = '';
  #lastId = 100;

  constructor(settings: GitLabSettings, clock: Clock, webhooks: WebhookSender) {
    this.settings = settings;
    this.clock = clock;
    this.webhooks = webhooks;
  }

  /** A fresh numeric id. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** A fresh id of 40 hex digits, as discussions have. */
  nextHexId(): string {
    return randomBytes(20).toString('hex');
  }

  nextUuid(): string {
    return randomUUID();
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  user(id: number): GitLabUser {
    return found(
      this.users.find((user) => user.id === id),
      `user ${id}`,
    );
  }

  project(id: number): GitLabProject {
    return found(
      this.projects.find((project) => project.id === id),
      `project ${id}`,
    );
  }

  mergeRequest(projectId: number, iid: number): GitLabMergeRequest {
    return found(
      this.project(projectId).mergeRequests.find((candidate) => candidate.iid === iid),
      `merge request ${projectId}!${iid}`,
    );
  }

  /** 0 for a stranger. */
  accessLevel(project: GitLabProject, user: GitLabUser | null): number {
    return user === null ? 0 : (project.members.get(user.id) ?? 0);
  }

  canSee(project: GitLabProject, user: GitLabUser | null): boolean {
    if (project.visibility === 'public') return true;
    if (user === null) return false;
    return project.visibility === 'internal' || this.accessLevel(project, user) > 0;
  }

  /** Guests of a private project see neither code nor merge requests. */
  canReadCode(project: GitLabProject, user: GitLabUser | null): boolean {
    if (!this.canSee(project, user)) return false;
    return project.visibility !== 'private' || this.accessLevel(project, user) >= accessLevels.reporter;
  }

  /** The newest version that GitLab has prepared; null in the first moments. */
  shownVersion(mergeRequest: GitLabMergeRequest): GitLabVersion | null {
    return this.shownVersions(mergeRequest)[0] ?? null;
  }

  /** Newest first. */
  shownVersions(mergeRequest: GitLabMergeRequest): readonly GitLabVersion[] {
    return mergeRequest.versions.filter((version) => version.visibleAtMs <= this.nowMs()).reverse();
  }

  /** By number or by path, as in an address; 404 like GitLab where the user may not see it. */
  findProject(idOrPath: string, user: GitLabUser | null): GitLabProject {
    const matches = (project: GitLabProject) =>
      String(project.id) === idOrPath || project.pathWithNamespace.toLowerCase() === idOrPath.toLowerCase();
    const project = this.projects.find(matches);
    if (project === undefined || !this.canSee(project, user)) throw notFound('Project');
    return project;
  }

  violate(method: string, path: string, what: string): void {
    this.violations.push({ method, path, what });
  }
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the fake GitLab has no ${name}`);
  return value;
}

/** Whether a title makes its merge request a draft. */
export function isDraftTitle(title: string): boolean {
  return /^\s*(?:\[draft\]|\(draft\)|draft:)/i.test(title);
}

/** A time as the REST API writes it. */
export function apiTime(ms: number): string {
  return new Date(ms).toISOString();
}
