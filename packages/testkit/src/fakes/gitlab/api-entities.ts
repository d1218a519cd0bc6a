/** GitLab's records as its REST API shows them. */
import type { DiffPosition } from './check-position.ts';
import type {
  GitLabAward,
  GitLabCommitStatus,
  GitLabDiscussion,
  GitLabDraftNote,
  GitLabMergeRequest,
  GitLabNote,
  GitLabProject,
  GitLabUser,
  GitLabVersion,
} from './gitlab-state.ts';
import { apiTime, isDraftTitle, type GitLabWorld } from './gitlab-world.ts';
import { isResolvable, isResolved } from './note-actions.ts';
import type { DiffFile } from './version-diff.ts';

type Entity = Readonly<Record<string, unknown>>;

/** A user as others see them. */
export function userEntity(world: GitLabWorld, user: GitLabUser): Entity {
  const { id, username, name, state } = user;
  const webUrl = `${world.url}/${username}`;
  return { id, username, public_email: null, name, state, locked: false, avatar_url: null, web_url: webUrl };
}

/** The signed-in user. */
export function currentUserEntity(world: GitLabWorld, user: GitLabUser): Entity {
  return {
    ...userEntity(world, user),
    created_at: '2025-01-01T00:00:00.000Z',
    bio: '',
    bot: user.bot,
    email: `${user.username}@example.com`,
    is_admin: false,
    can_create_group: false,
    can_create_project: false,
  };
}

/** A project. */
export function projectEntity(world: GitLabWorld, project: GitLabProject): Entity {
  const namespace = project.pathWithNamespace.split('/').slice(0, -1).join('/');
  const webUrl = `${world.url}/${project.pathWithNamespace}`;
  return {
    id: project.id,
    description: null,
    name: project.name,
    name_with_namespace: `${namespace} / ${project.name}`,
    path: project.pathWithNamespace.split('/').at(-1),
    path_with_namespace: project.pathWithNamespace,
    created_at: '2025-01-01T00:00:00.000Z',
    default_branch: project.defaultBranch,
    ssh_url_to_repo: `git@${new URL(world.url).hostname}:${project.pathWithNamespace}.git`,
    http_url_to_repo: `${webUrl}.git`,
    web_url: webUrl,
    namespace: { id: 1, name: namespace, path: namespace, kind: 'group', full_path: namespace, parent_id: null },
    visibility: project.visibility,
    archived: false,
    merge_requests_enabled: true,
    ...(project.forkedFromId === null ? {} : { forked_from_project: { id: project.forkedFromId } }),
  };
}

/** A commit. */
export function commitEntity(
  world: GitLabWorld,
  project: GitLabProject,
  id: string,
  commit: {
    readonly message: string;
    readonly authorName: string;
    readonly authorEmail: string;
    readonly dateMs: number;
  },
): Entity {
  const { message, authorName, authorEmail } = commit;
  const time = apiTime(commit.dateMs);
  return {
    id,
    short_id: id.slice(0, 8),
    created_at: time,
    title: message.split('\n')[0] ?? '',
    message,
    author_name: authorName,
    author_email: authorEmail,
    authored_date: time,
    committer_name: authorName,
    committer_email: authorEmail,
    committed_date: time,
    trailers: {},
    web_url: `${world.url}/${project.pathWithNamespace}/-/commit/${id}`,
    status: null,
    project_id: project.id,
    last_pipeline: null,
  };
}

