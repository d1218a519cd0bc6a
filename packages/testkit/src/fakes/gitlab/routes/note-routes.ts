import { z } from 'zod';
import { noteEntity } from '../api-entities.ts';
import { boolean, optional, paging, text } from '../api-params.ts';
import {
  json,
  list,
  mergeRequestOf,
  projectOf,
  route,
  signedIn,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
} from '../api-route.ts';
import { accessLevels, forbidden, notFound, type GitLabMergeRequest, type GitLabNote } from '../gitlab-state.ts';
import { createNote, deleteNote, editNote, type WrittenNote } from '../note-actions.ts';

/** The note of a request, of whatever thread. */
export function noteOf(request: ApiRequest<unknown>, mergeRequest: GitLabMergeRequest): GitLabNote {
  const notes = mergeRequest.discussions.flatMap((discussion) => discussion.notes);
  const note = notes.find((candidate) => String(candidate.id) === request.path['note_id']);
  if (note === undefined) throw notFound();
  return note;
}

/** Only its author and maintainers may change a note, and nobody a system note. */
export function authorizeNoteChange(request: ApiRequest<unknown>, note: GitLabNote): void {
  const isMaintainer = request.world.accessLevel(projectOf(request), request.user) >= accessLevels.maintainer;
  if (note.system || (note.authorId !== signedIn(request).id && !isMaintainer)) throw forbidden();
}

/** What the notes routes answer to a note that was written, or to commands that ran. */
export function writtenReply(request: ApiRequest<unknown>, written: WrittenNote, status: number): ApiReply {
  if (written.kind === 'note') return json(noteEntity(request.world, written.note), status);
  return json({ commands_changes: {}, summary: [`Commands applied: ${written.names.join(', ')}.`] }, 202);
}

const base = '/projects/:id/merge_requests/:iid/notes';

/** Comments of a merge request, one by one. */
export const noteRoutes: readonly ApiRoute[] = [
  route(
    'GET',
    base,
    {
      ...paging,
      sort: z.enum(['asc', 'desc']).default('desc'),
      order_by: z.enum(['created_at', 'updated_at']).default('created_at'),
      activity_filter: z.enum(['all_notes', 'only_comments', 'only_activity']).default('all_notes'),
    },
    (request) => {
      const { world, params } = request;
      const keyOf = (note: GitLabNote) => (params.order_by === 'updated_at' ? note.updatedAtMs : note.createdAtMs);
      const sign = params.sort === 'asc' ? 1 : -1;
      const notes = mergeRequestOf(request)
        .discussions.flatMap((discussion) => discussion.notes)
        .filter(
          (note) =>
            params.activity_filter === 'all_notes' || note.system === (params.activity_filter === 'only_activity'),
        )
        .sort((left, right) => sign * (keyOf(left) - keyOf(right) || left.id - right.id));
      return list(
        notes.map((note) => noteEntity(world, note)),
        params,
      );
    },
  ),
  route('GET', `${base}/:note_id`, {}, (request) =>
    json(noteEntity(request.world, noteOf(request, mergeRequestOf(request)))),
  ),
  route(
    'POST',
    base,
    {
      body: text,
      internal: boolean.optional(),
      confidential: boolean.optional(),
      created_at: optional(text),
      merge_request_diff_head_sha: optional(text),
    },
    async (request) => {
      const { world, params } = request;
      const mergeRequest = mergeRequestOf(request);
      const internal = params.internal ?? params.confidential ?? false;
      const written = await createNote(world, { mergeRequest, author: signedIn(request), body: params.body, internal });
      return writtenReply(request, written, 201);
    },
    { writesNote: true },
  ),
  route('PUT', `${base}/:note_id`, { body: text }, async (request) => {
    const mergeRequest = mergeRequestOf(request);
    const note = noteOf(request, mergeRequest);
    authorizeNoteChange(request, note);
    const written = await editNote(request.world, mergeRequest, note, request.params.body, signedIn(request));
    return writtenReply(request, written, 200);
  }),
  route('DELETE', `${base}/:note_id`, {}, (request) => {
    const mergeRequest = mergeRequestOf(request);
    const note = noteOf(request, mergeRequest);
    authorizeNoteChange(request, note);
    deleteNote(mergeRequest, note);
    return { kind: 'empty', status: 204 };
  }),
];
