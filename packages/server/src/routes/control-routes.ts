/**
 * The control API below `/api/v1`. First who asks, then whether they may, then what: nobody without a token learns more
 * than that there is an API. Every order leaves a line in the log with the name of its token, whatever became of it.
 *
 *   400 malformed · 401 no known token · 403 an admin's is needed · 404 · 405 · 413 · 424 a setting is missing · 503 a store is down
 */
import type { IncomingMessage } from 'node:http';
import {
  BlockedError,
  DrydockError,
  TaskId,
  TerminalError,
  controlPaths,
  toWireError,
  type ForgeId,
  type Log,
  type LogFacts,
  type Clock,
  type WireError,
} from '@drydock/core';
import { Router, type Request, type Response } from 'express';
import { createAuthenticator, type Caller, type ControlToken } from '../control/control-tokens.ts';
import { bindHandlers, type Answered, type Bound, type HandlerPorts } from '../control/handlers.ts';
import { openApiDocument } from '../control/open-api.ts';
import { Nothing } from '../control/operations.ts';
import { parseBody, parseQuery } from '../control/parse-query.ts';
import { cutOff } from '../cut-off.ts';
import { isNestedDeeperThan } from '../json-depth.ts';
import type { ServerMetrics } from '../metrics.ts';
import { ByteBudget, withBody } from '../read-body.ts';
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
const maxBodyBytes = 16 * 1024;
const maxBytesInFlight = 1024 * 1024;
const maxDepth = 16;
const tellEveryMs = 10_000;
const operationName = 'getOpenApi';

/** Everything below `/api/v1`. */
export function controlRoutes(ports: ControlPorts, { controlTokens = [] }: ControlSettings): Router {
  const authenticate = createAuthenticator(controlTokens);
  const budget = new ByteBudget(maxBytesInFlight);
  const refusals = new Seldom(ports.clock, tellEveryMs);
  const router = Router({ caseSensitive: true, strict: true });
  const callers = new WeakMap<Request, Caller>();
  const callerOf = (request: Request) => callers.get(request) ?? null;

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
      const status = await answer(bound, request, response, callerOf(request));
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

  async function answer(bound: Bound, request: Request, response: Response, caller: Caller | null): Promise<number> {
    const left = new AbortController();
    response.once('close', () => {
      left.abort();
    });
    const audited = bound.operation.role === 'admin' ? audit(ports, bound, request, caller) : null;
    try {
      if (caller === null) throw unauthorized();
      if (bound.operation.role === 'admin' && caller.role !== 'admin') throw forbidden(caller);
      const parsed = await parse(bound, request, budget);
      audited?.read(parsed);
      const done = await bound.run({ ...parsed, caller, signal: left.signal });
      audited?.done(done);
      sendText(response, 200, JSON.stringify(done.body));
      return 200;
    } catch (error) {
      audited?.failed(error);
      if (left.signal.aborted) return 0;
      if (!(error instanceof DrydockError))
        ports.log.error({ err: error, route: bound.operation.id }, 'request failed: a bug');
      return sendError(response, error);
    }
  }
}

interface ParsedRequest {
  readonly taskId: TaskId;
  readonly query: unknown;
  readonly body: unknown;
}

async function parse({ operation }: Bound, request: Request, budget: ByteBudget): Promise<ParsedRequest> {
  const taskId = operation.path.includes(':taskId') ? taskIdOf(request) : '';
  const query: unknown = parseQuery(operation.query, request.originalUrl);
  if (operation.body === Nothing) return { taskId, query, body: {} };
  return { taskId, query, body: parseBody(operation.body, await readJson(request, budget)) };
}

function taskIdOf({ params }: Request): TaskId {
  const { taskId } = params;
  const parsed = TaskId.max(120).safeParse(taskId);
  if (parsed.success) return parsed.data;
  throw new TerminalError('request.not_found', 'a task is named like review:gitlab:42:7');
}

