import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '@drydock/core';
import type { Registry } from 'prom-client';

/** `/healthz` and `/metrics` at work. */
export interface RunningHealth {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Serves `/healthz` and `/metrics`. `whyIll` tells why the process should be started anew, null: it is well. Throws
 * `ConfigError` when the port is taken or may not be used.
 */
export async function startHealth(
  registry: Registry,
  listen: { readonly host: string; readonly port: number },
  whyIll: () => string | null = () => null,
) {
  const server = createServer((request, response) => {
    if (request.url === '/metrics') {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    } else if (request.url === '/healthz') {
      const why = whyIll();
      response.writeHead(why === null ? 200 : 503).end(why);
    } else response.writeHead(404).end();
  });
  await listening(server, listen);
  const running: RunningHealth = {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  return running;
}

function listening(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: Error & { code?: string }) => {
      const why = cause.code === 'EADDRINUSE' ? 'another program uses it' : (cause.code ?? 'unknown reason');
      const message = `Cannot listen on port ${String(port)} on ${host}: ${why}. Set DRYDOCK_SCHEDULER_PORT to a free port.`;
      reject(new ConfigError(message, { cause }));
    });
    server.listen(port, host, resolve);
  });
}
