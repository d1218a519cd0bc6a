import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as Listener, type AddressInfo } from 'node:net';
import { ConfigError, type Clock } from '@drydock/core';
import { createServerApp, type ServerPorts, type ServerSettings } from './app.ts';

/** Where to listen; port 0 takes a free one. */
export interface ListenSettings {
  readonly host: string;
  readonly port: number;
}

/** A server at work. */
export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** Finishes what it has in hand, takes nothing new, closes. */
  stop(): Promise<void>;
}

/** How much time senders get, in milliseconds. Forges wait ten seconds for an answer: who sends slower does not hear it. */
export const serverTimes = {
  headers: 5000,
  wholeRequest: 10_000,
  keepAlive: 65_000,
  /** How often the limits are looked at. */
  check: 1000,
  /** While stopping: for what was sent to us before its sender could know. */
  lastCall: 100,
  /** While stopping: for what is in hand. */
  grace: 10_000,
};
const maxHeaderBytes = 16 * 1024;
const maxHeaders = 100;
/**
 * Connections that wait to be accepted while the event loop is busy. Node's own 511 are too few for a burst: who finds no
 * place tries again after a second. The kernel allows no more than `net.core.somaxconn`, which is 4,096 on Linux.
 */
const maxUnaccepted = 4096;

/** Starts listening. Throws `ConfigError` when the port is taken or may not be used. */
export async function startServer(
  ports: Omit<ServerPorts, 'isStopping'>,
  settings: ServerSettings,
  listen: ListenSettings,
  times = serverTimes,
): Promise<RunningServer> {
  let isStopping = false;
  const app = createServerApp({ ...ports, isStopping: () => isStopping }, settings);
  const open = new Set<ServerResponse>();
  const limits = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: times.headers,
    requestTimeout: times.wholeRequest,
    keepAliveTimeout: times.keepAlive,
    connectionsCheckingInterval: times.check,
  };
  const server = createServer(limits, (request, response) => {
    open.add(response);
    response.once('close', () => open.delete(response));
    if (isStopping) response.setHeader('connection', 'close');
    if (hasTooManyHeaders(request)) response.writeHead(431, { connection: 'close', 'content-length': '0' }).end();
    else app(request, response);
  });
  server.maxHeadersCount = 0; // node would drop those over the count without a word
  await listening(server, listen);
  const { port } = server.address() as AddressInfo;
  return {
    url: urlOf(listen.host, port),
    port,
    async stop() {
      isStopping = true;
      for (const response of open) if (!response.headersSent) response.setHeader('connection', 'close');
      await stopGracefully(server, ports.clock, times);
    },
  };
}

function hasTooManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length > 2 * maxHeaders;
}

function listening(server: Server, { host, port }: ListenSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: Error & { code?: string }) => {
      reject(new ConfigError(listenTrouble(cause.code, { host, port }), { cause }));
    });
    server.listen({ port, host, backlog: maxUnaccepted }, resolve);
  });
}

/**
 * Each answer now says that it was the last on its connection, so senders go away by themselves. First those that do
 * not know yet are still let in; then those that are in may still speak; then silent connections are closed, and in the
 * end all: to whom still waits nothing was promised.
 */
async function stopGracefully(server: Server, clock: Clock, { lastCall, grace }: typeof serverTimes): Promise<void> {
  const closed = new AbortController();
  await clock.sleep(lastCall, closed.signal);
  const ended = new Promise<void>((resolve) => {
    // Of an HTTP server, `close` would at once cut off those whose request is on its way to us.
    Listener.prototype.close.call(server, () => {
      closed.abort();
      resolve();
    });
  });
  await clock.sleep(lastCall, closed.signal);
  server.closeIdleConnections();
  await clock.sleep(grace, closed.signal);
  server.closeAllConnections();
  await ended;
}

function urlOf(host: string, port: number): string {
  const own = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? (host.includes(':') ? `[${host}]` : host);
  return `http://${own}:${String(port)}`;
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
