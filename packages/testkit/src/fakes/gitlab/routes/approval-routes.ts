import { approve, unapprove } from '../approval-actions.ts';
import { approvalsEntity } from '../api-entities.ts';
import { boolean, optional, text } from '../api-params.ts';
import { json, mergeRequestOf, route, signedIn, type ApiRoute } from '../api-route.ts';
import { GitLabApiError } from '../gitlab-state.ts';

const base = '/projects/:id/merge_requests/:iid';

/** Approving, and taking it back. */
export const approvalRoutes: readonly ApiRoute[] = [
  route('GET', `${base}/approvals`, {}, (request) =>
    json(approvalsEntity(request.world, mergeRequestOf(request), request.user)),
  ),
  route('POST', `${base}/approve`, { sha: optional(text), publish_review: boolean.optional() }, async (request) => {
    const { world, params } = request;
    const mergeRequest = mergeRequestOf(request);
    const headSha = world.shownVersion(mergeRequest)?.headSha ?? mergeRequest.versions.at(-1)?.headSha ?? '';
    if (params.sha !== undefined && params.sha !== headSha) {
      throw new GitLabApiError(409, { message: `SHA does not match HEAD of source branch: ${headSha}` });
    }
    await approve(world, mergeRequest, signedIn(request));
    return json(approvalsEntity(world, mergeRequest, request.user), 201);
  }),
  route('POST', `${base}/unapprove`, {}, async (request) => {
    const mergeRequest = mergeRequestOf(request);
    await unapprove(request.world, mergeRequest, signedIn(request));
    return json(approvalsEntity(request.world, mergeRequest, request.user), 201);
  }),
];
