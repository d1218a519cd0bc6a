import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiffPosition, PositionCheck, PositionRefs } from './check-position.ts';
import type { FaultList } from './fault-list.ts';
import { GitRepository, type GitLabCommit, type GitLabFileChanges } from './git-repository.ts';
import {
  accessLevels,
  type GitLabCommitStatus,
  type GitLabDiscussion,
  type GitLabDraftNote,
  type GitLabEffect,
  type GitLabHookEvent,
  type GitLabMergeRequest,
  type GitLabNote,
  type GitLabProject,
  type GitLabRole,
  type GitLabUser,
  type GitLabWebhook,
} from './gitlab-state.ts';
import { isDraftTitle, type GitLabViolation, type GitLabWorld } from './gitlab-world.ts';
import type { GitLabHttpServer, RequestLogEntry } from './http-server.ts';
import { approve } from './approval-actions.ts';
import {
  commitToBranch,
  deleteBranch,
  openMergeRequest,
  pushBranch,
  refsOf,
  type OpenMergeRequest,
} from './merge-request-actions.ts';
import { checkNotePosition, createNote, deleteNote, resolveDiscussion } from './note-actions.ts';
import { applySuggestion, parseSuggestions, type AppliedSuggestion } from './suggestions.ts';
import { updateMergeRequest, type MergeRequestUpdate } from './update-merge-request.ts';
import type { WebhookDelivery } from './webhook-sender.ts';

interface FakeGitLabParts {
  readonly world: GitLabWorld;
  readonly faults: FaultList;
  readonly http: GitLabHttpServer;
  /** Where the repositories are. */
  readonly dir: string;
  readonly allowViolations: boolean;
  readonly caPem: string | null;
  readonly stop: () => Promise<void>;
}

/** What a new project starts from. */
export interface NewProject {
  /** `group/name`, any depth of groups. */
  readonly path: string;
  readonly visibility?: GitLabProject['visibility'];
  readonly defaultBranch?: string;
  /** Files of its first commit. */
  readonly files?: GitLabFileChanges;
  /** A repository on this machine whose branches and tags it gets. */
  readonly fromDir?: string;
  readonly forkOf?: GitLabProject;
  readonly objectFormat?: 'sha1' | 'sha256';
}

/** A person or bot to be made. */
export interface NewUser {
  readonly username: string;
  readonly name?: string;
  readonly bot?: boolean;
}

/** A webhook to be configured. */
export interface NewWebhook {
  readonly url: string;
  readonly secretToken?: string;
  /** `whsec_…` */
  readonly signingToken?: string;
  readonly events?: readonly GitLabHookEvent[];
}

/**
 * A running fake GitLab and all that a test or the demo does to it from the other side: people who push, comment and
 * approve. Merge requests are named by their iid; `project` is only needed where there is more than one.
 */
export class FakeGitLab implements AsyncDisposable {
  readonly url: string;
  /** The token of `bot`. */
  readonly token: string;
  /** A bot user; it is a Developer in every project made here. */
  readonly bot: GitLabUser;
  readonly faults: FaultList;
  /** What vouches for its certificate; null without TLS. */
  readonly caPem: string | null;
  readonly #parts: FakeGitLabParts;
  readonly #world: GitLabWorld;

  constructor(parts: FakeGitLabParts) {
    this.#parts = parts;
    this.#world = parts.world;
    this.url = parts.world.url;
    this.faults = parts.faults;
    this.caPem = parts.caPem;
    this.bot = this.createUser({ username: 'drydock-bot', name: 'Drydock', bot: true });
    this.token = this.createToken(this.bot);
  }

  /** What clients asked for that GitLab does not have or would have ignored. */
  get violations(): readonly GitLabViolation[] {
    return this.#world.violations;
  }

  /** What bodies of comments set off, in order. */
  get effects(): readonly GitLabEffect[] {
    return this.#world.effects;
  }

  /** Requests in order of their arrival, without tokens. */
  get requests(): readonly RequestLogEntry[] {
    return this.#parts.http.requests;
  }

  /** Calls of webhooks. */
  get deliveries(): readonly WebhookDelivery[] {
    return this.#world.webhooks.deliveries;
  }

