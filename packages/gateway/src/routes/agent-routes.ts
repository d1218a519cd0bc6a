/** The routes of `agent-protocol.ts`. Every one is for the run of the token and for no other. */
import { Router, type Response } from 'express';
import {
  AgentResult,
  DrydockError,
  ProgressReport,
  agentRoutes as paths,
  type ResultStored,
  type StaleError,
} from '@drydock/core';
import { parseBody, readJson } from '../http/read-json.ts';
import { errorAnswer, sendJson } from '../http/send-error.ts';
import { Slots } from '../http/slots.ts';
import { modelErrorAnswer, unauthorizedAnswer } from '../model/model-error.ts';
import type { ModelSettings } from '../model/model-settings.ts';
import { proxyMessages, type ModelPorts } from '../model/proxy-messages.ts';
import { keepResult } from '../runs/keep-result.ts';
import type { LiveRuns } from '../runs/live-runs.ts';
import { plainEvent } from '../runs/plain-event.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { MaybeExchange } from '../exchange/exchange-token.ts';
import { exchangeRoute } from './exchange-route.ts';
import { forRun, type RunHandler } from './for-run.ts';
import { describeGit, serveGit, type GitPorts } from './git-routes.ts';
import { route, type RouteHandler, type RoutePorts } from './route.ts';

/** What agents are served from. */
export interface AgentPorts extends RoutePorts, GitPorts, MaybeExchange {
  readonly store: RunStore;
  readonly live: LiveRuns;
  readonly model: ModelPorts;
}

/** Caps on what agents send and how long they are served. */
export interface AgentSettings {
  readonly model: ModelSettings;
  readonly maxModelRequestBytes: number;
  readonly gitTimeoutMs: number;
}

const maxResultBytes = 8 * 1024 * 1024;
const maxProgressBytes = 512 * 1024;

/** The agents' side of the gateway. */
export function agentRoutes(ports: AgentPorts, settings: AgentSettings): Router {
  const gitSlots = new Slots({ total: 12, perKey: 3 });
  const modelSlots = new Slots({ total: 100, perKey: 6 });
  const asRun = (handler: RunHandler) => forRun(ports, handler, sendUnauthorized);
  const router = Router({ caseSensitive: true, strict: true });

  if (ports.exchange !== null) router.post(paths.exchange, route(ports, 'exchange', exchangeRoute(ports.exchange)));

  const context: RunHandler = async (run, _request, response) => {
    sendJson(response, 200, run.record.context);
  };
  router.get(paths.context, route(ports, 'context', asRun(context)));

  const progress: RunHandler = async (run, request, response) => {
    const { events } = parseBody(ProgressReport, await readJson(request, maxProgressBytes));
    await ports.store.addProgress(run.record.runId, events.map(plainEvent), ports.clock.nowMs());
    response.status(204).end();
  };
  router.post(paths.progress, route(ports, 'progress', asRun(progress)));

  const result: RunHandler = async (run, request, response) => {
    const handedIn = parseBody(AgentResult, await readJson(request, maxResultBytes));
    ports.reach?.('run.result-storing');
    await keepResult(ports.store, run, handedIn, ports.clock.nowMs());
    ports.reach?.('run.result-stored');
    const stored: ResultStored = { v: 1, stored: true };
    sendJson(response, 200, stored);
  };
  router.put(paths.result, route(ports, 'result', asRun(result)));

  router.get(`${paths.git}/info/refs`, route(ports, 'git_refs', asRun(describeGit)));
  const uploadPack = inTurn(gitSlots, serveGit(ports, settings.gitTimeoutMs));
  router.post(`${paths.git}/git-upload-pack`, route(ports, 'git_upload_pack', asRun(uploadPack)));

  const messages: RunHandler = async (run, request, response, signal) => {
    const body = await readJson(request, settings.maxModelRequestBytes);
    const beta = String(request.headers['anthropic-beta'] ?? '');
    await proxyMessages(ports.model, settings.model, { run, body, beta, signal }, response);
  };
  const asModelClient = forRun(ports, inTurn(modelSlots, messages), sendModelUnauthorized);
  router.post(`${paths.anthropic}/v1/messages`, route(ports, 'messages', withModelErrors(asModelClient)));
  return router;
}

/** One run cannot fill the memory with requests, nor all processes with its fetches: bodies are read in turn. */
function inTurn(slots: Slots, handler: RunHandler): RunHandler {
  return (run, request, response, signal) =>
    slots.use(run.record.runId, signal, () => handler(run, request, response, signal));
}

function sendUnauthorized(response: Response, error: StaleError): void {
  sendJson(response, 401, errorAnswer(error)?.body);
}

function sendModelUnauthorized(response: Response, error: StaleError): void {
  const { status, headers, body } = unauthorizedAnswer(error);
  response.writeHead(status, { ...headers, connection: 'close' }).end(body);
}

function withModelErrors(handler: RouteHandler): RouteHandler {
  return async (request, response, signal) => {
    try {
      await handler(request, response, signal);
    } catch (error) {
      if (!(error instanceof DrydockError) || response.headersSent) throw error;
      const { status, headers, body } = modelErrorAnswer(error);
      response.writeHead(status, request.complete ? headers : { ...headers, connection: 'close' }).end(body);
    }
  };
}
