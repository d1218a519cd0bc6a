import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { z } from 'zod';

/** Who holds a lock, and what for: said to those who wait. */
export const LockHolder = z.object({ pid: z.int(), doing: z.string() });
export type LockHolder = z.infer<typeof LockHolder>;

/**
 * Waits for a lock and holds it until disposed of. The lock is a socket in Linux' abstract namespace: the kernel gives
 * it to one process at a time and takes it back when that one dies, however it dies, so there is no stale lock to break.
 */
export async function holdLock(
  name: string,
  doing: () => string,
  {
    signal,
    onWait = () => undefined,
  }: { readonly signal: AbortSignal; readonly onWait?: (holder: LockHolder) => void },
): Promise<AsyncDisposable> {
  const path = `\0drydock-${name}`;
  for (;;) {
    signal.throwIfAborted();
    const server = await listenOn(path, doing);
    if (server !== null) return releasing(server);
    await waitForHolder(path, signal, onWait);
  }
}

const connections = new WeakMap<Server, Set<Socket>>();

async function listenOn(path: string, doing: () => string): Promise<Server | null> {
  const waiters = new Set<Socket>();
  const server = createServer((socket) => {
    waiters.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => waiters.delete(socket));
    // Stays open: its end is what the waiter waits for.
    socket.write(`${JSON.stringify({ pid: process.pid, doing: doing() })}\n`);
  });
  connections.set(server, waiters);
  server.listen(path);
  try {
    await once(server, 'listening');
    server.unref();
    return server;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return null;
    throw error;
  }
}

function releasing(server: Server): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of connections.get(server) ?? []) socket.destroy();
      await closed;
    },
  };
}

async function waitForHolder(path: string, signal: AbortSignal, onWait: (holder: LockHolder) => void): Promise<void> {
  const socket = createConnection(path);
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    if (text.includes('\n') || text.length > 4096) return;
    text += chunk;
    if (!text.includes('\n')) return;
    const holder = LockHolder.safeParse(parseJson(text));
    if (holder.success) onWait(holder.data);
  });
  // The holder left before we connected, or died before it took us in: either way the next try tells.
  socket.on('error', () => undefined);
  const leave = () => socket.destroy();
  signal.addEventListener('abort', leave, { once: true });
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  signal.removeEventListener('abort', leave);
  signal.throwIfAborted();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
