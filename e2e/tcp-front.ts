import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An address that stays while what stands behind it changes, as a Service of Kubernetes. */
export interface TcpFront extends AsyncDisposable {
  readonly url: string;
  /** Where new connections go from now on; null: they are broken at once. */
  leadTo(port: number | null): void;
}

/** Opens a front on loopback; it leads nowhere yet. */
export async function openTcpFront(): Promise<TcpFront> {
  let target: number | null = null;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.once('close', () => open.delete(client));
    client.on('error', () => undefined);
    if (target === null) {
      client.destroy();
      return;
    }
    const behind = connect(target, '127.0.0.1');
    behind.on('error', () => client.destroy());
    behind.once('close', () => client.destroy());
    client.once('close', () => behind.destroy());
    client.pipe(behind);
    behind.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    leadTo(to) {
      target = to;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
