/**
 * Bodies of GitLab's webhooks. Every fact has a default, so that a test names only what it is about.
 * @see https://docs.gitlab.com/user/project/integrations/webhook_events/
 */

/** JSON of any shape, as a body is before it is sent. */
export type HookBody = Readonly<Record<string, unknown>>;

/** A person in a webhook. */
export interface HookUser {
  readonly id: number;
  readonly username: string;
  readonly name: string;
}

/** A project in a webhook. */
export interface HookProject {
  readonly id: number;
  readonly name: string;
  readonly pathWithNamespace: string;
  /** Address of the instance, without a slash at its end. */
  readonly instanceUrl: string;
  readonly defaultBranch: string;
  readonly visibilityLevel: 0 | 10 | 20;
}

/** The newest commit of a branch in a webhook. */
export interface HookCommit {
  readonly id: string;
  readonly message: string;
  readonly authorName: string;
  readonly authorEmail: string;
  readonly dateMs: number;
}

/** A merge request in a webhook. */
export interface HookMergeRequest {
  readonly id: number;
  readonly iid: number;
  readonly title: string;
  readonly description: string;
  readonly state: string;
  readonly draft: boolean;
  readonly sourceBranch: string;
  readonly targetBranch: string;
  readonly sourceProjectId: number;
  readonly authorId: number;
  readonly assigneeIds: readonly number[];
  readonly reviewers: readonly HookUser[];
  readonly labels: readonly { readonly id: number; readonly title: string; readonly color: string }[];
  readonly lastCommit: HookCommit;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly detailedMergeStatus: string;
  readonly mergeCommitSha: string | null;
}

/** A comment in a webhook. */
export interface HookNote {
  readonly id: number;
  readonly body: string;
  readonly authorId: number;
  readonly discussionId: string;
  readonly type: string | null;
  readonly system: boolean;
  readonly internal: boolean;
  readonly lineCode: string | null;
  readonly position: HookBody | null;
  readonly originalPosition: HookBody | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly resolvedAtMs: number | null;
  readonly resolvedById: number | null;
}

const defaultUser: HookUser = { id: 42, username: 'dana', name: 'Dana Doe' };
const defaultProject: HookProject = {
  id: 7,
  name: 'shop',
  pathWithNamespace: 'acme/shop',
  instanceUrl: 'http://gitlab.example.com',
  defaultBranch: 'main',
  visibilityLevel: 0,
};
const defaultCommit: HookCommit = {
  id: '4f1d6e2a9b0c3d5e7f8091a2b3c4d5e6f7081920',
  message: 'Round prices half up\n',
  authorName: 'Dana Doe',
  authorEmail: 'dana@example.com',
  dateMs: 1_760_000_000_000,
};
const defaultMergeRequest: HookMergeRequest = {
  id: 901,
  iid: 1,
  title: 'Round prices half up',
  description: 'See the ticket.',
  state: 'opened',
  draft: false,
  sourceBranch: 'feature',
  targetBranch: 'main',
  sourceProjectId: 7,
  authorId: 42,
  assigneeIds: [],
  reviewers: [],
  labels: [],
  lastCommit: defaultCommit,
  createdAtMs: 1_760_000_000_000,
  updatedAtMs: 1_760_000_060_000,
  detailedMergeStatus: 'mergeable',
  mergeCommitSha: null,
};
const defaultNote: HookNote = {
  id: 1244,
  body: 'Looks good.',
  authorId: 42,
  discussionId: '6a9c1750b37d513a43987b574953fceb50b03ce7',
  type: null,
  system: false,
  internal: false,
  lineCode: null,
  position: null,
  originalPosition: null,
  createdAtMs: 1_760_000_000_000,
  updatedAtMs: 1_760_000_000_000,
  resolvedAtMs: null,
  resolvedById: null,
};

