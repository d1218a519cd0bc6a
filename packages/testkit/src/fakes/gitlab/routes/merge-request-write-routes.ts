import { z } from 'zod';
import { mergeRequestEntity } from '../api-entities.ts';
import { optional, text } from '../api-params.ts';
import { json, mergeRequestOf, projectOf, route, signedIn, type ApiRequest, type ApiRoute } from '../api-route.ts';
import {
  GitLabApiError,
  accessLevels,
  forbidden,
  type GitLabMergeRequest,
  type GitLabProject,
} from '../gitlab-state.ts';
import { openMergeRequest } from '../merge-request-actions.ts';
import { updateMergeRequest, type MergeRequestUpdate } from '../update-merge-request.ts';

const maxTitleLength = 255;

function checkTitle(title: string): void {
  const problem =
    title.trim() === ''
      ? "can't be blank"
      : title.length > maxTitleLength
        ? `is too long (maximum is ${maxTitleLength} characters)`
        : null;
  if (problem !== null) throw new GitLabApiError(400, { message: { title: [problem] } });
}

async function checkBranches(project: GitLabProject, source: string, target: string): Promise<void> {
  if (source === target) {
    throw new GitLabApiError(422, { message: ["You can't use same project/branch for source and target"] });
  }
  const twin = project.mergeRequests.find(
    (candidate) =>
      candidate.state === 'opened' && candidate.sourceBranch === source && candidate.targetBranch === target,
  );
  if (twin !== undefined) {
    const message = `Another open merge request already exists for this source branch: !${twin.iid}`;
    throw new GitLabApiError(409, { message: [message] });
  }
  for (const [name, branch] of [
    ['source_branch', source],
    ['target_branch', target],
  ] as const) {
    const isThere = (await project.repository.branchTip(branch)) !== null;
    if (!isThere) throw new GitLabApiError(400, { message: { [name]: ['does not exist'] } });
  }
}

/** Developers and the author may edit. */
function authorizeEdit(request: ApiRequest<unknown>, mergeRequest: GitLabMergeRequest): void {
  const { id } = signedIn(request);
  const level = request.world.accessLevel(projectOf(request), request.user);
  if (level < accessLevels.developer && mergeRequest.authorId !== id) throw forbidden();
}

const labels = text.transform((list) => list.split(',').filter((title) => title !== ''));

/** Opening, editing and closing merge requests. */
export const mergeRequestWriteRoutes: readonly ApiRoute[] = [
  route(
    'POST',
    '/projects/:id/merge_requests',
    {
      source_branch: text,
      target_branch: text,
      title: text,
      description: optional(text),
      labels: optional(labels),
    },
    async (request) => {
      const { world, params } = request;
      const project = projectOf(request, 'developer');
      checkTitle(params.title);
      await checkBranches(project, params.source_branch, params.target_branch);
      const opened = await openMergeRequest(world, {
        project,
        sourceBranch: params.source_branch,
        targetBranch: params.target_branch,
        title: params.title,
        description: params.description ?? '',
        labels: params.labels ?? [],
        author: signedIn(request),
      });
      return json(mergeRequestEntity(world, opened, true), 201);
    },
  ),
  route(
    'PUT',
    '/projects/:id/merge_requests/:iid',
    {
      title: optional(text),
      description: optional(text),
      target_branch: optional(text),
      labels: optional(labels),
      state_event: z.enum(['close', 'reopen']).optional(),
    },
    async (request) => {
      const { world, params } = request;
      const mergeRequest = mergeRequestOf(request);
      authorizeEdit(request, mergeRequest);
      if (Object.values(params).every((value) => value === undefined)) {
        throw new GitLabApiError(400, {
          error: 'title, state_event are missing, at least one parameter must be provided',
        });
      }
      if (params.title !== undefined) checkTitle(params.title);
      const { title, description, labels: titles, target_branch: targetBranch, state_event: event } = params;
      const update: MergeRequestUpdate = {
        ...(title === undefined ? {} : { title }),
        ...(description === undefined ? {} : { description }),
        ...(titles === undefined ? {} : { labels: titles }),
        ...(targetBranch === undefined ? {} : { targetBranch }),
        ...(event === undefined || mergeRequest.state === 'merged'
          ? {}
          : { state: event === 'close' ? ('closed' as const) : ('opened' as const) }),
      };
      await updateMergeRequest(world, mergeRequest, update, signedIn(request));
      return json(mergeRequestEntity(world, mergeRequest, true));
    },
  ),
];
