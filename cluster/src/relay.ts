import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, Server } from 'node:net';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import { partEnvironment } from './parts.ts';
import { identify, type ProcessId } from './proc.ts';

/** Which of the cluster's two networks. */
export type Network = 'network' | 'world';

/** A process that passes connections from loopback of this machine on into a network of the cluster. */
export interface Relay {
  readonly port: number;
  readonly id: ProcessId;
}

/**
 * A socket belongs to the network namespace that it was made in, whoever holds it. So the listening socket is made
 * here and handed to a process that lives there, which accepts on it and connects from where it is.
 */
export async function startRelay(
  layout: Layout,
  { network, port, host, targetPort }: { network: Network; port: number; host: string; targetPort: number },
): Promise<Relay> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const child = forkInside(layout, network, 'relay-process.ts', [host, String(targetPort)]);
  await messageOf(child);
  child.send('serve', server);
  await messageOf(child);
  server.close();
  const id = child.pid === undefined ? null : identify(child.pid);
  if (id === null) throw new Error('the relay ended');
  child.disconnect();
  child.unref();
  return { port: address.port, id };
}

/**
 * Listens at an address inside a network of the cluster; what connects there is served by this process, so that a
 * server of a test can be what pods talk to. `http.Server` takes the result where it takes a port.
 */
export async function listenInside(
  layout: Layout,
  network: Network,
  host: string,
  port: number,
): Promise<{ server: Server; port: number }> {
  const child = forkInside(layout, network, 'listen-process.ts', [host, String(port)]);
  const [message, server] = await messageOf(child);
  child.disconnect();
  if (!isServer(server)) throw new Error(`nothing listens at ${host}:${port} in the cluster: ${String(message)}`);
  return { server, port: Number(message) };
}

/** The next message with what came along; throws if the process ends before. */
async function messageOf(child: ChildProcess): Promise<readonly [unknown, unknown]> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new Error('a process inside of the cluster ended early; its words are in relay.log'));
    child.once('exit', end);
    child.once('message', (message: unknown, handle: unknown) => {
      child.off('exit', end);
      resolve([message, handle]);
    });
  });
}

/** Not `instanceof`: under jest the class of this realm is not Node's own. */
function isServer(value: unknown): value is Server {
  return typeof value === 'object' && value !== null && 'getConnections' in value;
}

function forkInside(layout: Layout, network: Network, script: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(layout.logs, 'relay.log'), 'a', 0o600);
  try {
    const child = fork(join(import.meta.dirname, script), args, {
      execPath: '/bin/sh',
      execArgv: [join(layout.folder, `enter-${network}`), process.execPath],
      detached: true,
      cwd: layout.folder,
      stdio: ['ignore', log, log, 'ipc'],
      env: partEnvironment(layout),
    });
    child.on('error', () => undefined);
    return child;
  } finally {
    closeSync(log);
  }
}
