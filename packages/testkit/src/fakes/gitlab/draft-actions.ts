import type { GitLabDraftNote, GitLabMergeRequest } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { createNote, resolveDiscussion } from './note-actions.ts';

/** Makes a note of a draft; the draft itself stays. */
export async function publishDraft(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  draft: GitLabDraftNote,
): Promise<void> {
  const author = world.user(draft.authorId);
  const discussion = mergeRequest.discussions.find((candidate) => candidate.id === draft.discussionId) ?? null;
  await createNote(world, { mergeRequest, author, body: draft.note, position: draft.position, discussion });
  if (discussion !== null) await resolveDiscussion(world, mergeRequest, discussion, draft.resolveDiscussion, author);
}
