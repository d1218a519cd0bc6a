/**
 * The control API below `/api/v1`. First who asks, then whether they may, then what: nobody without a token learns more
 * than that there is an API. Every order leaves a line in the log with the name of its token, whatever became of it.
 *
 *   400 malformed · 401 no known token · 403 an admin's is needed · 404 · 405 · 413 · 424 a setting is missing · 503 a store is down
 */
import { BlockedError, DrydockError, TerminalError, controlPaths, type Log } from '@drydock/core';
import { Router, type Request, type Response } from 'express';
import { startAudit } from '../control/audit.ts';
import { createAuthenticator, type Caller, type ControlToken } from '../control/control-tokens.ts';
import { bindHandlers, type Bound, type HandlerPorts } from '../control/handlers.ts';
import { openApiDocument } from '../control/open-api.ts';
import { readRequest } from '../control/read-request.ts';
import { sendError, sendText } from '../control/send-answer.ts';
import type { ServerMetrics } from '../metrics.ts';
import { ByteBudget } from '../read-body.ts';
import { Seldom } from '../seldom.ts';

/** What the API is served from. */
export interface ControlPorts extends HandlerPorts {
  readonly log: Log;
  readonly metrics: ServerMetrics;
}

/** Who may use it. */
export interface ControlSettings {
  /** None: there is no API. */
  readonly controlTokens?: readonly ControlToken[];
}

const prefix = '/api/v1';
const maxBytesInFlight = 1024 * 1024;
const tellEveryMs = 10_000;
const operationName = 'getOpenApi';

/** Everything below `/api/v1`. */
export function controlRoutes(ports: ControlPorts, { controlTokens = [] }: ControlSettings): Router {
  const authenticate = createAuthenticator(controlTokens);
  const budget = new ByteBudget(maxBytesInFlight);
  const refusals = new Seldom(ports.clock, tellEveryMs);
  const troubles = new Seldom(ports.clock, tellEveryMs);
  const router = Router({ caseSensitive: true, strict: true });
  const callers = new WeakMap<Request, Caller>();

  router.use((request, response, next) => {
    const caller = authenticate(request.headers);
    if (caller !== null) {
      callers.set(request, caller);
      next();
      return;
    }
    const count = refusals.count('unauthorized');
    if (count !== null) ports.log.warn({ count, status: 401 }, 'control request without a known token');
    ports.metrics.controlAnswered('unauthorized', 401);
    response.setHeader('www-authenticate', 'Bearer realm="drydock"');
    sendError(response, unauthorized());
  });

  const openApi = JSON.stringify(openApiDocument(ports.version));
  router.get(withoutPrefix(controlPaths.openApi), (_request, response) => {
    ports.metrics.controlAnswered(operationName, 200);
    sendText(response, 200, openApi);
  });

  const methods = new Map<string, string[]>([[controlPaths.openApi, ['GET', 'HEAD']]]);
  for (const bound of bindHandlers(ports)) {
    const { method, path } = bound.operation;
    const verbs = method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()];
    methods.set(path, [...(methods.get(path) ?? []), ...verbs]);
    router[method](withoutPrefix(path), async (request: Request, response: Response) => {
      const status = await answer(bound, request, response);
      ports.metrics.controlAnswered(bound.operation.id, status);
    });
  }
  for (const [path, allowed] of methods) {
    router.all(withoutPrefix(path), (_request, response) => {
      response.setHeader('allow', allowed.join(', '));
      sendError(response, new TerminalError('request.malformed', `this path takes ${allowed.join(', ')}`), 405);
    });
  }
  router.use((_request, response) => {
    sendError(response, new TerminalError('request.not_found', 'there is nothing here'));
  });
  return router;

  async function answer({ operation, run }: Bound, request: Request, response: Response): Promise<number> {
    const caller = callers.get(request) ?? null;
    const left = new AbortController();
    response.once('close', () => {
      left.abort();
    });
    const audit = operation.role === 'admin' ? startAudit(ports, operation, request, caller) : null;
    try {
      if (caller === null) throw unauthorized();
      if (operation.role === 'admin' && caller.role !== 'admin') throw forbidden(caller);
      const parsed = await readRequest(operation, request, budget);
      audit?.read(parsed);
      const done = await run({ ...parsed, caller, signal: left.signal });
      audit?.done(done);
      sendText(response, 200, JSON.stringify(done.body));
      return 200;
    } catch (error) {
      audit?.failed(error);
      if (left.signal.aborted) return 0;
      tell(error, operation.id);
      return sendError(response, error);
    }
  }

  /** What the caller cannot mend is told here as well, seldom: a dashboard asks every few seconds. */
  function tell(err: unknown, route: string): void {
    if (!(err instanceof DrydockError)) {
      ports.log.error({ err, route }, 'request failed: a bug');
      return;
    }
    if (/^(?:control|request)\./.test(err.code)) return;
    const count = troubles.count(err.code);
    if (count !== null) ports.log.warn({ code: err.code, err, route, count }, 'control request failed');
  }
}

function unauthorized(): BlockedError {
  return new BlockedError(
    'control.unauthorized',
    'the token is missing or not known; send it as "Authorization: Bearer …"',
  );
}

function forbidden({ name }: Caller): BlockedError {
  return new BlockedError(
    'control.forbidden',
    `the token of ${name} may only look: this needs one of DRYDOCK_ADMIN_TOKENS`,
  );
}

function withoutPrefix(path: string): string {
  return path.slice(prefix.length);
}
