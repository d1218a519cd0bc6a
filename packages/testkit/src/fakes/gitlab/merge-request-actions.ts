/** How merge requests begin and grow: opening, pushing, versions. Each change gets its system note and its webhook. */
import type { DiffPosition, PositionRefs } from './check-position.ts';
import type { GitLabCommit } from './git-repository.ts';
import type {
  GitLabLabel,
  GitLabMergeRequest,
  GitLabNote,
  GitLabProject,
  GitLabUser,
  GitLabVersion,
} from './gitlab-state.ts';
import { isDraftTitle, type GitLabWorld } from './gitlab-world.ts';
import { tellMergeRequest, tellPush } from './hook-events.ts';
import { tracePosition } from './trace-position.ts';
import { hookTime, type HookBody } from './webhook-payloads.ts';

/** How a merge request begins. */
export interface OpenMergeRequest {
  readonly project: GitLabProject;
  /** Where the source branch is, when that is a fork. */
  readonly sourceProject?: GitLabProject;
  readonly sourceBranch: string;
  readonly targetBranch?: string;
  readonly title: string;
  readonly description?: string;
  readonly author: GitLabUser;
  readonly draft?: boolean;
  readonly labels?: readonly string[];
  readonly reviewers?: readonly GitLabUser[];
}

/** Opens a merge request and tells the webhooks. */
export async function openMergeRequest(world: GitLabWorld, open: OpenMergeRequest): Promise<GitLabMergeRequest> {
  const { project, author } = open;
  const sourceProject = open.sourceProject ?? project;
  const nowMs = world.nowMs();
  const mergeRequest: GitLabMergeRequest = {
    id: world.nextId(),
    iid: project.mergeRequests.length + 1,
    projectId: project.id,
    sourceProjectId: sourceProject.id,
    sourceBranch: open.sourceBranch,
    targetBranch: open.targetBranch ?? project.defaultBranch,
    title: open.draft === true && !isDraftTitle(open.title) ? `Draft: ${open.title}` : open.title,
    description: open.description ?? '',
    authorId: author.id,
    labels: findLabels(world, project, open.labels ?? []),
    assigneeIds: [],
    reviewerIds: (open.reviewers ?? []).map((reviewer) => reviewer.id),
    state: 'opened',
    isDiscussionLocked: false,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    mergeCommitSha: null,
    mergedById: null,
    versions: [],
    discussions: [],
    drafts: [],
    approvedBy: [],
    awards: [],
  };
  project.mergeRequests.push(mergeRequest);
  await addVersion(world, mergeRequest);
  await tellMergeRequest(world, mergeRequest, { action: 'open', by: author });
  return mergeRequest;
}

/** The labels of these titles, made where the project has none yet. */
export function findLabels(world: GitLabWorld, project: GitLabProject, titles: readonly string[]): GitLabLabel[] {
  return titles.map((title) => {
    const known = project.labels.find((label) => label.title === title);
    if (known !== undefined) return known;
    const label = { id: world.nextId(), title, color: '#428bca' };
    project.labels.push(label);
    return label;
  });
}

/** Reads the branches and makes the next version of the diff. */
async function addVersion(world: GitLabWorld, mergeRequest: GitLabMergeRequest): Promise<GitLabVersion> {
  const project = world.project(mergeRequest.projectId);
  const source = world.project(mergeRequest.sourceProjectId);
  const { repository } = project;
  const headRef = `refs/merge-requests/${mergeRequest.iid}/head`;
  if (source.id !== project.id) {
    await repository.fetch(source.repository.dir, [`+refs/heads/${mergeRequest.sourceBranch}:${headRef}`]);
  }
  const headSha = await (source.id === project.id
    ? repository.branchTip(mergeRequest.sourceBranch)
    : repository.resolve(headRef));
  const startSha = await repository.branchTip(mergeRequest.targetBranch);
  if (headSha === null || startSha === null) throw new Error('a merge request needs both of its branches');
  await repository.setRef(headRef, headSha);
  const baseSha = (await repository.mergeBase(startSha, headSha)) ?? startSha;
  const { files } = await repository.diff(baseSha, headSha, world.settings.maxPatchBytes);
  const nowMs = world.nowMs();
  const version: GitLabVersion = {
    id: world.nextId(),
    headSha,
    baseSha,
    startSha,
    createdAtMs: nowMs,
    visibleAtMs: nowMs + world.settings.diffRefsDelayMs,
    state: files.length === 0 ? 'empty' : 'collected',
    realSize: files.length,
    commitCount: (await repository.commitsBetween(startSha, headSha)).length,
  };
  mergeRequest.versions.push(version);
  mergeRequest.updatedAtMs = nowMs;
  return version;
}

/** The three commits of a version in the words of a position. */
export function refsOf(version: GitLabVersion): PositionRefs {
  return { base_sha: version.baseSha, start_sha: version.startSha, head_sha: version.headSha };
}

