import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { Secret, projectAllowList, silentLog, systemClock, type Clock, type Log } from '@drydock/core';
import { deliverySecrets } from '@drydock/forge';
import { MemoryTaskQueue, type TaskQueue } from '@drydock/queue';
import { Registry } from 'prom-client';
import { createServerMetrics } from '../metrics.ts';
import type { ServerSettings } from '../app.ts';
import type { RunLogs } from '../control/run-logs.ts';
import { serverTimes, startServer, type RunningServer } from '../start-server.ts';

/** The head of the hooks that are built here. */
export const head = 'a'.repeat(40);
/** The plain token that the test server takes. */
const plainToken = 'plain-token';
/** What a forge sends with that token. */
export const tokenHeaders = { 'content-type': 'application/json', 'x-gitlab-token': plainToken };

const signingKey = Buffer.alloc(32, 5);

/** What differs from a server on a memory queue that takes the projects of the group `shop`. */
export interface TestServerOptions {
  readonly queue?: TaskQueue;
  readonly settings?: Partial<ServerSettings>;
  readonly runLogs?: RunLogs;
  readonly clock?: Clock;
  readonly registry?: Registry;
  readonly times?: Partial<typeof serverTimes>;
  readonly log?: Log;
}

/** A server on a free port of loopback. */
export async function startTestServer(options: TestServerOptions = {}): Promise<RunningServer> {
  const { registry = new Registry() } = options;
  const secrets = deliverySecrets([new Secret(`whsec_${signingKey.toString('base64')}`), new Secret(plainToken)]);
  return startServer(
    {
      queue: options.queue ?? new MemoryTaskQueue({ clock: systemClock }),
      registry,
      metrics: createServerMetrics(registry),
      log: options.log ?? silentLog,
      clock: options.clock ?? systemClock,
      version: '1.2.3',
      store: 'redis',
      ...(options.runLogs === undefined ? {} : { runLogs: options.runLogs }),
    },
    {
      hooks: new Map([['gitlab', secrets]]),
      isAllowed: projectAllowList(['shop/*']),
      debounceMs: 0,
      maxDebounceMs: 0,
      maxBodyBytes: 64 * 1024,
      maxBytesInFlight: 1024 * 1024,
      ...options.settings,
    },
    { host: '127.0.0.1', port: 0 },
    { ...serverTimes, lastCall: 20, ...options.times },
  );
}

/** A merge request that was opened, as GitLab tells it. */
export function aHook(attributes: object = {}, project = 'shop/orders'): string {
  return JSON.stringify({
    object_kind: 'merge_request',
    project: { id: 42, path_with_namespace: project },
    object_attributes: { iid: 7, action: 'open', last_commit: { id: head }, ...attributes },
  });
}

/** The headers of Standard Webhooks over these bytes, by the key that the test server takes, signed now. */
export function signedHeaders(body: string | Buffer, id: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', signingKey).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${mac}`,
  };
}

/** A connection on which a test writes what no HTTP client would. */
export function rawConnection(port: number): { write(text: string): void; readonly received: Promise<string> } {
  const socket = connect(port, '127.0.0.1');
  const received = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => undefined); // a reset is an end like another
    socket.on('close', () => {
      resolve(text);
    });
  });
  return { write: (text) => void socket.write(text), received };
}

/** The first lines of a delivery; a header whose value is null is left out. */
export function requestHead(headers: Record<string, string | null> = {}): string {
  const all: Record<string, string | null> = { host: 'x', ...tokenHeaders, ...headers };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return `${['POST /webhooks/gitlab HTTP/1.1', ...lines].join('\r\n')}\r\n\r\n`;
}
