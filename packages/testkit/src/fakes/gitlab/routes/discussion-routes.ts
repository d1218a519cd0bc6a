import { discussionEntity, noteEntity } from '../api-entities.ts';
import { boolean, optional, paging, text } from '../api-params.ts';
import {
  json,
  list,
  mergeRequestOf,
  projectOf,
  route,
  signedIn,
  type ApiRequest,
  type ApiRoute,
} from '../api-route.ts';
import {
  GitLabApiError,
  accessLevels,
  badRequest,
  forbidden,
  notFound,
  type GitLabDiscussion,
  type GitLabMergeRequest,
} from '../gitlab-state.ts';
import { createNote, deleteNote, editNote, isResolvable, resolveDiscussion } from '../note-actions.ts';
import { positionParam, toPosition } from '../position-params.ts';
import { authorizeNoteChange, noteOf, writtenReply } from './note-routes.ts';

function discussionOf(request: ApiRequest<unknown>, mergeRequest: GitLabMergeRequest): GitLabDiscussion {
  const discussion = mergeRequest.discussions.find((candidate) => candidate.id === request.path['discussion_id']);
  if (discussion === undefined) throw notFound('Discussion');
  return discussion;
}

/** Developers and the merge request's author resolve threads. */
function authorizeResolve(request: ApiRequest<unknown>, mergeRequest: GitLabMergeRequest): void {
  const level = request.world.accessLevel(projectOf(request), request.user);
  if (level < accessLevels.developer && mergeRequest.authorId !== signedIn(request).id) throw forbidden();
}

const base = '/projects/:id/merge_requests/:iid/discussions';

/** Threads; `gitLabVersion` decides which positions are known. */
export function discussionRoutes(gitLabVersion: string): readonly ApiRoute[] {
  return [
    route('GET', base, paging, (request) => {
      const { world, params } = request;
      return list(
        mergeRequestOf(request).discussions.map((discussion) => discussionEntity(world, discussion)),
        params,
      );
    }),
    route('GET', `${base}/:discussion_id`, {}, (request) =>
      json(discussionEntity(request.world, discussionOf(request, mergeRequestOf(request)))),
    ),
    route(
      'POST',
      base,
      {
        body: text,
        commit_id: optional(text),
        created_at: optional(text),
        position: optional(positionParam(gitLabVersion)),
      },
      async (request) => {
        const { world, params } = request;
        const mergeRequest = mergeRequestOf(request);
        const position = params.position === undefined ? null : toPosition(params.position);
        const author = signedIn(request);
        const written = await createNote(world, { mergeRequest, author, body: params.body, position, isThread: true });
        // The commands have run; GitLab answers as if the note were faulty.
        if (written.kind === 'commands-only') throw badRequest('Note {}');
        const discussion = mergeRequest.discussions.find((candidate) => candidate.id === written.note.discussionId);
        if (discussion === undefined) throw new GitLabApiError(500, { message: '500 Internal Server Error' });
        return json(discussionEntity(world, discussion), 201);
      },
      { writesNote: true },
    ),
    route('PUT', `${base}/:discussion_id`, { resolved: boolean }, async (request) => {
      const mergeRequest = mergeRequestOf(request);
      const discussion = discussionOf(request, mergeRequest);
      authorizeResolve(request, mergeRequest);
      if (!discussion.notes.some(isResolvable)) throw forbidden();
      await resolveDiscussion(request.world, mergeRequest, discussion, request.params.resolved, signedIn(request));
      return json(discussionEntity(request.world, discussion));
    }),
    route(
      'POST',
      `${base}/:discussion_id/notes`,
      { body: text, created_at: optional(text) },
      async (request) => {
        const { world, params } = request;
        const mergeRequest = mergeRequestOf(request);
        const discussion = discussionOf(request, mergeRequest);
        if (discussion.notes[0]?.system === true) throw badRequest('Discussion can not be replied to.');
        const author = signedIn(request);
        const written = await createNote(world, { mergeRequest, author, body: params.body, discussion });
        if (written.kind === 'commands-only') throw badRequest('Note {}');
        return json(noteEntity(world, written.note), 201);
      },
      { writesNote: true },
    ),
    route(
      'PUT',
      `${base}/:discussion_id/notes/:note_id`,
      { body: optional(text), resolved: boolean.optional() },
      async (request) => {
        const { world, params } = request;
        const mergeRequest = mergeRequestOf(request);
        const discussion = discussionOf(request, mergeRequest);
        const note = noteOf(request, mergeRequest);
        if ((params.body === undefined) === (params.resolved === undefined)) {
          const problem =
            params.body === undefined
              ? 'are missing, exactly one parameter must be provided'
              : 'are mutually exclusive';
          throw new GitLabApiError(400, { error: `body, resolved ${problem}` });
        }
        if (params.body !== undefined) {
          authorizeNoteChange(request, note);
          return writtenReply(request, await editNote(world, mergeRequest, note, params.body, signedIn(request)), 200);
        }
        authorizeResolve(request, mergeRequest);
        if (!isResolvable(note)) throw badRequest('Note is not resolvable');
        await resolveDiscussion(world, mergeRequest, discussion, params.resolved ?? false, signedIn(request));
        return json(noteEntity(world, note));
      },
    ),
    route('DELETE', `${base}/:discussion_id/notes/:note_id`, {}, (request) => {
      const mergeRequest = mergeRequestOf(request);
      discussionOf(request, mergeRequest);
      const note = noteOf(request, mergeRequest);
      authorizeNoteChange(request, note);
      deleteNote(mergeRequest, note);
      return { kind: 'empty', status: 204 };
    }),
  ];
}