/** Commits on top of a branch (made from the default branch where there is none) and pushes it. */
export async function commitToBranch(
  world: GitLabWorld,
  push: {
    readonly project: GitLabProject;
    readonly branch: string;
    readonly commits: readonly GitLabCommit[];
    readonly by: GitLabUser;
    /** A commit or branch to start from instead: a force push where the branch exists. */
    readonly from?: string;
  },
): Promise<string> {
  const { repository, defaultBranch } = push.project;
  const from = push.from === undefined ? null : await repository.resolve(push.from);
  let tip = from ?? (await repository.branchTip(push.branch)) ?? (await repository.branchTip(defaultBranch));
  for (const [index, commit] of push.commits.entries()) {
    // Two commits of the same second, parent and content would be one commit.
    tip = await repository.commit(tip, { dateMs: world.nowMs() + index * 1000, ...commit });
  }
  if (tip === null) throw new Error('a push without commits to a branch that is not there');
  await pushBranch(world, { ...push, sha: tip });
  return tip;
}

/** Moves a branch, forward or by force, with all that follows for its merge requests. */
export async function pushBranch(
  world: GitLabWorld,
  push: { readonly project: GitLabProject; readonly branch: string; readonly sha: string; readonly by: GitLabUser },
): Promise<void> {
  const { project, branch, sha, by } = push;
  const ref = `refs/heads/${branch}`;
  const before = (await project.repository.branchTip(branch)) ?? '0'.repeat(sha.length);
  if (before === sha) return;
  await project.repository.setRef(ref, sha);
  await tellPush(world, project, { ref, before, after: sha, by });
  const affected = world.projects
    .flatMap((candidate) => candidate.mergeRequests)
    .filter((candidate) => candidate.sourceProjectId === project.id && candidate.sourceBranch === branch)
    .filter((candidate) => candidate.state === 'opened');
  for (const mergeRequest of affected) {
    await refreshVersion(world, mergeRequest, by);
    const commits = await world
      .project(mergeRequest.projectId)
      .repository.commitsBetween(before, sha)
      .catch(() => [sha]);
    addSystemNote(world, mergeRequest, by, `added ${commits.length} commit${commits.length === 1 ? '' : 's'}`);
    await tellMergeRequest(world, mergeRequest, {
      action: 'update',
      by,
      oldrev: before,
      changes: updatedAtChange(mergeRequest),
    });
  }
}

/** Removes a branch; merge requests from it keep their versions and their own ref. */
export async function deleteBranch(
  world: GitLabWorld,
  { project, branch, by }: { readonly project: GitLabProject; readonly branch: string; readonly by: GitLabUser },
): Promise<void> {
  const ref = `refs/heads/${branch}`;
  const before = await project.repository.branchTip(branch);
  if (before === null) return;
  await project.repository.setRef(ref, null);
  await tellPush(world, project, { ref, before, after: '0'.repeat(before.length), by });
}

function updatedAtChange(mergeRequest: GitLabMergeRequest): HookBody {
  const current = hookTime(mergeRequest.updatedAtMs);
  return { updated_at: { previous: current, current } };
}

/** A new version, and every active diff note followed to it. */
export async function refreshVersion(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  by: GitLabUser,
): Promise<void> {
  const before = mergeRequest.versions.at(-1);
  const after = await addVersion(world, mergeRequest);
  if (before === undefined) return;
  for (const discussion of mergeRequest.discussions) {
    const notes = discussion.notes.filter((note) => note.position?.head_sha === before.headSha && !note.isOutdated);
    let isOutdated = false;
    for (const note of notes) isOutdated = (await follow(world, mergeRequest, note, before, after)) || isOutdated;
    if (isOutdated)
      addSystemNote(
        world,
        mergeRequest,
        by,
        `changed this line in version ${mergeRequest.versions.length} of the diff`,
        discussion.id,
      );
  }
}

async function follow(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  note: GitLabNote,
  before: GitLabVersion,
  after: GitLabVersion,
): Promise<boolean> {
  if (note.position === null) return false;
  const traced = await traceTo(world, mergeRequest, note.position, before, after);
  if (traced === null) {
    note.isOutdated = true;
    return true;
  }
  note.position = traced;
  return false;
}

/** A position of one version in another one; null when its line is gone. */
export async function traceTo(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  position: DiffPosition,
  before: GitLabVersion,
  after: GitLabVersion,
): Promise<DiffPosition | null> {
  const { repository } = world.project(mergeRequest.projectId);
  const traced = tracePosition({
    position,
    newRefs: refsOf(after),
    baseToBase: await repository.diff(before.baseSha, after.baseSha, null),
    headToHead: await repository.diff(before.headSha, after.headSha, null),
    newVersion: await repository.diff(after.baseSha, after.headSha, world.settings.maxPatchBytes),
  });
  return traced.kind === 'moved' ? traced.position : null;
}

/** What GitLab itself writes into the activity of a merge request. */
export function addSystemNote(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  by: GitLabUser,
  body: string,
  discussionId: string = world.nextHexId(),
): GitLabNote {
  const nowMs = world.nowMs();
  const note: GitLabNote = {
    id: world.nextId(),
    discussionId,
    mergeRequestIid: mergeRequest.iid,
    projectId: mergeRequest.projectId,
    type: null,
    body,
    authorId: by.id,
    system: true,
    internal: false,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    position: null,
    originalPosition: null,
    lineCode: null,
    isOutdated: false,
    resolvedById: null,
    resolvedAtMs: null,
    awards: [],
  };
  const discussion = mergeRequest.discussions.find((candidate) => candidate.id === discussionId);
  if (discussion === undefined) mergeRequest.discussions.push({ id: discussionId, isIndividual: true, notes: [note] });
  else discussion.notes.push(note);
  return note;
}
