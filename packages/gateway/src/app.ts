import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import type { Secret } from '@drydock/core';
import type { Registry } from 'prom-client';
import { hasToken } from './authenticate-control.ts';
import { plainTarget } from './http/plain-path.ts';
import { notFoundBody, sendJson } from './http/send-error.ts';
import { agentRoutes, type AgentPorts, type AgentSettings } from './routes/agent-routes.ts';
import { controlRoutes, type ControlPorts, type ControlTokens } from './routes/control-routes.ts';
import { route } from './routes/route.ts';
import { sweepRoutes } from './routes/sweep-routes.ts';

/** What the app is built from. */
export interface GatewayPorts extends AgentPorts, ControlPorts {
  readonly registry: Registry;
  /** Whether the process is on its way out: then it is not ready for more. */
  readonly isStopping: () => boolean;
}

/** Caps, the model, and who may give orders or look. */
export interface GatewayAppSettings extends AgentSettings, ControlTokens {}

const methods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT']);

/**
 * The whole HTTP surface of the gateway: the agents' routes, the control routes, health and metrics. Whatever else is
 * asked for, in whatever form, gets the same 404.
 */
export function createGatewayApp(ports: GatewayPorts, settings: GatewayAppSettings): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.enable('case sensitive routing');
  app.enable('strict routing');

  const notFound = route(ports, 'other', async (_request, response) => {
    sendJson(response, 404, notFoundBody);
  });
  app.use((request, response, next) => {
    // What a router could understand in two ways, or would answer by itself, never reaches it.
    if (!methods.has(request.method) || plainTarget(request.url) === null) void notFound(request, response, next);
    else next();
  });
  app.get(
    '/healthz',
    healthRoute(ports, async () => true),
  );
  app.get(
    '/readyz',
    healthRoute(ports, () => isReady(ports)),
  );
  app.get('/metrics', metricsRoute(ports, [...settings.controlTokens, ...settings.viewTokens]));
  app.use(agentRoutes(ports, settings));
  app.use(controlRoutes(ports, settings));
  app.use(sweepRoutes(ports, settings.controlTokens));
  app.use(notFound);
  // Express knows an error handler by its four parameters.
  app.use((err: unknown, _request: Request, response: Response, _next: NextFunction) => {
    ports.log.error({ err }, 'request failed: a bug');
    response.destroy();
  });
  return app;
}

function healthRoute(ports: GatewayPorts, isWell: () => Promise<boolean>): RequestHandler {
  return route(ports, 'health', async (_request, response) => {
    const well = await isWell();
    sendJson(response, well ? 200 : 503, { status: well ? 'ok' : 'unavailable' });
  });
}

async function isReady({ store, isStopping }: GatewayPorts): Promise<boolean> {
  if (isStopping()) return false;
  return store.ping().then(
    () => true,
    () => false,
  );
}

/** With a token: agents can reach this port, and the numbers are not theirs. */
function metricsRoute(ports: GatewayPorts, tokens: readonly Secret[]): RequestHandler {
  return route(ports, 'metrics', async (request, response) => {
    if (!hasToken(tokens, request.headers)) {
      sendJson(response, 404, notFoundBody);
      return;
    }
    const text = await ports.registry.metrics();
    response.writeHead(200, { 'content-type': ports.registry.contentType }).end(text);
  });
}