/** `Merge Request Hook`. `oldrev` is there only after a push; `changes` may be empty. */
export function mergeRequestHook(
  facts: {
    readonly action?: string;
    readonly oldrev?: string | null;
    readonly changes?: HookBody;
    readonly user?: Partial<HookUser>;
    readonly project?: Partial<HookProject>;
    readonly mergeRequest?: Partial<HookMergeRequest>;
    /** `system` and `system_action`: what GitLab did by itself after a push. */
    readonly systemAction?: string;
  } = {},
): HookBody {
  const project = { ...defaultProject, ...facts.project };
  const mergeRequest = { ...defaultMergeRequest, ...facts.mergeRequest };
  return {
    object_kind: 'merge_request',
    event_type: 'merge_request',
    user: hookUser({ ...defaultUser, ...facts.user }),
    project: hookProject(project),
    object_attributes: {
      ...mergeRequestAttributes(mergeRequest, project),
      action: facts.action ?? 'open',
      ...(typeof facts.oldrev === 'string' ? { oldrev: facts.oldrev } : {}),
      ...(facts.systemAction === undefined ? {} : { system: true, system_action: facts.systemAction }),
    },
    labels: mergeRequest.labels.map((label) => hookLabel(label, project.id)),
    changes: facts.changes ?? {},
    repository: hookRepository(project),
    ...(mergeRequest.reviewers.length === 0 ? {} : { reviewers: mergeRequest.reviewers.map(hookUser) }),
  };
}

/** `Note Hook` on a merge request. */
export function noteHook(
  facts: {
    readonly action?: 'create' | 'update';
    readonly user?: Partial<HookUser>;
    readonly project?: Partial<HookProject>;
    readonly mergeRequest?: Partial<HookMergeRequest>;
    readonly note?: Partial<HookNote>;
  } = {},
): HookBody {
  const project = { ...defaultProject, ...facts.project };
  const mergeRequest = { ...defaultMergeRequest, ...facts.mergeRequest };
  const note = { ...defaultNote, ...facts.note };
  return {
    object_kind: 'note',
    event_type: note.internal ? 'confidential_note' : 'note',
    user: hookUser({ ...defaultUser, ...facts.user }),
    project_id: project.id,
    project: hookProject(project),
    object_attributes: {
      attachment: null,
      author_id: note.authorId,
      change_position: null,
      commit_id: null,
      created_at: hookTime(note.createdAtMs),
      discussion_id: note.discussionId,
      id: note.id,
      internal: note.internal,
      line_code: note.lineCode,
      note: note.body,
      noteable_id: mergeRequest.id,
      noteable_type: 'MergeRequest',
      original_position: note.originalPosition,
      position: note.position,
      project_id: project.id,
      resolved_at: note.resolvedAtMs === null ? null : hookTime(note.resolvedAtMs),
      resolved_by_id: note.resolvedById,
      resolved_by_push: null,
      st_diff: null,
      system: note.system,
      type: note.type,
      updated_at: hookTime(note.updatedAtMs),
      updated_by_id: null,
      description: note.body,
      url: `${mergeRequestUrl(project, mergeRequest.iid)}#note_${note.id}`,
      action: facts.action ?? 'create',
    },
    repository: hookRepository(project),
    merge_request: mergeRequestAttributes(mergeRequest, project),
  };
}

/** `Push Hook`. A branch that is made or removed has 40 zeros before or after. */
export function pushHook(
  facts: {
    readonly ref?: string;
    readonly before?: string;
    readonly after?: string;
    readonly user?: Partial<HookUser>;
    readonly project?: Partial<HookProject>;
    /** Newest first; only 20 are sent. */
    readonly commits?: readonly HookCommit[];
  } = {},
): HookBody {
  const project = { ...defaultProject, ...facts.project };
  const user = { ...defaultUser, ...facts.user };
  const commits = facts.commits ?? [defaultCommit];
  const after = facts.after ?? defaultCommit.id;
  return {
    object_kind: 'push',
    event_name: 'push',
    before: facts.before ?? '95790bf891e76fee5e1747ab589903a6a1f80f22',
    after,
    ref: facts.ref ?? 'refs/heads/feature',
    ref_protected: false,
    checkout_sha: /^0+$/.test(after) ? null : after,
    message: null,
    user_id: user.id,
    user_name: user.name,
    user_username: user.username,
    user_email: '',
    user_avatar: null,
    project_id: project.id,
    project: hookProject(project),
    commits: commits.slice(0, 20).map((commit) => hookCommit(commit, project)),
    total_commits_count: commits.length,
    push_options: {},
    repository: { ...hookRepository(project), visibility_level: project.visibilityLevel },
  };
}

