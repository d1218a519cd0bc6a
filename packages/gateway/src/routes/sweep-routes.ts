/** Routes that the scheduler's sweep finds with what no webhook told of. */
import { Router, type Request } from 'express';
import { NumericId, type HookReport, type OpenMergeRequestPage, type ProjectPage, type Secret } from '@drydock/core';
import type { Forge } from '@drydock/forge';
import { z } from 'zod';
import { plainTarget } from '../http/plain-path.ts';
import { parseBody } from '../http/read-json.ts';
import { sendJson } from '../http/send-error.ts';
import { requireForge } from '../require-forge.ts';
import { forTokens, partOf, textOf } from './control-routes.ts';
import { route, type RouteHandler, type RoutePorts } from './route.ts';

/** What the sweep is served from. */
export interface SweepPorts extends RoutePorts {
  readonly forges: ReadonlyMap<string, Forge>;
}

const prefix = '/control/v1';
const Cursor = z.string().max(200).optional();
const ProjectQuery = z.object({ cursor: Cursor });
const OpenQuery = z.object({
  projectId: NumericId.optional(),
  updatedAfterMs: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .optional(),
  cursor: Cursor,
});

/** For the scheduler alone. Each page is one call of the forge's API. */
export function sweepRoutes(ports: SweepPorts, tokens: readonly Secret[]): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const forgeOf = (request: Request) => requireForge(ports.forges, textOf(request, 'forge'));

  const projects: RouteHandler = async (request, response, signal) => {
    const forge = forgeOf(request);
    const { cursor = null } = queryOf(ProjectQuery, request);
    const page = await forge.listProjects(cursor, signal);
    const body: ProjectPage = {
      v: 1,
      projects: page.items.map(({ projectId, projectPath }) => ({ projectId, projectPath })),
      cursor: page.cursor,
      canListAll: forge.canListAll,
    };
    sendJson(response, 200, body);
  };
  router.get(`${prefix}/projects/:forge`, route(ports, 'projects', forTokens(tokens, projects)));

  const open: RouteHandler = async (request, response, signal) => {
    const forge = forgeOf(request);
    const { projectId = null, updatedAfterMs = null, cursor = null } = queryOf(OpenQuery, request);
    const page = await forge.listOpenMergeRequests({ projectId, updatedAfterMs, cursor }, signal);
    const body: OpenMergeRequestPage = { v: 1, mergeRequests: [...page.items], cursor: page.cursor };
    sendJson(response, 200, body);
  };
  router.get(`${prefix}/open-merge-requests/:forge`, route(ports, 'open_merge_requests', forTokens(tokens, open)));

  const hooks: RouteHandler = async (request, response, signal) => {
    const projectId = partOf(NumericId, textOf(request, 'projectId'));
    const found = await forgeOf(request).listHooks(projectId, signal);
    const body: HookReport =
      found === null ? { v: 1, kind: 'unseen' } : { v: 1, kind: 'seen', hooks: found.map((hook) => ({ ...hook })) };
    sendJson(response, 200, body);
  };
  router.get(`${prefix}/hooks/:forge/:projectId`, route(ports, 'hooks', forTokens(tokens, hooks)));
  return router;
}

function queryOf<Schema extends z.ZodType>(schema: Schema, request: Request): z.output<Schema> {
  return parseBody(schema, Object.fromEntries(plainTarget(request.originalUrl)?.query ?? []));
}
