import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ByteBudget, withBody, type Body } from './read-body.ts';

const maxBytes = 1000;

describe('withBody', () => {
  let server: Server;
  let budget: ByteBudget;
  let nextBody: Promise<Body>;
  /** Looks at the budget while a body is in use. */
  let whileInUse: () => void;

  beforeEach(async () => {
    budget = new ByteBudget(1500);
    const used = Promise.withResolvers<Body>();
    nextBody = used.promise;
    whileInUse = () => undefined;
    server = createServer((incoming, response) => {
      const use = (body: Body) => {
        whileInUse();
        return body;
      };
      void withBody(incoming, { maxBytes, budget }, use).then((body) => {
        used.resolve(body);
        response.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  function send(headers: Record<string, string> = {}) {
    const { port } = server.address() as AddressInfo;
    const call = request({ host: '127.0.0.1', port, method: 'POST', headers });
    call.on('error', () => undefined);
    return call;
  }

  it.each([0, 1, maxBytes])('reads %d bytes as they were sent', async (length) => {
    const sent = Buffer.alloc(length, 0xfe);

    send().end(sent);

    expect(await nextBody).toEqual({ kind: 'read', bytes: sent });
  });

  it('puts chunks together', async () => {
    const call = send();
    call.write('one, ');
    await new Promise((resolve) => setImmediate(resolve));
    call.end('two');

    expect(await nextBody).toEqual({ kind: 'read', bytes: Buffer.from('one, two') });
  });

  it('refuses an announced size without reading', async () => {
    send({ 'content-length': String(maxBytes + 1) }).write('x');

    expect(await nextBody).toEqual({ kind: 'too-large' });
    expect(budget.take(1500)).toBe(true);
  });

  it('stops at the cap where no size was announced', async () => {
    send().end(Buffer.alloc(maxBytes + 1));

    expect(await nextBody).toEqual({ kind: 'too-large' });
  });

  it('tells a body that broke off from a whole one', async () => {
    const call = send({ 'content-length': '10' });
    call.write('five5');
    await once(server, 'request');
    call.destroy();

    expect(await nextBody).toEqual({ kind: 'broken' });
  });

  it('charges for what came, while it is in use, and not for what was announced', async () => {
    const hadRoom: boolean[] = [];
    whileInUse = () => {
      hadRoom.push(budget.take(601), budget.take(600));
      budget.give(600);
    };
    const call = send({ 'content-length': '900' });
    call.write(Buffer.alloc(100));
    await once(server, 'request');
    await new Promise((resolve) => setImmediate(resolve));
    expect(budget.take(1400)).toBe(true);
    expect(budget.take(1)).toBe(false);
    budget.give(1400);

    call.end(Buffer.alloc(800));
    await nextBody;

    expect(hadRoom).toEqual([false, true]);
    expect(budget.take(1500)).toBe(true);
  });

  it('gives up when there is no room, and keeps nothing of it', async () => {
    budget.take(1400);

    send().end(Buffer.alloc(200));

    expect(await nextBody).toEqual({ kind: 'overloaded' });
    expect(budget.take(100)).toBe(true);
  });
});
