import { z } from 'zod';
import { draftEntity } from '../api-entities.ts';
import { ParamsError, boolean, optional, paging, text } from '../api-params.ts';
import {
  json,
  list,
  mergeRequestOf,
  route,
  signedIn,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
} from '../api-route.ts';
import type { DiffPosition } from '../check-position.ts';
import { publishDraft } from '../draft-actions.ts';
import {
  GitLabApiError,
  badRequest,
  notFound,
  type GitLabDraftNote,
  type GitLabMergeRequest,
} from '../gitlab-state.ts';
import { createNote } from '../note-actions.ts';
import { isAtLeast, positionParam, toPosition } from '../position-params.ts';

/** Drafts are seen by their author alone. */
function ownDrafts(request: ApiRequest<unknown>, mergeRequest: GitLabMergeRequest): readonly GitLabDraftNote[] {
  return mergeRequest.drafts.filter((draft) => draft.authorId === signedIn(request).id);
}

function draftOf(request: ApiRequest<unknown>, mergeRequest: GitLabMergeRequest): GitLabDraftNote {
  const { draft_id: id } = request.path;
  const draft = ownDrafts(request, mergeRequest).find((candidate) => String(candidate.id) === id);
  if (draft === undefined) throw notFound();
  return draft;
}

/** The only check that a position gets before it is published. */
function checkSchema(request: ApiRequest<unknown>, position: DiffPosition | null): void {
  const ends = [position?.line_range?.start, position?.line_range?.end];
  const hasLines = ends.some((end) => typeof end?.old_line === 'number' || typeof end?.new_line === 'number');
  const isTooLong = [position?.old_path, position?.new_path].some((path) => (path?.length ?? 0) > 1000);
  if (isTooLong || (hasLines && request.world.settings.draftsRefuseRangeLines)) {
    throw new GitLabApiError(400, { message: { position: ['must be a valid json schema'] } });
  }
}

const internalError = () => new GitLabApiError(500, { message: '500 Internal Server Error' });

/** Publishes one; whatever is wrong with it is a 500, and it stays. */
async function publish(
  request: ApiRequest<unknown>,
  mergeRequest: GitLabMergeRequest,
  draft: GitLabDraftNote,
): Promise<void> {
  try {
    await publishDraft(request.world, mergeRequest, draft);
  } catch (error) {
    if (error instanceof GitLabApiError) throw internalError();
    throw error;
  }
}

function remove(mergeRequest: GitLabMergeRequest, drafts: readonly GitLabDraftNote[]): void {
  for (const draft of drafts) mergeRequest.drafts.splice(mergeRequest.drafts.indexOf(draft), 1);
}

const done: ApiReply = { kind: 'empty', status: 204 };
const base = '/projects/:id/merge_requests/:iid/draft_notes';

/** Comments that wait to be published; `gitLabVersion` decides what publishing all of them takes. */
export function draftNoteRoutes(gitLabVersion: string): readonly ApiRoute[] {
  const position = optional(positionParam(gitLabVersion));
  const bulkParams = {
    note: optional(text),
    internal: boolean.optional(),
    reviewer_state: z.enum(['reviewed', 'requested_changes', 'approved']).optional(),
  };
  const hasBulkParams = isAtLeast(gitLabVersion, 19, 2);
  return [
    route('GET', base, paging, (request) => {
      const mergeRequest = mergeRequestOf(request);
      const drafts = ownDrafts(request, mergeRequest).map((draft) => draftEntity(mergeRequest, draft));
      return list(drafts, { per_page: 100, ...request.params });
    }),
    route('GET', `${base}/:draft_id`, {}, (request) => {
      const mergeRequest = mergeRequestOf(request);
      return json(draftEntity(mergeRequest, draftOf(request, mergeRequest)));
    }),
    route(
      'POST',
      base,
      {
        note: text,
        position,
        in_reply_to_discussion_id: optional(text),
        commit_id: optional(text),
        resolve_discussion: boolean.optional(),
      },
      (request) => {
        const { world, params } = request;
        const mergeRequest = mergeRequestOf(request);
        if (params.note.trim() === '') throw new GitLabApiError(400, { message: { note: ["can't be blank"] } });
        const asked = params.position === undefined ? null : toPosition(params.position);
        checkSchema(request, asked);
        const discussionId = params.in_reply_to_discussion_id ?? null;
        if (discussionId !== null && !mergeRequest.discussions.some((discussion) => discussion.id === discussionId)) {
          throw new GitLabApiError(400, { message: { base: ['Thread to reply to cannot be found'] } });
        }
        const draft: GitLabDraftNote = {
          id: world.nextId(),
          authorId: signedIn(request).id,
          note: params.note,
          position: asked,
          discussionId,
          resolveDiscussion: params.resolve_discussion ?? false,
          commitId: params.commit_id ?? null,
        };
        mergeRequest.drafts.push(draft);
        return json(draftEntity(mergeRequest, draft), 201);
      },
    ),
    route('PUT', `${base}/:draft_id`, { note: optional(text), position }, (request) => {
      const { params } = request;
      const mergeRequest = mergeRequestOf(request);
      const draft = draftOf(request, mergeRequest);
      if (params.note === undefined || params.note.trim() === '') throw badRequest('Missing params to modify');
      const asked = params.position === undefined ? null : toPosition(params.position);
      checkSchema(request, asked);
      draft.note = params.note;
      draft.position = asked;
      return json(draftEntity(mergeRequest, draft));
    }),
    route('DELETE', `${base}/:draft_id`, {}, (request) => {
      const mergeRequest = mergeRequestOf(request);
      remove(mergeRequest, [draftOf(request, mergeRequest)]);
      return done;
    }),
    route('PUT', `${base}/:draft_id/publish`, {}, async (request) => {
      const mergeRequest = mergeRequestOf(request);
      const draft = draftOf(request, mergeRequest);
      await publish(request, mergeRequest, draft);
      remove(mergeRequest, [draft]);
      return done;
    }),
    route('POST', `${base}/bulk_publish`, bulkParams, async (request) => {
      const { world, params } = request;
      const given = Object.entries(params).filter(([, value]) => value !== undefined);
      const names = given.map(([name]) => name);
      if (!hasBulkParams && names.length > 0) throw new ParamsError(`${names.join(', ')} is not allowed`, names);
      const mergeRequest = mergeRequestOf(request);
      const drafts = ownDrafts(request, mergeRequest);
      // A bad one ends it: those before it are published and, like the rest, still drafts.
      for (const draft of drafts) await publish(request, mergeRequest, draft);
      remove(mergeRequest, drafts);
      if (params.note !== undefined) {
        const internal = params.internal ?? false;
        await createNote(world, { mergeRequest, author: signedIn(request), body: params.note, internal });
      }
      return done;
    }),
  ];
}
