import { TransientError, type Log } from '@drydock/core';
import type { TaskQueue } from '@drydock/queue';
import { Router } from 'express';
import type { Registry } from 'prom-client';
import type { ServerMetrics } from '../metrics.ts';

/** What the pages about the server itself need. */
export interface HealthPorts {
  readonly queue: TaskQueue;
  readonly registry: Registry;
  readonly metrics: ServerMetrics;
  readonly log: Log;
  readonly version: string;
  /** Where the queue lives, in a word for people: `redis` or `memory`. */
  readonly store: string;
  /** Whether the server is about to stop: it is not ready then. */
  readonly isStopping: () => boolean;
}

/** `/healthz`, `/readyz`, `/health`, `/metrics`, `/version` and `/`. */
export function healthRoutes({ queue, registry, metrics, log, version, store, isStopping }: HealthPorts): Router {
  const routes = Router();

  /** Null when the store answers and takes writes; else why not, in words that hold no address or credential. */
  async function storeTrouble(): Promise<string | null> {
    try {
      await queue.ping();
      return null;
    } catch (err) {
      if (!(err instanceof TransientError)) throw err;
      log.warn({ code: err.code, err }, 'store does not answer');
      return err.code;
    }
  }

  routes.get('/healthz', (_request, response) => {
    response.type('text').send('ok\n');
  });

  routes.get('/readyz', async (_request, response) => {
    const trouble = isStopping() ? 'stopping' : await storeTrouble();
    response
      .status(trouble === null ? 200 : 503)
      .type('text')
      .send(`${trouble ?? 'ok'}\n`);
  });

  routes.get('/health', async (_request, response) => {
    const trouble = await storeTrouble();
    if (trouble !== null) {
      response.status(503).json({ status: 'degraded', [store]: trouble, version });
      return;
    }
    const { waiting, running, processedToday, dead } = await queue.stats();
    response.json({
      status: isStopping() ? 'stopping' : 'ok',
      [store]: 'ok',
      waiting,
      running,
      processedToday,
      dead,
      version,
    });
  });

  routes.get('/metrics', async (_request, response) => {
    try {
      const { waiting, running, oldestReadyMs } = await queue.stats();
      metrics.depth(waiting, running, oldestReadyMs);
    } catch (err) {
      if (!(err instanceof TransientError)) throw err; // the other metrics are worth more in this very moment
    }
    response.type(registry.contentType).send(await registry.metrics());
  });

  routes.get('/version', (_request, response) => {
    response.json({ name: 'drydock', version });
  });

  routes.get('/', (_request, response) => {
    response.json({ name: 'drydock', version, webhooks: '/webhooks/:forge', health: '/health', metrics: '/metrics' });
  });

  return routes;
}
