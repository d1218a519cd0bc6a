/** Routes that the scheduler's sweep finds with what no webhook told of. */
import { Router, type Request } from 'express';
import {
  NumericId,
  type FailedDeliveryPage,
  type HookReport,
  type OpenMergeRequestPage,
  type ProjectPage,
  type ResendReport,
  type Secret,
} from '@drydock/core';
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
const PageQuery = z.object({
  page: z
    .string()
    .regex(/^[1-9]\d{0,3}$/)
    .transform(Number)
    .optional(),
});
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

  const failures: RouteHandler = async (request, response, signal) => {
    const hook = hookOf(request);
    const { page = 1 } = queryOf(PageQuery, request);
    const found = await forgeOf(request).listFailedDeliveries(hook, page, signal);
    const deliveries = (found?.items ?? []).map((delivery) => ({ ...delivery }));
    const body: FailedDeliveryPage = { v: 1, deliveries, nextPage: found?.nextPage ?? null };
    sendJson(response, 200, body);
  };
  const hookPath = `${prefix}/hooks/:forge/:projectId/:hookId`;
  router.get(`${hookPath}/failures`, route(ports, 'hook_failures', forTokens(tokens, failures)));

  const resend: RouteHandler = async (request, response, signal) => {
    const delivery = { ...hookOf(request), eventId: partOf(NumericId, textOf(request, 'eventId')) };
    const body: ResendReport = { v: 1, kind: await forgeOf(request).resendDelivery(delivery, signal) };
    sendJson(response, 200, body);
  };
  router.post(`${hookPath}/failures/:eventId/resend`, route(ports, 'hook_resend', forTokens(tokens, resend)));
  return router;
}

function hookOf(request: Request): { readonly projectId: NumericId; readonly hookId: NumericId } {
  return {
    projectId: partOf(NumericId, textOf(request, 'projectId')),
    hookId: partOf(NumericId, textOf(request, 'hookId')),
  };
}

function queryOf<Schema extends z.ZodType>(schema: Schema, request: Request): z.output<Schema> {
  return parseBody(schema, Object.fromEntries(plainTarget(request.originalUrl)?.query ?? []));
}
