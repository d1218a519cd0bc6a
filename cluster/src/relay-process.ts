// Runs inside a network of a cluster; is handed a socket that listens outside of it: see relay.ts.
import { connect, type Server, type Socket } from 'node:net';

const [host = '', port = ''] = process.argv.slice(2);

process.once('message', (_message, server: Server) => {
  server.on('connection', (outer: Socket) => {
    const inner = connect({ host, port: Number(port), noDelay: true });
    outer.setNoDelay(true);
    for (const [from, to] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  process.send?.('serving');
});
// The starter has seen enough and goes; the relay stays until it is ended.
process.on('disconnect', () => undefined);
process.send?.('here');
