import { DrydockError, type Log } from '@drydock/core';
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

  /** What the store answers, or why it does not, in a code that holds no address or credential. */
  async function askStore<T>(question: () => Promise<T>): Promise<{ answer: T } | { trouble: string }> {
    try {
      return { answer: await question() };
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      log.warn({ code: err.code, err }, 'store does not answer');
      return { trouble: err.code };
    }
  }

  routes.get('/healthz', (_request, response) => {
    response.type('text').send('ok\n');
  });

  routes.get('/readyz', async (_request, response) => {
    const asked = isStopping() ? { trouble: 'stopping' } : await askStore(() => queue.ping());
    const isReady = 'answer' in asked;
    response
      .status(isReady ? 200 : 503)
      .type('text')
      .send(`${isReady ? 'ok' : asked.trouble}\n`);
  });

  routes.get('/health', async (_request, response) => {
    const asked = await askStore(async () => {
      await queue.ping();
      return queue.stats();
    });
    if ('trouble' in asked) {
      response.status(503).json({ status: 'degraded', redis: asked.trouble, version });
      return;
    }
    const { waiting, running, processedToday, dead } = asked.answer;
    response.json({
      status: isStopping() ? 'stopping' : 'ok',
      redis: store === 'redis' ? 'ok' : 'none: the queue is in memory',
      waiting,
      running,
      processedToday,
      dead,
      version,
    });
  });

  routes.get('/metrics', async (_request, response) => {
    // If it fails, the other metrics are worth more than ever.
    const asked = await askStore(() => Promise.all([queue.stats(), queue.pauses()]));
    if ('answer' in asked) metrics.queue(asked.answer[0], asked.answer[1].length);
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
