/** The routes of `control-protocol.ts`, for scheduler and server alone. */
import { Router, type Request } from 'express';
import {
  MergeRequestRef,
  NumericId,
  RunId,
  RunRequest,
  RunsQuery,
  StaleError,
  StateRequest,
  TerminalError,
  type Member,
  type MergeRequest,
  type ProgressPage,
  type ReviewPolicy,
  type RunView,
  type RunsOver,
  type Secret,
  type StateWritten,
} from '@drydock/core';
import { z } from 'zod';
import { hasToken } from '../authenticate-control.ts';
import { startRun, type StartPorts } from '../context/start-run.ts';
import { KeyedLock } from '../git/keyed-lock.ts';
import { plainTarget } from '../http/plain-path.ts';
import { parseBody, readJson } from '../http/read-json.ts';
import { sendJson } from '../http/send-error.ts';
import { readReviewed } from '../publish/read-reviewed.ts';
import { writeState } from '../publish/write-state.ts';
import { requireForge } from '../require-forge.ts';
import { AwaitProgress } from '../runs/await-progress.ts';
import type { LiveRuns } from '../runs/live-runs.ts';
import { publishRun, type PublishRunPorts } from '../runs/publish-run.ts';
import { reportRun } from '../runs/report-run.ts';
import type { StoredRun } from '../runs/run-store.ts';
import { route, type RouteHandler, type RoutePorts } from './route.ts';

/** What scheduler and server are served from. */
export interface ControlPorts extends RoutePorts, PublishRunPorts, Omit<StartPorts, 'forge'> {
  readonly live: LiveRuns;
  readonly policy: ReviewPolicy;
}

const prefix = '/control/v1';
const wholeNumber = z.coerce.number().int().min(0).default(0);
const ProgressQuery = z.object({ after: wholeNumber, waitMs: wholeNumber });
const maxBodyBytes = 256 * 1024;

/** Who may do what; of each kind all are taken, so that one can be changed without a pause. */
export interface ControlTokens {
  readonly controlTokens: readonly Secret[];
  /** May read runs, their progress and their reports, and nothing else. */
  readonly viewTokens: readonly Secret[];
}

/** The other processes' side of the gateway. */
export function controlRoutes(ports: ControlPorts, { controlTokens, viewTokens }: ControlTokens): Router {
  const lock = new KeyedLock();
  const router = Router({ caseSensitive: true, strict: true });
  const asControl = (handler: RouteHandler) => forTokens(controlTokens, handler);
  const asViewer = (handler: RouteHandler) => forTokens([...controlTokens, ...viewTokens], handler);

  const mergeRequest: RouteHandler = async (request, response, signal) => {
    const ref = refOf(request);
    const forge = requireForge(ports.forges, ref.forge);
    const [found, reviewed] = await Promise.all([
      forge.readMergeRequest(ref, signal),
      readReviewed({ forge, markerKeys: ports.markerKeys }, ref, signal),
    ]);
    const body: MergeRequest = { ...found.mergeRequest, reviewed };
    sendJson(response, 200, body);
  };
  const mergeRequestPath = `${prefix}/merge-requests/:forge/:projectId/:iid`;
  router.get(mergeRequestPath, route(ports, 'merge_request', asControl(mergeRequest)));

  const state: RouteHandler = async (request, response, signal) => {
    const ref = refOf(request);
    const wanted = parseBody(StateRequest, await readJson(request, maxBodyBytes));
    const forge = requireForge(ports.forges, ref.forge);
    const kind = await lock.inTurn(keyOf(ref), () =>
      writeState({ ...ports, forge }, ref, wanted, ports.policy, signal),
    );
    const body: StateWritten = { v: 1, kind };
    sendJson(response, 200, body);
  };
  router.put(`${mergeRequestPath}/state`, route(ports, 'state', asControl(state)));

  const member: RouteHandler = async (request, response, signal) => {
    const projectId = idOf(request, 'projectId');
    const userId = idOf(request, 'userId');
    const forge = requireForge(ports.forges, textOf(request, 'forge'));
    const [self, { role, isBot }] = await Promise.all([forge.self(signal), forge.readRole(projectId, userId, signal)]);
    const body: Member = { v: 1, role, isSelf: self.id === userId, isBot };
    sendJson(response, 200, body);
  };
  router.get(`${prefix}/members/:forge/:projectId/:userId`, route(ports, 'member', asControl(member)));

  const start: RouteHandler = async (request, response, signal) => {
    const wanted = parseBody(RunRequest, await readJson(request, maxBodyBytes));
    const forge = requireForge(ports.forges, wanted.subject.forge);
    const grant = await startRun({ ...ports, forge }, wanted, signal);
    ports.metrics.granted(grant.kind === 'skip' ? grant.why : grant.kind);
    if (grant.kind === 'granted' || grant.kind === 'to-exchange') ports.live.endOlder(grant.runId);
    ports.log.info(
      { taskId: wanted.taskId, launch: wanted.launch, decision: grant.kind, headSha: wanted.diffRefs.headSha },
      'run asked for',
    );
    sendJson(response, 200, grant);
  };
  router.post(`${prefix}/runs`, route(ports, 'start_run', asControl(start)));

  const over: RouteHandler = async (request, response) => {
    const { runIds } = parseBody(RunsQuery, await readJson(request, maxBodyBytes));
    const runs = await Promise.all(runIds.map((runId) => ports.store.get(runId)));
    const body: RunsOver = { v: 1, over: runs.flatMap((run) => (run === null ? [] : overOf(viewOf(run)))) };
    sendJson(response, 200, body);
  };
  router.post(`${prefix}/runs/over`, route(ports, 'runs_over', asControl(over)));

  const view: RouteHandler = async (request, response) => {
    sendJson(response, 200, viewOf(await requireRun(ports, runIdOf(request))));
  };
  router.get(`${prefix}/runs/:runId`, route(ports, 'run', asViewer(view)));

  const awaitProgress = new AwaitProgress(ports.store, ports.clock);
  const progress: RouteHandler = async (request, response, signal) => {
    const query = parseBody(ProgressQuery, Object.fromEntries(plainTarget(request.originalUrl)?.query ?? []));
    const entries = await awaitProgress.after(runIdOf(request), query, signal);
    const body: ProgressPage = { v: 1, entries: [...entries] };
    sendJson(response, 200, body);
  };
  router.get(`${prefix}/runs/:runId/progress`, route(ports, 'run_progress', asViewer(progress)));

  const revoke: RouteHandler = async (request, response) => {
    const runId = runIdOf(request);
    await ports.store.revoke(runId);
    ports.live.end(runId, new StaleError('run.revoked', 'this run was ended'));
    response.status(204).end();
  };
  router.post(`${prefix}/runs/:runId/revoke`, route(ports, 'revoke', asControl(revoke)));

  const report: RouteHandler = async (request, response, signal) => {
    sendJson(response, 200, await reportRun(ports, runIdOf(request), signal));
  };
  router.get(`${prefix}/runs/:runId/report`, route(ports, 'run_report', asViewer(report)));

  const publish: RouteHandler = async (request, response, signal) => {
    const run = await requireRun(ports, runIdOf(request));
    const { context, runId } = run.record;
    const publication = await lock.inTurn(keyOf(context.subject), () => publishRun(ports, runId, signal));
    ports.metrics.published(publication.comments.filter(({ isNew }) => isNew).length);
    ports.log.info({ runId, taskId: context.taskId, count: publication.comments.length }, 'review published');
    sendJson(response, 200, publication);
  };
  router.post(`${prefix}/runs/:runId/publish`, route(ports, 'publish', asControl(publish)));
  return router;
}

