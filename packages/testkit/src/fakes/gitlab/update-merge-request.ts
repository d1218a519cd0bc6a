/** Editing a merge request, closing, opening again and merging it. */
import type { GitLabLabel, GitLabMergeRequest, GitLabUser } from './gitlab-state.ts';
import { isDraftTitle, type GitLabWorld } from './gitlab-world.ts';
import { tellMergeRequest, tellPush } from './hook-events.ts';
import { addSystemNote, findLabels, refreshVersion } from './merge-request-actions.ts';
import { hookLabel } from './webhook-payloads.ts';

/** What can be edited. */
export interface MergeRequestUpdate {
  readonly title?: string;
  readonly description?: string;
  readonly draft?: boolean;
  readonly labels?: readonly string[];
  readonly targetBranch?: string;
  readonly state?: 'opened' | 'closed' | 'merged';
  readonly reviewers?: readonly GitLabUser[];
  readonly assignees?: readonly GitLabUser[];
}

/** Edits a merge request; one webhook tells all that changed. */
export async function updateMergeRequest(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  update: MergeRequestUpdate,
  by: GitLabUser,
): Promise<void> {
  const changes: Record<string, unknown> = {};
  changeTitle(world, mergeRequest, update, by, changes);
  if (update.description !== undefined && update.description !== mergeRequest.description) {
    changes['description'] = { previous: mergeRequest.description, current: update.description };
    mergeRequest.description = update.description;
    addSystemNote(world, mergeRequest, by, 'changed the description');
  }
  changePeople(world, mergeRequest, update, changes);
  if (update.labels !== undefined) {
    const project = world.project(mergeRequest.projectId);
    const labels = findLabels(world, project, update.labels);
    const show = (list: readonly GitLabLabel[]) => list.map((label) => hookLabel(label, project.id));
    changes['labels'] = { previous: show(mergeRequest.labels), current: show(labels) };
    mergeRequest.labels = labels;
  }
  if (update.targetBranch !== undefined && update.targetBranch !== mergeRequest.targetBranch) {
    changes['target_branch'] = { previous: mergeRequest.targetBranch, current: update.targetBranch };
    addSystemNote(
      world,
      mergeRequest,
      by,
      `changed target branch from \`${mergeRequest.targetBranch}\` to \`${update.targetBranch}\``,
    );
    mergeRequest.targetBranch = update.targetBranch;
    await refreshVersion(world, mergeRequest, by);
  }
  mergeRequest.updatedAtMs = world.nowMs();
  if (Object.keys(changes).length > 0) await tellMergeRequest(world, mergeRequest, { action: 'update', by, changes });
  if (update.state !== undefined) await changeState(world, mergeRequest, update.state, by);
}

function changeTitle(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  update: MergeRequestUpdate,
  by: GitLabUser,
  changes: Record<string, unknown>,
): void {
  const wasDraft = isDraftTitle(mergeRequest.title);
  const asked = update.title ?? mergeRequest.title;
  const bare = asked.replace(/^\s*(?:\[draft\]|\(draft\)|draft:)\s*/i, '');
  const title = update.draft === undefined ? asked : update.draft ? `Draft: ${bare}` : bare;
  if (title === mergeRequest.title) return;
  changes['title'] = { previous: mergeRequest.title, current: title };
  mergeRequest.title = title;
  const isDraft = isDraftTitle(title);
  if (isDraft === wasDraft) {
    addSystemNote(world, mergeRequest, by, 'changed title');
    return;
  }
  changes['draft'] = { previous: wasDraft, current: isDraft };
  addSystemNote(world, mergeRequest, by, `marked this merge request as **${isDraft ? 'draft' : 'ready'}**`);
}

function changePeople(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  { reviewers, assignees }: MergeRequestUpdate,
  changes: Record<string, unknown>,
): void {
  const show = (ids: readonly number[]) =>
    ids.map((id) => {
      const { name, username } = world.user(id);
      return { id, name, username, avatar_url: null, email: '[REDACTED]' };
    });
  if (reviewers !== undefined) {
    const ids = reviewers.map((reviewer) => reviewer.id);
    changes['reviewers'] = { previous: show(mergeRequest.reviewerIds), current: show(ids) };
    mergeRequest.reviewerIds = ids;
  }
  if (assignees !== undefined) {
    const ids = assignees.map((assignee) => assignee.id);
    changes['assignees'] = { previous: show(mergeRequest.assigneeIds), current: show(ids) };
    mergeRequest.assigneeIds = ids;
  }
}

const stateIds = { opened: 1, closed: 2, merged: 3, locked: 4 } as const;

async function changeState(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  state: 'opened' | 'closed' | 'merged',
  by: GitLabUser,
): Promise<void> {
  if (mergeRequest.state === state) return;
  const changes = { state_id: { previous: stateIds[mergeRequest.state], current: stateIds[state] } };
  mergeRequest.state = state;
  if (state === 'merged') {
    await mergeBranch(world, mergeRequest, by);
    mergeRequest.mergedById = by.id;
  }
  if (state === 'opened') await catchUp(world, mergeRequest, by);
  addSystemNote(world, mergeRequest, by, state === 'opened' ? 'reopened' : state);
  const action = { opened: 'reopen', closed: 'close', merged: 'merge' }[state];
  await tellMergeRequest(world, mergeRequest, { action, by, changes });
}

/** Pushes while it was closed made no version; opening it again makes one. */
async function catchUp(world: GitLabWorld, mergeRequest: GitLabMergeRequest, by: GitLabUser): Promise<void> {
  const { repository } = world.project(mergeRequest.sourceProjectId);
  const tip = await repository.branchTip(mergeRequest.sourceBranch);
  if (tip !== null && tip !== mergeRequest.versions.at(-1)?.headSha) await refreshVersion(world, mergeRequest, by);
}

async function mergeBranch(world: GitLabWorld, mergeRequest: GitLabMergeRequest, by: GitLabUser): Promise<void> {
  const project = world.project(mergeRequest.projectId);
  const { repository } = project;
  const version = mergeRequest.versions.at(-1);
  if (version === undefined) return;
  const target = (await repository.branchTip(mergeRequest.targetBranch)) ?? version.startSha;
  const sha = await repository.mergeCommit(
    target,
    version.headSha,
    `Merge branch '${mergeRequest.sourceBranch}'`,
    world.nowMs(),
  );
  const ref = `refs/heads/${mergeRequest.targetBranch}`;
  await repository.setRef(ref, sha);
  await tellPush(world, project, { ref, before: target, after: sha, by });
  mergeRequest.mergeCommitSha = sha;
}
