import { awardEntity } from '../api-entities.ts';
import { paging, text } from '../api-params.ts';
import { json, list, mergeRequestOf, route, signedIn, type ApiRequest, type ApiRoute } from '../api-route.ts';
import { GitLabApiError, forbidden, notFound, type GitLabAward } from '../gitlab-state.ts';
import { noteOf } from './note-routes.ts';

interface Awardable {
  readonly id: number;
  readonly type: 'MergeRequest' | 'Note';
  readonly awards: GitLabAward[];
}

function mergeRequestAwards(request: ApiRequest<unknown>): Awardable {
  const mergeRequest = mergeRequestOf(request);
  return { id: mergeRequest.id, type: 'MergeRequest', awards: mergeRequest.awards };
}

function noteAwards(request: ApiRequest<unknown>): Awardable {
  const note = noteOf(request, mergeRequestOf(request));
  return { id: note.id, type: 'Note', awards: note.awards };
}

function awardRoutesOf(base: string, awardableOf: (request: ApiRequest<unknown>) => Awardable): readonly ApiRoute[] {
  return [
    route('GET', base, paging, (request) => {
      const on = awardableOf(request);
      return list(
        on.awards.map((award) => awardEntity(request.world, award, on)),
        request.params,
      );
    }),
    route('POST', base, { name: text }, (request) => {
      const { world, params } = request;
      const on = awardableOf(request);
      const user = signedIn(request);
      if (!/^[a-z0-9_+-]+$/.test(params.name))
        throw new GitLabApiError(404, { message: '404 Award Emoji Name is not a valid emoji name Not Found' });
      if (on.awards.some((award) => award.name === params.name && award.userId === user.id)) {
        throw notFound('Award Emoji Name has already been taken');
      }
      const award: GitLabAward = { id: world.nextId(), name: params.name, userId: user.id, createdAtMs: world.nowMs() };
      on.awards.push(award);
      return json(awardEntity(world, award, on), 201);
    }),
    route('DELETE', `${base}/:award_id`, {}, (request) => {
      const { awards } = awardableOf(request);
      const index = awards.findIndex((award) => String(award.id) === request.path['award_id']);
      const award = awards[index];
      if (award === undefined) throw notFound();
      if (award.userId !== signedIn(request).id) throw forbidden();
      awards.splice(index, 1);
      return { kind: 'empty', status: 204 };
    }),
  ];
}

const base = '/projects/:id/merge_requests/:iid';

/** Emoji reactions on merge requests and their comments. */
export const awardRoutes: readonly ApiRoute[] = [
  ...awardRoutesOf(`${base}/award_emoji`, mergeRequestAwards),
  ...awardRoutesOf(`${base}/notes/:note_id/award_emoji`, noteAwards),
];
