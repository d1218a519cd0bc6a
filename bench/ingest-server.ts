/** One server of the ingest benchmark in a process of its own: ours, or a peer. Prints its port; ends with its stdin. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { Secret, silentLog, systemClock } from '@drydock/core';
import { deliverySecrets } from '@drydock/forge';
import { connectRedisTaskQueue } from '@drydock/queue';
import { createServerMetrics, startServer } from '@drydock/server';
import { Queue } from 'bullmq';
import express, { type Request, type Response } from 'express';
import { Registry } from 'prom-client';
import { z } from 'zod';

const Settings = z.object({
  variant: z.enum(['drydock', 'express', 'express+bullmq']),
  redisUrl: z.string(),
  signingKey: z.string(),
});
type Settings = z.infer<typeof Settings>;

/** What the peers read of a delivery. */
const Event = z.object({ object_attributes: z.object({ iid: z.int(), action: z.string() }) });

const maxBodyBytes = 25 * 1024 * 1024;

async function startDrydock({ redisUrl, signingKey }: Settings): Promise<number> {
  const registry = new Registry();
  const queue = await connectRedisTaskQueue({ url: new Secret(redisUrl), log: silentLog });
  const hooks = new Map([['gitlab', deliverySecrets([new Secret(`whsec_${signingKey}`)])]]);
  const ports = {
    queue,
    registry,
    metrics: createServerMetrics(registry),
    log: silentLog,
    clock: systemClock,
    version: '0',
    store: 'redis',
  };
  const limits = { debounceMs: 5000, maxDebounceMs: 30_000, maxBodyBytes, maxBytesInFlight: 1024 ** 3 };
  const server = await startServer(ports, { hooks, isAllowed: () => true, ...limits }, { host: '127.0.0.1', port: 0 });
  return server.port;
}

/** What most people would write: express, the raw body, the signature, the JSON; and, if wanted, a job in BullMQ. */
async function startPeer({ redisUrl, signingKey, variant }: Settings): Promise<number> {
  const { hostname, port } = new URL(redisUrl);
  const queue =
    variant === 'express' ? null : new Queue('events', { connection: { host: hostname, port: Number(port) } });
  const key = Buffer.from(signingKey, 'base64');
  const app = express();
  app.post(
    '/webhooks/:forge',
    express.raw({ type: 'application/json', limit: maxBodyBytes }),
    async (request: Request, response: Response) => {
      const body: unknown = request.body;
      const header = (name: string) => request.get(name) ?? '';
      if (!Buffer.isBuffer(body)) {
        response.status(415).end();
        return;
      }
      const expected = createHmac('sha256', key)
        .update(`${header('webhook-id')}.${header('webhook-timestamp')}.`)
        .update(body)
        .digest();
      const given = Buffer.from(header('webhook-signature').slice(3), 'base64');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        response.status(401).end();
        return;
      }
      const event: unknown = JSON.parse(body.toString('utf8'));
      const { object_attributes: about } = Event.parse(event);
      if (queue !== null)
        await queue.add('review', { iid: about.iid, action: about.action }, { jobId: header('webhook-id') });
      response.status(200).end();
    },
  );
  await queue?.waitUntilReady();
  return await new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

const settings = Settings.parse(JSON.parse(process.argv[2] ?? '{}'));
const port = settings.variant === 'drydock' ? await startDrydock(settings) : await startPeer(settings);
process.stdout.write(`${String(port)}\n`);
process.stdin.resume().on('end', () => {
  process.stdout.write(`${JSON.stringify({ peakMb: process.resourceUsage().maxRSS / 1024 })}\n`);
  process.exit(0);
});