const unauthorizedBody = {
  error: {
    class: 'blocked',
    code: 'gateway.unauthorized',
    message: 'the token is missing, wrong, or not good for this',
    retryAfterMs: null,
  },
} as const;

/** A route for who has one of these tokens. */
export function forTokens(tokens: readonly Secret[], handler: RouteHandler): RouteHandler {
  return async (request, response, signal) => {
    if (hasToken(tokens, request.headers)) await handler(request, response, signal);
    else sendJson(response, 401, unauthorizedBody);
  };
}

function viewOf({ record, isRevoked, isSuperseded, result, publication, usage }: StoredRun): RunView {
  return {
    v: 1,
    runId: record.runId,
    taskId: record.context.taskId,
    launch: record.context.launch,
    isRevoked: isRevoked || isSuperseded,
    isPublished: publication !== null,
    result,
    usage,
  };
}

function overOf({ runId, result, isRevoked }: RunView): RunsOver['over'] {
  if (result !== null) return [{ runId, why: 'result-is-in' }];
  return isRevoked ? [{ runId, why: 'revoked' }] : [];
}

async function requireRun({ store }: ControlPorts, runId: RunId): Promise<StoredRun> {
  const run = await store.get(runId);
  if (run === null) throw new TerminalError('run.unknown', 'no such run is known');
  return run;
}

/** A part of the path; empty: there is none. */
export function textOf({ params }: Request, name: string): string {
  const value = params[name];
  return typeof value === 'string' ? value : '';
}

/** A part of a path that is of another form names nothing. */
export function partOf<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TerminalError('request.not_found', 'there is nothing here');
}

function idOf(request: Request, name: string): NumericId {
  return partOf(NumericId, textOf(request, name));
}

function runIdOf(request: Request): RunId {
  return partOf(RunId, textOf(request, 'runId'));
}

const PathRef = z
  .object({
    forge: z.string(),
    projectId: z.string(),
    iid: z
      .string()
      .regex(/^[1-9]\d{0,9}$/)
      .transform(Number),
  })
  .pipe(MergeRequestRef);

function refOf(request: Request): MergeRequestRef {
  return partOf(PathRef, request.params);
}

function keyOf({ forge, projectId, iid }: MergeRequestRef): string {
  return `${forge}:${projectId}:${String(iid)}`;
}
