import { z } from 'zod';
import { diffEntity, mergeRequestEntity, versionEntity } from '../api-entities.ts';
import { boolean, optional, paging, text } from '../api-params.ts';
import { json, list, mergeRequestOf, projectOf, route, signedIn, type ApiReply, type ApiRoute } from '../api-route.ts';
import { forbidden, notFound, type GitLabMergeRequest, type GitLabVersion } from '../gitlab-state.ts';
import type { GitLabWorld } from '../gitlab-world.ts';

const time = z.iso.datetime({ offset: true });

const filters = {
  ...paging,
  state: z.enum(['opened', 'closed', 'locked', 'merged', 'all']).default('all'),
  order_by: z.enum(['created_at', 'updated_at']).default('created_at'),
  sort: z.enum(['asc', 'desc']).default('desc'),
  updated_after: time.optional(),
  updated_before: time.optional(),
  created_after: time.optional(),
  source_branch: optional(text),
  target_branch: optional(text),
  labels: optional(text),
  author_username: optional(text),
  scope: z.enum(['created_by_me', 'assigned_to_me', 'all']).optional(),
  wip: z.enum(['yes', 'no']).optional(),
  with_merge_status_recheck: boolean.optional(),
};

function newestFirst(world: GitLabWorld, mergeRequest: GitLabMergeRequest): readonly GitLabVersion[] {
  return world.shownVersions(mergeRequest);
}

async function readDiff(world: GitLabWorld, mergeRequest: GitLabMergeRequest, version: GitLabVersion) {
  const { repository } = world.project(mergeRequest.projectId);
  return await repository.diff(version.baseSha, version.headSha, world.settings.maxPatchBytes);
}

function isInScope(
  { authorId, assigneeIds }: GitLabMergeRequest,
  scope: 'created_by_me' | 'assigned_to_me' | 'all',
  userId: number,
): boolean {
  if (scope === 'all') return true;
  return scope === 'created_by_me' ? authorId === userId : assigneeIds.includes(userId);
}

type Filters = z.output<z.ZodObject<typeof filters>>;

function listOf(world: GitLabWorld, params: Filters, mergeRequests: readonly GitLabMergeRequest[]): ApiReply {
  const labels = params.labels?.split(',') ?? [];
  const isWanted = (mergeRequest: GitLabMergeRequest): boolean => {
    const { updatedAtMs, createdAtMs } = mergeRequest;
    return (
      (params.state === 'all' || mergeRequest.state === params.state) &&
      (params.updated_after === undefined || updatedAtMs >= Date.parse(params.updated_after)) &&
      (params.updated_before === undefined || updatedAtMs <= Date.parse(params.updated_before)) &&
      (params.created_after === undefined || createdAtMs >= Date.parse(params.created_after)) &&
      (params.source_branch ?? mergeRequest.sourceBranch) === mergeRequest.sourceBranch &&
      (params.target_branch ?? mergeRequest.targetBranch) === mergeRequest.targetBranch &&
      labels.every((title) => mergeRequest.labels.some((label) => label.title === title)) &&
      (params.author_username ?? world.user(mergeRequest.authorId).username) ===
        world.user(mergeRequest.authorId).username &&
      (params.wip === undefined || (params.wip === 'yes') === /^draft:/i.test(mergeRequest.title))
    );
  };
  const keyOf = (mergeRequest: GitLabMergeRequest) =>
    params.order_by === 'updated_at' ? mergeRequest.updatedAtMs : mergeRequest.createdAtMs;
  const sign = params.sort === 'asc' ? 1 : -1;
  const found = mergeRequests
    .filter(isWanted)
    .sort((left, right) => sign * (keyOf(left) - keyOf(right) || left.id - right.id));
  return list(
    found.map((mergeRequest) => mergeRequestEntity(world, mergeRequest, false)),
    params,
  );
}

/** Merge requests, their versions and diffs. */
export const mergeRequestRoutes: readonly ApiRoute[] = [
  route('GET', '/merge_requests', filters, (request) => {
    const { world, params } = request;
    const user = signedIn(request);
    // Whatever one may see, public projects of strangers too; without a scope only one's own.
    const seen = world.projects
      .filter((project) => world.canReadCode(project, user))
      .flatMap((project) => project.mergeRequests)
      .filter((mergeRequest) => isInScope(mergeRequest, params.scope ?? 'created_by_me', user.id));
    return listOf(world, params, seen);
  }),
  route(
    'GET',
    '/projects/:id/merge_requests',
    filters,
    (request) => {
      const project = projectOf(request);
      if (!request.world.canReadCode(project, request.user)) throw forbidden();
      return listOf(request.world, request.params, project.mergeRequests);
    },
    { isAnonymous: true },
  ),
  route(
    'GET',
    '/projects/:id/merge_requests/:iid',
    {
      render_html: boolean.optional(),
      include_diverged_commits_count: boolean.optional(),
      include_rebase_in_progress: boolean.optional(),
    },
    (request) => json(mergeRequestEntity(request.world, mergeRequestOf(request), true)),
    { isAnonymous: true },
  ),
  route('GET', '/projects/:id/merge_requests/:iid/versions', paging, (request) => {
    const mergeRequest = mergeRequestOf(request);
    const versions = newestFirst(request.world, mergeRequest);
    return list(
      versions.map((version) => versionEntity(mergeRequest, version)),
      request.params,
    );
  }),
  route(
    'GET',
    '/projects/:id/merge_requests/:iid/versions/:version_id',
    { unidiff: boolean.optional() },
    async (request) => {
      const { world, path } = request;
      const mergeRequest = mergeRequestOf(request);
      const version = world
        .shownVersions(mergeRequest)
        .find((candidate) => String(candidate.id) === path['version_id']);
      if (version === undefined) throw notFound();
      const { repository } = world.project(mergeRequest.projectId);
      const { files } = await readDiff(world, mergeRequest, version);
      const shas = await repository.commitsBetween(version.startSha, version.headSha);
      const commits = await Promise.all(
        shas.map(async (id) => {
          const commit = await repository.readCommit(id);
          return { id, short_id: id.slice(0, 8), title: commit.message.split('\n')[0], message: commit.message };
        }),
      );
      return json({ ...versionEntity(mergeRequest, version), commits, diffs: files.map(diffEntity) });
    },
  ),
  route(
    'GET',
    '/projects/:id/merge_requests/:iid/diffs',
    { ...paging, unidiff: boolean.optional() },
    async (request) => {
      const mergeRequest = mergeRequestOf(request);
      const version = request.world.shownVersion(mergeRequest);
      if (version === null) return list([], request.params);
      const { files } = await readDiff(request.world, mergeRequest, version);
      return list(files.map(diffEntity), request.params);
    },
  ),
];