function mergeRequestAttributes(mergeRequest: HookMergeRequest, project: HookProject): HookBody {
  return {
    assignee_id: mergeRequest.assigneeIds[0] ?? null,
    assignee_ids: mergeRequest.assigneeIds,
    author_id: mergeRequest.authorId,
    blocking_discussions_resolved: true,
    created_at: hookTime(mergeRequest.createdAtMs),
    description: mergeRequest.description,
    detailed_merge_status: mergeRequest.detailedMergeStatus,
    draft: mergeRequest.draft,
    first_contribution: false,
    head_pipeline_id: null,
    id: mergeRequest.id,
    iid: mergeRequest.iid,
    labels: mergeRequest.labels.map((label) => hookLabel(label, project.id)),
    last_commit: hookCommit(mergeRequest.lastCommit, project),
    last_edited_at: null,
    last_edited_by_id: null,
    merge_commit_sha: mergeRequest.mergeCommitSha,
    merge_error: null,
    merge_params: { force_remove_source_branch: '0' },
    merge_status: mergeRequest.detailedMergeStatus === 'mergeable' ? 'can_be_merged' : 'unchecked',
    merge_user_id: null,
    merge_when_pipeline_succeeds: false,
    milestone_id: null,
    reviewer_ids: mergeRequest.reviewers.map((reviewer) => reviewer.id),
    source: hookProject(project),
    source_branch: mergeRequest.sourceBranch,
    source_project_id: mergeRequest.sourceProjectId,
    state: mergeRequest.state,
    state_id: { opened: 1, closed: 2, merged: 3, locked: 4 }[mergeRequest.state] ?? 1,
    target: hookProject(project),
    target_branch: mergeRequest.targetBranch,
    target_project_id: project.id,
    time_estimate: 0,
    title: mergeRequest.title,
    total_time_spent: 0,
    updated_at: hookTime(mergeRequest.updatedAtMs),
    updated_by_id: null,
    url: mergeRequestUrl(project, mergeRequest.iid),
    work_in_progress: mergeRequest.draft,
  };
}

function hookUser(user: HookUser): HookBody {
  return { id: user.id, name: user.name, username: user.username, avatar_url: null, email: '[REDACTED]' };
}

function hookProject(project: HookProject): HookBody {
  const webUrl = `${project.instanceUrl}/${project.pathWithNamespace}`;
  const sshUrl = `git@${new URL(project.instanceUrl).hostname}:${project.pathWithNamespace}.git`;
  return {
    id: project.id,
    name: project.name,
    description: null,
    web_url: webUrl,
    avatar_url: null,
    git_ssh_url: sshUrl,
    git_http_url: `${webUrl}.git`,
    namespace: project.pathWithNamespace.split('/').slice(0, -1).join('/'),
    visibility_level: project.visibilityLevel,
    path_with_namespace: project.pathWithNamespace,
    default_branch: project.defaultBranch,
    ci_config_path: null,
    homepage: webUrl,
    url: sshUrl,
    ssh_url: sshUrl,
    http_url: `${webUrl}.git`,
  };
}

function hookRepository(project: HookProject): HookBody {
  const homepage = `${project.instanceUrl}/${project.pathWithNamespace}`;
  return { name: project.name, url: `${homepage}.git`, description: null, homepage };
}

function hookCommit(commit: HookCommit, project: HookProject): HookBody {
  return {
    id: commit.id,
    message: commit.message,
    title: commit.message.split('\n')[0] ?? '',
    timestamp: new Date(commit.dateMs).toISOString().replace('.000Z', '+00:00'),
    url: `${project.instanceUrl}/${project.pathWithNamespace}/-/commit/${commit.id}`,
    author: { name: commit.authorName, email: commit.authorEmail },
  };
}

/** A label in a webhook, also inside `changes`. */
export function hookLabel(
  label: { readonly id: number; readonly title: string; readonly color: string },
  projectId: number,
): HookBody {
  return {
    ...label,
    project_id: projectId,
    created_at: '2025-01-01 00:00:00 UTC',
    updated_at: '2025-01-01 00:00:00 UTC',
    template: false,
    description: null,
    type: 'ProjectLabel',
    group_id: null,
  };
}

function mergeRequestUrl(project: HookProject, iid: number): string {
  return `${project.instanceUrl}/${project.pathWithNamespace}/-/merge_requests/${iid}`;
}

/** A time as webhooks write it. */
export function hookTime(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}
