import { expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { limitConnections } from './limit-connections.ts';

it('closes connections of one address over its limit, and takes new ones when others ended', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('data', () => socket.write('hello'));
  });
  limitConnections(server, { total: 10, perAddress: 2 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('hi');
    const taken = await Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
    return { socket, taken };
  };

  const [first, second, third] = [await open(), await open(), await open()];
  expect([first.taken, second.taken, third.taken]).toEqual([true, true, false]);

  first.socket.destroy();
  await once(first.socket, 'close');
  let fourth = await open();
  while (!fourth.taken) fourth = await open(); // the server hears of the end a moment later
  expect(fourth.taken).toBe(true);

  for (const { socket } of [second, fourth]) socket.destroy();
  server.close();
});
