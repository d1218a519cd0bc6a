// Runs inside a network of a cluster for a moment: makes a socket that listens there, and hands it out: see relay.ts.
import { createServer } from 'node:net';

const [host, port] = process.argv.slice(2);
const server = createServer();
server.on('error', (error) => process.send?.(error.message, () => process.exit(1)));
server.listen({ host, port: Number(port) }, () => {
  const address = server.address();
  process.send?.(typeof address === 'object' ? address?.port : 0, server);
});
process.on('disconnect', () => process.exit(0));