async function readJson(request: IncomingMessage, budget: ByteBudget): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json[ \t]*(?:;|$)/i.test(type)) throw malformed('the content type must be application/json');
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
    throw malformed('packed bodies are not taken');
  const text = await withBody(request, { maxBytes: maxBodyBytes, budget }, (body) => {
    switch (body.kind) {
      case 'read':
        return body.bytes.toString('utf8');
      case 'too-large':
        throw new TerminalError('request.too_large', `the body is larger than ${String(maxBodyBytes)} bytes`);
      case 'overloaded':
      case 'broken':
        throw malformed('the body broke off, or there are too many at once');
    }
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('the body is no JSON'); // the cause would repeat what was sent
  }
  if (isNestedDeeperThan(value, maxDepth)) throw malformed('the body nests too deep');
  return value;
}

/** One line for each order, done or not. */
function audit(
  { log, clock }: { log: Log; clock: Clock },
  { operation }: Bound,
  request: Request,
  caller: Caller | null,
) {
  const startedAtMs = clock.monotonicMs();
  const { taskId } = request.params;
  let facts: LogFacts = { who: caller?.name ?? 'nobody', event: operation.id };
  if (TaskId.max(120).safeParse(taskId).success && typeof taskId === 'string') facts = { ...facts, taskId };
  const took = () => ({ durationMs: Math.round(clock.monotonicMs() - startedAtMs) });
  return {
    read({ query, body }: ParsedRequest): void {
      facts = { ...facts, ...scopeFacts(query), ...scopeFacts(body) };
    },
    done({ outcome, count }: Answered): void {
      log.info({ ...facts, ...took(), outcome, ...(count === null ? {} : { count }) }, 'order carried out');
    },
    failed(error: unknown): void {
      const code = error instanceof DrydockError ? { code: error.code } : {};
      log.warn({ ...facts, ...took(), ...code }, 'order not carried out');
    },
  };
}

/** What an order was about, as far as it is a fact for the log. */
function scopeFacts(value: unknown): LogFacts {
  if (typeof value !== 'object' || value === null) return {};
  const inner: object =
    'scope' in value && typeof value.scope === 'object' && value.scope !== null ? value.scope : value;
  const text = (key: string): string | null => {
    const found: unknown = Object.getOwnPropertyDescriptor(inner, key)?.value;
    return typeof found === 'string' ? found : null;
  };
  const [kind, forge, projectId]: readonly (ForgeId | null)[] = [text('kind'), text('forge'), text('projectId')];
  const why = 'why' in value && typeof value.why === 'string' ? { reason: value.why } : {};
  const dry = 'isDryRun' in value && value.isDryRun === true ? { decision: 'dry-run' } : {};
  return {
    ...(kind === null ? {} : { kind }),
    ...(forge === null ? {} : { forge }),
    ...(projectId === null ? {} : { projectId }),
    ...why,
    ...dry,
  };
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

function malformed(message: string): TerminalError {
  return new TerminalError('request.malformed', message);
}

const failedBody: WireError = {
  error: {
    class: 'terminal',
    code: 'control.failed',
    message: 'the server failed: its log says why',
    retryAfterMs: null,
  },
};

/** Sends what an error means; of a store's error only the code, for its message may hold an address. */
function sendError(response: Response, error: unknown, status?: number): number {
  const wire = toWireError(error) ?? { status: 500, body: failedBody };
  const { code } = wire.body.error;
  const body: WireError = code.startsWith('queue.')
    ? {
        error: {
          ...wire.body.error,
          message: 'the store of the queue does not answer or refuses: see the log of the server',
        },
      }
    : wire.body;
  const sent = status ?? statuses.get(code) ?? wire.status;
  if (sent === 503) response.setHeader('retry-after', '10');
  sendText(response, sent, JSON.stringify(body));
  return sent;
}

const statuses: ReadonlyMap<string, number> = new Map([
  ['control.unauthorized', 401],
  ['control.forbidden', 403],
  ['request.malformed', 400],
  ['request.not_found', 404],
  ['request.too_large', 413],
]);

function sendText(response: Response, status: number, text: string): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(text);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(response.req.complete ? {} : { connection: 'close' }),
  });
  if (response.req.complete) response.end(bytes);
  else cutOff(response.req, response, bytes);
}

function withoutPrefix(path: string): string {
  return path.slice(prefix.length);
}
