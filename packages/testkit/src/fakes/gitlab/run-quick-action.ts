/** What commands in comments do to a merge request. */
import { GitLabApiError, type GitLabMergeRequest, type GitLabUser } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { approve, unapprove } from './approval-actions.ts';
import { findLabels } from './merge-request-actions.ts';
import type { QuickAction } from './quick-actions.ts';
import { updateMergeRequest, type MergeRequestUpdate } from './update-merge-request.ts';

/** Runs a command and records that it ran, whether or not it could change anything. */
export async function runQuickAction(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  action: QuickAction,
  by: GitLabUser,
  noteId: number | null,
): Promise<void> {
  const detail = action.argument === '' ? `/${action.name}` : `/${action.name} ${action.argument}`;
  world.effects.push({ kind: 'quick-action', detail, noteId, iid: mergeRequest.iid, authorId: by.id });
  try {
    await apply(world, mergeRequest, action, by);
  } catch (error) {
    if (!(error instanceof GitLabApiError)) throw error; // a command that is not allowed does nothing
  }
}

async function apply(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  { name, argument }: QuickAction,
  by: GitLabUser,
): Promise<void> {
  const update = (change: MergeRequestUpdate) => updateMergeRequest(world, mergeRequest, change, by);
  const titles = mergeRequest.labels.map((label) => label.title);
  const named = namesIn(argument);
  const people = world.users.filter(
    (user) => named.includes(`@${user.username}`) || (named.includes('me') && user.id === by.id),
  );
  const withPeople = (ids: readonly number[]) => [...ids.map((id) => world.user(id)), ...people];
  const without = (ids: readonly number[]) =>
    ids.filter((id) => argument !== '' && !people.some((user) => user.id === id)).map((id) => world.user(id));
  switch (name) {
    case 'approve':
      await approve(world, mergeRequest, by);
      return;
    case 'unapprove':
      await unapprove(world, mergeRequest, by);
      return;
    case 'merge':
    case 'ship':
      await update({ state: 'merged' });
      return;
    case 'close':
      await update({ state: 'closed' });
      return;
    case 'reopen':
      await update({ state: 'opened' });
      return;
    case 'title':
      if (argument !== '') await update({ title: argument });
      return;
    case 'draft':
    case 'wip':
      await update({ draft: true });
      return;
    case 'ready':
      await update({ draft: false });
      return;
    case 'label':
    case 'labels':
      await update({ labels: [...new Set([...titles, ...knownLabels(world, mergeRequest, named)])] });
      return;
    case 'relabel':
      await update({ labels: knownLabels(world, mergeRequest, named) });
      return;
    case 'unlabel':
    case 'remove_label':
      await update({ labels: argument === '' ? [] : titles.filter((title) => !labelNames(named).includes(title)) });
      return;
    case 'assign':
      await update({ assignees: withPeople(mergeRequest.assigneeIds) });
      return;
    case 'reassign':
      await update({ assignees: people });
      return;
    case 'unassign':
    case 'remove_assignee':
      await update({ assignees: without(mergeRequest.assigneeIds) });
      return;
    case 'assign_reviewer':
    case 'reviewer':
    case 'request_review':
      await update({ reviewers: withPeople(mergeRequest.reviewerIds) });
      return;
    case 'reassign_reviewer':
      await update({ reviewers: people });
      return;
    case 'unassign_reviewer':
    case 'remove_reviewer':
      await update({ reviewers: without(mergeRequest.reviewerIds) });
      return;
    case 'target_branch':
      if ((await world.project(mergeRequest.projectId).repository.branchTip(argument)) === null) return;
      await update({ targetBranch: argument });
      return;
    case 'lock':
    case 'unlock':
      mergeRequest.isDiscussionLocked = name === 'lock';
      return;
    default: // recorded above; nothing else in this fake depends on it
  }
}

function namesIn(argument: string): string[] {
  return [...argument.matchAll(/[~@]?"[^"]*"|\S+/g)].map((match) => match[0].replaceAll('"', ''));
}

function labelNames(named: readonly string[]): string[] {
  return named.map((name) => name.replace(/^~/, ''));
}

/** Commands attach only labels that the project has. */
function knownLabels(world: GitLabWorld, mergeRequest: GitLabMergeRequest, named: readonly string[]): string[] {
  const project = world.project(mergeRequest.projectId);
  const known = labelNames(named).filter((title) => project.labels.some((label) => label.title === title));
  return findLabels(world, project, known).map((label) => label.title);
}
