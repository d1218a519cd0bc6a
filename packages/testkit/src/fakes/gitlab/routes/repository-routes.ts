import { z } from 'zod';
import { commitEntity } from '../api-entities.ts';
import { boolean, optional, text } from '../api-params.ts';
import { json, projectOf, route, signedIn, type ApiRequest, type ApiRoute } from '../api-route.ts';
import { commitByActions, type CommitAction } from '../commit-actions.ts';
import { GitLabApiError, accessLevels, forbidden, notFound, type GitLabProject } from '../gitlab-state.ts';
import { deleteBranch } from '../merge-request-actions.ts';

const encoding = z.enum(['text', 'base64']).default('text');
const place = { file_path: text, last_commit_id: optional(text) };
const content = text.optional();

const Action = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('create'), ...place, content, encoding }),
  z.strictObject({ action: z.literal('update'), ...place, content: text, encoding }),
  z.strictObject({ action: z.literal('move'), ...place, previous_path: text, content, encoding }),
  z.strictObject({ action: z.literal('delete'), ...place }),
  z.strictObject({ action: z.literal('chmod'), ...place, execute_filemode: boolean }),
]);

function toAction(action: z.output<typeof Action>): CommitAction {
  const path = action.file_path;
  const bytes = (value: string) =>
    Buffer.from(value, 'encoding' in action && action.encoding === 'base64' ? 'base64' : 'utf8');
  switch (action.action) {
    case 'create':
    case 'update':
      return { action: action.action, path, content: bytes(action.content ?? '') };
    case 'move':
      return {
        action: 'move',
        path,
        from: action.previous_path,
        content: action.content === undefined ? null : bytes(action.content),
      };
    case 'delete':
      return { action: 'delete', path };
    case 'chmod':
      return { action: 'chmod', path, isExecutable: action.execute_filemode };
  }
}

/** Developers push; the default branch is protected from the start, so it takes a maintainer. */
function authorizePush(request: ApiRequest<unknown>, project: GitLabProject, branch: string): void {
  const { world, user } = request;
  signedIn(request);
  if (!world.canReadCode(project, user)) throw forbidden();
  const least = branch === project.defaultBranch ? accessLevels.maintainer : accessLevels.developer;
  if (world.accessLevel(project, user) >= least) return;
  throw new GitLabApiError(403, { message: '403 Forbidden - You are not allowed to push into this branch' });
}

/** What a person does to the repository without git. */
export const repositoryRoutes: readonly ApiRoute[] = [
  route(
    'POST',
    '/projects/:id/repository/commits',
    {
      branch: text.refine((name) => name !== ''),
      commit_message: text.refine((message) => message !== ''),
      start_branch: optional(text),
      actions: z.array(Action).min(1),
    },
    async (request) => {
      const { world, params } = request;
      const project = projectOf(request);
      authorizePush(request, project, params.branch);
      const sha = await commitByActions(world, {
        project,
        branch: params.branch,
        startBranch: params.start_branch ?? null,
        message: params.commit_message,
        actions: params.actions.map(toAction),
        by: signedIn(request),
      });
      return json(commitEntity(world, project, sha, await project.repository.readCommit(sha)), 201);
    },
  ),
  route('DELETE', '/projects/:id/repository/branches/:branch', {}, async (request) => {
    const { world, path } = request;
    const { branch = '' } = path;
    const project = projectOf(request, 'developer');
    if ((await project.repository.branchTip(branch)) === null) throw notFound('Branch');
    if (branch === project.defaultBranch) {
      throw new GitLabApiError(400, { message: 'The default branch of a project cannot be deleted.' });
    }
    await deleteBranch(world, { project, branch, by: signedIn(request) });
    return { kind: 'empty', status: 204 };
  }),
];
