import type { Server } from 'node:net';

/** So that no single host can keep all others out: closes connections over a limit from one address. */
export function limitConnections(
  server: Server,
  limits: { readonly total: number; readonly perAddress: number },
): void {
  const open = new Map<string, number>();
  server.maxConnections = limits.total;
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
    if (count > limits.perAddress) socket.destroy();
  });
}
