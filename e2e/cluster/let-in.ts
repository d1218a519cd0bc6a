import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { ClusterNode } from '../../cluster/start-cluster.ts';

/** A server of this process that pods reach beyond their node, as they reach any forge or model. */
export interface LetIn extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** Gives a server on loopback an address that pods can reach, if their network policies let them. */
export async function letIn(node: ClusterNode, loopbackUrl: string): Promise<LetIn> {
  const inside = await node.listen('world');
  const port = Number(new URL(loopbackUrl).port);
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const behind = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, behind],
      [behind, client],
    ] as const) {
      open.add(one);
      one.on('error', () => undefined);
      one.once('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(inside.handle);
  await once(server, 'listening');
  return {
    url: `http://${inside.host}:${String(inside.port)}`,
    port: inside.port,
    async [Symbol.asyncDispose]() {
      const closed = Promise.all([once(server, 'close'), once(inside.handle, 'close')]);
      server.close();
      inside.handle.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