/** A merge request; `isSingle` adds what lists leave out. */
export function mergeRequestEntity(world: GitLabWorld, mergeRequest: GitLabMergeRequest, isSingle: boolean): Entity {
  const project = world.project(mergeRequest.projectId);
  const version = world.shownVersion(mergeRequest);
  const people = (ids: readonly number[]) => ids.map((id) => userEntity(world, world.user(id)));
  const isDraft = isDraftTitle(mergeRequest.title);
  const hasOpenThreads = mergeRequest.discussions.some(
    (thread) => thread.notes.some(isResolvable) && !isResolved(thread),
  );
  return {
    id: mergeRequest.id,
    iid: mergeRequest.iid,
    project_id: mergeRequest.projectId,
    title: mergeRequest.title,
    description: mergeRequest.description,
    state: mergeRequest.state,
    created_at: apiTime(mergeRequest.createdAtMs),
    updated_at: apiTime(mergeRequest.updatedAtMs),
    merged_by: mergeRequest.mergedById === null ? null : userEntity(world, world.user(mergeRequest.mergedById)),
    merge_user: mergeRequest.mergedById === null ? null : userEntity(world, world.user(mergeRequest.mergedById)),
    merged_at: mergeRequest.state === 'merged' ? apiTime(mergeRequest.updatedAtMs) : null,
    closed_by: null,
    closed_at: mergeRequest.state === 'closed' ? apiTime(mergeRequest.updatedAtMs) : null,
    target_branch: mergeRequest.targetBranch,
    source_branch: mergeRequest.sourceBranch,
    user_notes_count: mergeRequest.discussions.flatMap((thread) => thread.notes).filter((note) => !note.system).length,
    upvotes: 0,
    downvotes: 0,
    author: userEntity(world, world.user(mergeRequest.authorId)),
    assignees: people(mergeRequest.assigneeIds),
    assignee: people(mergeRequest.assigneeIds)[0] ?? null,
    reviewers: people(mergeRequest.reviewerIds),
    source_project_id: mergeRequest.sourceProjectId,
    target_project_id: mergeRequest.projectId,
    labels: mergeRequest.labels.map((label) => label.title),
    draft: isDraft,
    imported: false,
    imported_from: 'none',
    work_in_progress: isDraft,
    milestone: null,
    merge_when_pipeline_succeeds: false,
    merge_status: version === null ? 'preparing' : 'can_be_merged',
    detailed_merge_status: mergeStatus(mergeRequest, version, hasOpenThreads),
    merge_after: null,
    sha: (version ?? mergeRequest.versions.at(-1))?.headSha ?? null,
    merge_commit_sha: mergeRequest.mergeCommitSha,
    squash_commit_sha: null,
    discussion_locked: mergeRequest.isDiscussionLocked ? true : null,
    should_remove_source_branch: null,
    force_remove_source_branch: false,
    prepared_at: version === null ? null : apiTime(version.visibleAtMs),
    reference: `!${mergeRequest.iid}`,
    references: {
      short: `!${mergeRequest.iid}`,
      relative: `!${mergeRequest.iid}`,
      full: `${project.pathWithNamespace}!${mergeRequest.iid}`,
    },
    web_url: `${world.url}/${project.pathWithNamespace}/-/merge_requests/${mergeRequest.iid}`,
    time_stats: { time_estimate: 0, total_time_spent: 0, human_time_estimate: null, human_total_time_spent: null },
    squash: false,
    squash_on_merge: false,
    task_completion_status: { count: 0, completed_count: 0 },
    has_conflicts: false,
    blocking_discussions_resolved: !hasOpenThreads,
    approvals_before_merge: null,
    ...(isSingle ? singleFields(world, mergeRequest, version) : {}),
  };
}

function singleFields(world: GitLabWorld, mergeRequest: GitLabMergeRequest, version: GitLabVersion | null): Entity {
  return {
    subscribed: false,
    changes_count: version === null ? null : String(version.realSize),
    latest_build_started_at: null,
    latest_build_finished_at: null,
    first_deployed_to_production_at: null,
    pipeline: null,
    head_pipeline: null,
    // Null for a moment after creation: GitLab makes the first diff in the background.
    diff_refs:
      version === null ? null : { base_sha: version.baseSha, head_sha: version.headSha, start_sha: version.startSha },
    merge_error: null,
    first_contribution: false,
    user: { can_merge: world.project(mergeRequest.projectId).members.size > 0 },
  };
}

function mergeStatus(mergeRequest: GitLabMergeRequest, version: GitLabVersion | null, hasOpenThreads: boolean): string {
  if (version === null) return 'preparing';
  if (mergeRequest.state !== 'opened') return 'not_open';
  if (isDraftTitle(mergeRequest.title)) return 'draft_status';
  return hasOpenThreads ? 'discussions_not_resolved' : 'mergeable';
}

/** A version in a list. */
export function versionEntity(mergeRequest: GitLabMergeRequest, version: GitLabVersion): Entity {
  return {
    id: version.id,
    head_commit_sha: version.headSha,
    base_commit_sha: version.baseSha,
    start_commit_sha: version.startSha,
    created_at: apiTime(version.createdAtMs),
    merge_request_id: mergeRequest.id,
    state: version.state,
    real_size: String(version.realSize),
    patch_id_sha: null,
  };
}

/** A file of a diff. */
export function diffEntity(file: DiffFile): Entity {
  return {
    diff: file.patch,
    collapsed: false,
    too_large: file.isTooLarge,
    new_path: file.newPath,
    old_path: file.oldPath,
    a_mode: file.isNew ? '0' : file.oldMode,
    b_mode: file.isDeleted ? '0' : file.newMode,
    new_file: file.isNew,
    renamed_file: file.isRenamed,
    deleted_file: file.isDeleted,
    generated_file: false,
  };
}

/** A position with every field of its type. */
function positionEntity(position: DiffPosition): Entity {
  const { base_sha, start_sha, head_sha, old_path, new_path, position_type } = position;
  const common = {
    base_sha,
    start_sha,
    head_sha,
    old_path: old_path ?? null,
    new_path: new_path ?? null,
    position_type,
  };
  if (position_type === 'file') return common;
  if (position_type === 'image') {
    const { width, height, x, y } = position;
    return { ...common, width: width ?? null, height: height ?? null, x: x ?? null, y: y ?? null };
  }
  return {
    ...common,
    old_line: position.old_line ?? null,
    new_line: position.new_line ?? null,
    line_range: position.line_range ?? null,
  };
}

