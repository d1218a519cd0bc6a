import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { controlRoutes, type ControlPorts, type ControlSettings } from './routes/control-routes.ts';
import { healthRoutes, type HealthPorts } from './routes/health.ts';
import { createWebhookHandler, type WebhookSettings } from './routes/webhooks.ts';
import type { Clock, Log, ReachPoint } from '@drydock/core';

/** What the app is built from. */
export interface ServerPorts extends HealthPorts, ControlPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each step of taking a delivery. */
  readonly reach?: ReachPoint | undefined;
}

/** How it takes webhooks in, and who may use the control API. */
export interface ServerSettings extends WebhookSettings, ControlSettings {}

/** The whole HTTP surface of the server. Anything it does not know is 404 with an empty body. */
export function createServerApp(ports: ServerPorts, settings: ServerSettings): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.enable('case sensitive routing');

  // The form for proxies, `POST http://other.host/…`, is of no use to anybody who means us.
  app.use((request, response, next) => {
    if (request.url.startsWith('/')) next();
    else response.status(404).end();
  });
  const receive = createWebhookHandler(ports, settings);
  app
    .route('/webhooks/:forge')
    .post((request: Request<{ forge: string }>, response) => receive(request, response, request.params.forge))
    .all((_request, response) => {
      response.status(405).set('allow', 'POST').end();
    });
  // Without tokens there is no API: its paths are as unknown as others.
  if ((settings.controlTokens ?? []).length > 0) app.use('/api/v1', controlRoutes(ports, settings));
  app.use(healthRoutes(ports));
  app.use((_request, response) => {
    response.status(404).end();
  });
  // Express knows an error handler by its four parameters.
  app.use((err: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(err);
      return;
    }
    if (err instanceof URIError) {
      response.status(400).end();
      return;
    }
    ports.log.error({ err }, 'request failed: a bug');
    response.status(500).end();
  });
  return app;
}
