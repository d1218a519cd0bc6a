import { z } from 'zod';
import { statusEntity } from '../api-entities.ts';
import { boolean, integer, optional, paging, text } from '../api-params.ts';
import { json, list, projectOf, route, signedIn, type ApiRoute } from '../api-route.ts';
import { GitLabApiError, notFound, type GitLabCommitStatus, type GitLabProject } from '../gitlab-state.ts';

const states = ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'] as const;
const maxTextLength = 255;

async function commitOf(project: GitLabProject, name: string): Promise<string> {
  const sha = await project.repository.resolve(name);
  if (sha === null) throw notFound('Commit');
  return sha;
}

function checkTexts(texts: Readonly<Record<string, string | undefined>>): void {
  const errors: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(texts)) {
    if ((value?.length ?? 0) > maxTextLength) errors[name] = [`is too long (maximum is ${maxTextLength} characters)`];
  }
  const { target_url: address } = texts;
  if (address !== undefined && !/^https?:\/\/[^\s/]+/.test(address)) {
    errors['target_url'] = ['is blocked: Only allowed schemes are http, https'];
  }
  if (Object.keys(errors).length > 0) throw new GitLabApiError(400, { message: errors });
}

/** A status that waits or runs goes only forward; one that has ended is followed by a new one. */
function checkTransition(from: GitLabCommitStatus['status'], to: GitLabCommitStatus['status']): void {
  const event = to === 'pending' ? 'enqueue' : to === 'running' ? 'run' : null;
  if (event === null || (from === 'pending' && to === 'running')) return;
  const message = `Cannot transition status via :${event} from :${from} (Reason(s): Status cannot transition via "${event}")`;
  throw new GitLabApiError(400, { message });
}

/** Statuses of commits. */
export const statusRoutes: readonly ApiRoute[] = [
  route(
    'POST',
    '/projects/:id/statuses/:sha',
    {
      state: z.enum(states),
      ref: optional(text),
      name: optional(text),
      context: optional(text),
      target_url: optional(text),
      description: optional(text),
      coverage: z
        .union([
          z.number(),
          z
            .string()
            .regex(/^\d+(?:\.\d+)?$/)
            .transform(Number),
        ])
        .optional(),
      pipeline_id: optional(integer),
    },
    async (request) => {
      const { world, params, path } = request;
      const project = projectOf(request, 'developer');
      const { sha = '' } = path;
      if (!/^[0-9a-f]{40,64}$/i.test(sha)) throw notFound('Commit');
      await commitOf(project, sha);
      const name = params.name ?? params.context ?? 'default';
      const { description, target_url } = params;
      checkTexts({ name, description, target_url });
      const ref = params.ref ?? null;
      const open = project.statuses.findLast(
        (status) => status.sha === sha && status.name === name && status.ref === ref,
      );
      if (open?.status === 'pending' || open?.status === 'running') {
        checkTransition(open.status, params.state);
        open.status = params.state;
        open.description = description ?? open.description;
        open.targetUrl = target_url ?? open.targetUrl;
        return json(statusEntity(world, open), 201);
      }
      const status: GitLabCommitStatus = {
        id: world.nextId(),
        sha,
        name,
        ref,
        status: params.state,
        description: description ?? null,
        targetUrl: target_url ?? null,
        coverage: params.coverage ?? null,
        authorId: signedIn(request).id,
        createdAtMs: world.nowMs(),
      };
      project.statuses.push(status);
      return json(statusEntity(world, status), 201);
    },
  ),
  route(
    'GET',
    '/projects/:id/repository/commits/:sha/statuses',
    {
      ...paging,
      ref: optional(text),
      name: optional(text),
      stage: optional(text),
      all: boolean.optional(),
      pipeline_id: optional(integer),
      order_by: z.enum(['id', 'pipeline_id']).optional(),
      sort: z.enum(['asc', 'desc']).optional(),
    },
    async (request) => {
      const { world, params, path } = request;
      const project = projectOf(request, 'reporter');
      const sha = await commitOf(project, path['sha'] ?? '');
      const found = project.statuses.filter(
        (status) =>
          status.sha === sha &&
          (params.ref ?? status.ref) === status.ref &&
          (params.name ?? status.name) === status.name,
      );
      const isLatest = (status: GitLabCommitStatus) =>
        found.findLast((candidate) => candidate.name === status.name && candidate.ref === status.ref) === status;
      const shown = params.all === true ? found : found.filter(isLatest);
      const sorted = params.sort === 'desc' ? shown.toReversed() : shown;
      return list(
        sorted.map((status) => statusEntity(world, status)),
        params,
      );
    },
  ),
];