  createUser({ username, name = username, bot = false }: NewUser): GitLabUser {
    const user: GitLabUser = { id: this.#world.nextId(), username, name, bot, state: 'active' };
    this.#world.users.push(user);
    return user;
  }

  /** A fresh access token, with the scopes of a full one unless told. */
  createToken(user: GitLabUser, scopes: readonly string[] = ['api', 'read_repository']): string {
    const value = `glpat-${randomBytes(15).toString('base64url')}`;
    this.#world.tokens.push({ value, userId: user.id, scopes, state: 'active' });
    return value;
  }

  /** Ends a token's life. */
  endToken(value: string, state: 'revoked' | 'expired' = 'revoked'): void {
    for (const token of this.#world.tokens) if (token.value === value) token.state = state;
  }

  /** Makes a project in which the bot is a Developer. */
  async createProject(spec: NewProject): Promise<GitLabProject> {
    const world = this.#world;
    const id = world.nextId();
    const defaultBranch = spec.defaultBranch ?? spec.forkOf?.defaultBranch ?? 'main';
    const dir = join(this.#parts.dir, `${id}.git`);
    await mkdir(dir);
    const repository = await GitRepository.create(dir, defaultBranch, spec.objectFormat);
    const sourceDir = spec.fromDir ?? spec.forkOf?.repository.dir;
    if (sourceDir !== undefined) await repository.copyFrom(sourceDir);
    if (spec.files !== undefined) {
      const first = { files: spec.files, message: 'Start', dateMs: world.nowMs() };
      await repository.setRef(`refs/heads/${defaultBranch}`, await repository.commit(null, first));
    }
    const project: GitLabProject = {
      id,
      name: spec.path.split('/').at(-1) ?? spec.path,
      pathWithNamespace: spec.path,
      visibility: spec.visibility ?? 'private',
      defaultBranch,
      repository,
      members: new Map([[this.bot.id, accessLevels.developer]]),
      labels: [],
      mergeRequests: [],
      statuses: [],
      webhooks: [],
      forkedFromId: spec.forkOf?.id ?? null,
    };
    world.groups.add(spec.path.split('/').slice(0, -1).join('/'));
    world.projects.push(project);
    return project;
  }

  /** Gives someone a role, or takes it away. */
  setRole(project: GitLabProject, user: GitLabUser, role: GitLabRole | null): void {
    if (role === null) project.members.delete(user.id);
    else project.members.set(user.id, accessLevels[role]);
  }

  async openMergeRequest(open: OpenMergeRequest): Promise<GitLabMergeRequest> {
    return await openMergeRequest(this.#world, open);
  }

  /**
   * Commits on top of a branch and pushes it; gives the new tip. With `from` the branch starts there instead: a forced
   * push where it exists.
   */
  async push(
    project: GitLabProject,
    branch: string,
    commits: GitLabFileChanges | readonly GitLabCommit[],
    options: { readonly by?: GitLabUser; readonly from?: string } = {},
  ): Promise<string> {
    const specs = isCommitList(commits) ? commits : [{ files: commits }];
    const { by = this.bot, ...rest } = options;
    return await commitToBranch(this.#world, { project, branch, commits: specs, by, ...rest });
  }

  /** Removes a branch, as people do once it is merged. */
  async deleteBranch(project: GitLabProject, branch: string, by: GitLabUser = this.bot): Promise<void> {
    await deleteBranch(this.#world, { project, branch, by });
  }

  /** Fetches a branch of a repository on this machine and pushes it. */
  async pushFrom(project: GitLabProject, dir: string, branch: string, by: GitLabUser = this.bot): Promise<string> {
    const ref = 'refs/keep-around/incoming';
    await project.repository.fetch(dir, [`+refs/heads/${branch}:${ref}`]);
    const sha = (await project.repository.resolve(ref)) ?? '';
    await pushBranch(this.#world, { project, branch, sha, by });
    return sha;
  }

  async updateMergeRequest(
    iid: number,
    update: MergeRequestUpdate,
    options: { readonly by?: GitLabUser; readonly project?: GitLabProject } = {},
  ): Promise<void> {
    const { by = this.bot, project } = options;
    await updateMergeRequest(this.#world, this.mergeRequest(iid, project), update, by);
  }

  /** A person writes; into a thread where one is named. Null: the body held only commands. */
  async comment(
    user: GitLabUser,
    iid: number,
    body: string,
    options: {
      readonly project?: GitLabProject;
      readonly discussionId?: string;
      readonly position?: DiffPosition;
    } = {},
  ): Promise<GitLabNote | null> {
    const mergeRequest = this.mergeRequest(iid, options.project);
    const discussion = mergeRequest.discussions.find((candidate) => candidate.id === options.discussionId) ?? null;
    const position = options.position ?? null;
    const written = await createNote(this.#world, { mergeRequest, author: user, body, discussion, position });
    return written.kind === 'note' ? written.note : null;
  }

  /** A person resolves a thread, or opens it again. */
  async resolve(
    user: GitLabUser,
    iid: number,
    discussionId: string,
    options: { readonly resolved?: boolean; readonly project?: GitLabProject } = {},
  ): Promise<void> {
    const mergeRequest = this.mergeRequest(iid, options.project);
    const discussion = mergeRequest.discussions.find((candidate) => candidate.id === discussionId);
    if (discussion === undefined) throw new Error(`no discussion ${discussionId}`);
    await resolveDiscussion(this.#world, mergeRequest, discussion, options.resolved ?? true, user);
  }

  /** A person deletes a note. */
  deleteNote(iid: number, noteId: number, project?: GitLabProject): void {
    const note = this.notes(iid, project).find((candidate) => candidate.id === noteId);
    if (note === undefined) throw new Error(`no note ${noteId}`);
    deleteNote(this.mergeRequest(iid, project), note);
  }

  /** A person approves. */
  async approve(user: GitLabUser, iid: number, project?: GitLabProject): Promise<void> {
    await approve(this.#world, this.mergeRequest(iid, project), user);
  }

  addWebhook(spec: NewWebhook, project: GitLabProject = this.project()): GitLabWebhook {
    const webhook: GitLabWebhook = {
      id: this.#world.nextId(),
      uuid: this.#world.nextUuid(),
      url: spec.url,
      secretToken: spec.secretToken ?? null,
      signingToken: spec.signingToken ?? null,
      events: spec.events ?? ['merge_requests_events', 'note_events', 'push_events'],
      disabled: null,
    };
    project.webhooks.push(webhook);
    return webhook;
  }

  /** GitLab stops sending to a webhook that failed too often: until a time, or (null) until a person acts. */
  disableWebhook(webhook: GitLabWebhook, untilMs: number | null): void {
    webhook.disabled = { untilMs };
  }

  /** Waits until every webhook call has ended. */
  async deliveriesSettled(): Promise<void> {
    await this.#world.webhooks.settled();
  }

  /** Sends a logged delivery again under its own key. */
  resend(deliveryId: number): WebhookDelivery {
    return this.#world.webhooks.resend(deliveryId);
  }

  /** A project by its path; without one the first. */
  project(path?: string): GitLabProject {
    const project = this.#world.projects.find(
      (candidate) => candidate.pathWithNamespace === (path ?? candidate.pathWithNamespace),
    );
    if (project === undefined) throw new Error('the fake GitLab has no such project');
    return project;
  }

  mergeRequest(iid: number, project: GitLabProject = this.project()): GitLabMergeRequest {
    return this.#world.mergeRequest(project.id, iid);
  }

  /** The commits that a position on its newest version names, prepared or not. */
  diffRefs(iid: number, project?: GitLabProject): PositionRefs {
    const version = this.mergeRequest(iid, project).versions.at(-1);
    if (version === undefined) throw new Error(`merge request ${iid} has no version`);
    return refsOf(version);
  }

  isDraft(iid: number, project?: GitLabProject): boolean {
    return isDraftTitle(this.mergeRequest(iid, project).title);
  }

  /** Threads that people and bots opened, oldest first; notes that stand alone and system notes are not among them. */
  discussions(iid: number, project?: GitLabProject): readonly GitLabDiscussion[] {
    return this.mergeRequest(iid, project).discussions.filter((discussion) => !discussion.isIndividual);
  }

  /** Every note that people and bots wrote, in threads or alone, oldest first. */
  notes(iid: number, project?: GitLabProject): readonly GitLabNote[] {
    const { discussions } = this.mergeRequest(iid, project);
    const notes = discussions.flatMap((discussion) => discussion.notes).filter((note) => !note.system);
    return notes.sort((left, right) => left.id - right.id);
  }

  /** What GitLab wrote by itself. */
  systemNotes(iid: number, project?: GitLabProject): readonly GitLabNote[] {
    const { discussions } = this.mergeRequest(iid, project);
    return discussions.flatMap((discussion) => discussion.notes).filter((note) => note.system);
  }

  draftNotes(iid: number, project?: GitLabProject): readonly GitLabDraftNote[] {
    return this.mergeRequest(iid, project).drafts;
  }

  /** Who approved. */
  approvals(iid: number, project?: GitLabProject): readonly GitLabUser[] {
    return this.mergeRequest(iid, project).approvedBy.map((approval) => this.#world.user(approval.userId));
  }

  /** Commit statuses, oldest first. */
  statuses(sha: string, project: GitLabProject = this.project()): readonly GitLabCommitStatus[] {
    return project.statuses.filter((status) => status.sha === sha);
  }

  /** Whether GitLab would take a note at this position, and on which line it would stand. */
  async checkPosition(iid: number, position: DiffPosition, project?: GitLabProject): Promise<PositionCheck> {
    return await checkNotePosition(this.#world, this.mergeRequest(iid, project), position);
  }

  /** What the file of a note becomes when a person applies its suggestion; throws where GitLab offers no such button. */
  async applySuggestion(noteId: number, index = 0): Promise<AppliedSuggestion> {
    for (const project of this.#world.projects) {
      for (const mergeRequest of project.mergeRequests) {
        const note = this.notes(mergeRequest.iid, project).find((candidate) => candidate.id === noteId);
        if (note === undefined) continue;
        const fence = parseSuggestions(note.body)[index];
        if (fence === undefined) throw new Error(`note ${noteId} has no suggestion ${index}`);
        const headSha = mergeRequest.versions.at(-1)?.headSha ?? '';
        const file = await project.repository.readFile(headSha, note.position?.new_path ?? '');
        return applySuggestion(note, fence, file?.toString('utf8') ?? '');
      }
    }
    throw new Error(`no note ${noteId}`);
  }

  /** Stops it; throws when clients broke its rules, unless that was allowed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.stop();
    if (this.#parts.allowViolations || this.violations.length === 0) return;
    const lines = this.violations.map(({ method, path, what }) => `${method} ${path}: ${what}`);
    throw new Error(`the fake GitLab was used wrongly:\n${lines.join('\n')}`);
  }
}

function isCommitList(commits: GitLabFileChanges | readonly GitLabCommit[]): commits is readonly GitLabCommit[] {
  return Array.isArray(commits);
}
