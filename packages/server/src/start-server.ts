import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '@drydock/core';
import { createServerApp, type ServerPorts } from './app.ts';
import type { WebhookSettings } from './routes/webhooks.ts';

/** Where to listen; port 0 takes a free one. */
export interface ListenSettings {
  readonly host: string;
  readonly port: number;
}

/** A server at work. */
export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** Takes no new requests, finishes those in hand, then closes. */
  stop(): Promise<void>;
}

const headerLimits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 5000,
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
};
const stopGraceMs = 10_000;

/** Starts listening. Throws `ConfigError` when the port is taken or may not be used. */
export async function startServer(
  ports: Omit<ServerPorts, 'isStopping'>,
  settings: WebhookSettings,
  listen: ListenSettings,
): Promise<RunningServer> {
  let isStopping = false;
  const app = createServerApp({ ...ports, isStopping: () => isStopping }, settings);
  const server = createServer(headerLimits, app);
  server.maxHeadersCount = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: Error & { code?: string }) => {
      reject(new ConfigError(listenTrouble(cause.code, listen), { cause }));
    });
    server.listen(listen.port, listen.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host}:${String(port)}`,
    port,
    async stop() {
      isStopping = true;
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      server.closeIdleConnections();
      const force = setTimeout(() => {
        server.closeAllConnections();
      }, stopGraceMs);
      await closed;
      clearTimeout(force);
    },
  };
}

function listenTrouble(code: string | undefined, { host, port }: ListenSettings): string {
  const place = `port ${String(port)} on ${host}`;
  switch (code) {
    case 'EADDRINUSE':
      return `Cannot listen on ${place}: another program uses it. Stop that program, or set DRYDOCK_SERVER_PORT to a free port.`;
    case 'EACCES':
      return `Cannot listen on ${place}: not permitted. Ports below 1024 need root; set DRYDOCK_SERVER_PORT to a higher one.`;
    case undefined:
    default:
      return `Cannot listen on ${place} (${code ?? 'unknown reason'})`;
  }
}