/** A comment. */
export function noteEntity(world: GitLabWorld, note: GitLabNote): Entity {
  const mergeRequest = world.mergeRequest(note.projectId, note.mergeRequestIid);
  const canResolve = isResolvable(note);
  const resolvedBy = note.resolvedById === null ? null : userEntity(world, world.user(note.resolvedById));
  return {
    id: note.id,
    type: note.type,
    body: note.body,
    author: userEntity(world, world.user(note.authorId)),
    created_at: apiTime(note.createdAtMs),
    updated_at: apiTime(note.updatedAtMs),
    system: note.system,
    noteable_id: mergeRequest.id,
    noteable_type: 'MergeRequest',
    project_id: note.projectId,
    ...(note.type === 'DiffNote' ? { commit_id: null, position: note.position && positionEntity(note.position) } : {}),
    resolvable: canResolve,
    ...(canResolve
      ? {
          resolved: note.resolvedById !== null,
          resolved_by: resolvedBy,
          resolved_at: note.resolvedAtMs === null ? null : apiTime(note.resolvedAtMs),
          suggestions: [],
        }
      : {}),
    confidential: note.internal,
    internal: note.internal,
    imported: false,
    imported_from: 'none',
    noteable_iid: note.mergeRequestIid,
    commands_changes: {},
  };
}

/** A thread. */
export function discussionEntity(world: GitLabWorld, discussion: GitLabDiscussion): Entity {
  return {
    id: discussion.id,
    individual_note: discussion.isIndividual,
    notes: discussion.notes.map((note) => noteEntity(world, note)),
  };
}

/** A comment that is not published yet. */
export function draftEntity(mergeRequest: GitLabMergeRequest, draft: GitLabDraftNote): Entity {
  const { base_sha, start_sha, head_sha, old_path, new_path, position_type, old_line, new_line, line_range } =
    draft.position ?? { base_sha: null, start_sha: null, head_sha: null, position_type: 'text' };
  return {
    id: draft.id,
    author_id: draft.authorId,
    merge_request_id: mergeRequest.id,
    resolve_discussion: draft.resolveDiscussion,
    discussion_id: draft.discussionId,
    note: draft.note,
    commit_id: draft.commitId,
    line_code: null,
    position: {
      base_sha,
      start_sha,
      head_sha,
      old_path: old_path ?? null,
      new_path: new_path ?? null,
      position_type,
      old_line: old_line ?? null,
      new_line: new_line ?? null,
      line_range: line_range ?? null,
    },
  };
}

/** Who approved. */
export function approvalsEntity(world: GitLabWorld, mergeRequest: GitLabMergeRequest, user: GitLabUser | null): Entity {
  const hasApproved = mergeRequest.approvedBy.some((approval) => approval.userId === user?.id);
  return {
    id: mergeRequest.id,
    iid: mergeRequest.iid,
    project_id: mergeRequest.projectId,
    title: mergeRequest.title,
    description: mergeRequest.description,
    state: mergeRequest.state,
    created_at: apiTime(mergeRequest.createdAtMs),
    updated_at: apiTime(mergeRequest.updatedAtMs),
    merge_status: 'can_be_merged',
    // Without rules a project counts as approved from the start.
    approved: true,
    approvals_required: 0,
    approvals_left: 0,
    require_password_to_approve: false,
    approved_by: mergeRequest.approvedBy.map((approval) => ({
      user: userEntity(world, world.user(approval.userId)),
      approved_at: apiTime(approval.atMs),
    })),
    suggested_approvers: [],
    user_has_approved: hasApproved,
    user_can_approve: !hasApproved && user !== null && user.id !== mergeRequest.authorId,
  };
}

/** A commit status. */
export function statusEntity(world: GitLabWorld, status: GitLabCommitStatus): Entity {
  const isFinished = ['success', 'failed', 'canceled', 'skipped'].includes(status.status);
  return {
    id: status.id,
    sha: status.sha,
    ref: status.ref,
    status: status.status,
    name: status.name,
    target_url: status.targetUrl,
    description: status.description,
    created_at: apiTime(status.createdAtMs),
    started_at: status.status === 'pending' ? null : apiTime(status.createdAtMs),
    finished_at: isFinished ? apiTime(status.createdAtMs) : null,
    allow_failure: false,
    coverage: status.coverage,
    pipeline_id: 1,
    author: userEntity(world, world.user(status.authorId)),
  };
}

/** An emoji reaction. */
export function awardEntity(
  world: GitLabWorld,
  award: GitLabAward,
  on: { readonly id: number; readonly type: string },
): Entity {
  return {
    id: award.id,
    name: award.name,
    user: userEntity(world, world.user(award.userId)),
    created_at: apiTime(award.createdAtMs),
    updated_at: apiTime(award.createdAtMs),
    awardable_id: on.id,
    awardable_type: on.type,
    url: null,
  };
}
