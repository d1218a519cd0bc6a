/** Approvals. Like GitLab, an author cannot approve, and nobody twice. */
import { accessLevels, notFound, unauthorized, type GitLabMergeRequest, type GitLabUser } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { tellMergeRequest } from './hook-events.ts';
import { addSystemNote } from './merge-request-actions.ts';

/** Approves; 401 where the user may not. */
export async function approve(world: GitLabWorld, mergeRequest: GitLabMergeRequest, by: GitLabUser): Promise<void> {
  const isDone = mergeRequest.approvedBy.some((approval) => approval.userId === by.id);
  if (!canApprove(world, mergeRequest, by) || isDone) throw unauthorized();
  mergeRequest.approvedBy.push({ userId: by.id, atMs: world.nowMs() });
  addSystemNote(world, mergeRequest, by, 'approved this merge request');
  await tellMergeRequest(world, mergeRequest, { action: 'approved', by });
}

/** Takes an approval back; 404 where there is none. */
export async function unapprove(world: GitLabWorld, mergeRequest: GitLabMergeRequest, by: GitLabUser): Promise<void> {
  const index = mergeRequest.approvedBy.findIndex((approval) => approval.userId === by.id);
  if (index === -1) throw notFound();
  mergeRequest.approvedBy.splice(index, 1);
  addSystemNote(world, mergeRequest, by, 'unapproved this merge request');
  await tellMergeRequest(world, mergeRequest, { action: 'unapproved', by });
}

/** Whether this user's approval would count. */
function canApprove(world: GitLabWorld, mergeRequest: GitLabMergeRequest, by: GitLabUser): boolean {
  const level = world.accessLevel(world.project(mergeRequest.projectId), by);
  return level >= accessLevels.developer && mergeRequest.authorId !== by.id && mergeRequest.state === 'opened';
}
