import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startTcpFaultProxy, type TcpFaultProxy } from './tcp-fault-proxy.ts';

/** A server that sends back what it gets, and closes when it is closed to. */
async function startEcho(): Promise<{ server: Server; port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port, sockets };
}

/** A client that keeps what it got, and when. */
class Client {
  readonly socket: Socket;
  readonly pieces: { readonly bytes: Buffer; readonly atMs: number }[] = [];
  readonly closed: Promise<string>;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    let end = 'closed';
    this.socket.on('data', (bytes: Buffer) => this.pieces.push({ bytes, atMs: performance.now() }));
    this.socket.on('error', (error: Error & { code?: string }) => (end = error.code ?? 'error'));
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        resolve(end);
      });
    });
  }

  get received(): string {
    return Buffer.concat(this.pieces.map(({ bytes }) => bytes)).toString();
  }

  /** Resolves when so much was received. */
  async until(bytes: number): Promise<void> {
    while (Buffer.byteLength(this.received) < bytes) await once(this.socket, 'data');
  }
}

describe('startTcpFaultProxy', () => {
  let echo: Awaited<ReturnType<typeof startEcho>>;
  let proxy: TcpFaultProxy;
  const clients: Client[] = [];

  beforeEach(async () => {
    echo = await startEcho();
    proxy = await startTcpFaultProxy({ upstream: { port: echo.port }, random: () => 0.5 });
  });
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    await proxy[Symbol.asyncDispose]();
    for (const socket of echo.sockets) socket.destroy();
    echo.server.close();
  });

  function client(): Client {
    const opened = new Client(proxy.port);
    clients.push(opened);
    return opened;
  }

  /** Sends, and answers how long the echo took. */
  async function echoMs(of: Client, text: string): Promise<number> {
    const startedAtMs = performance.now();
    const before = of.received.length;
    of.socket.write(text);
    await of.until(before + text.length);
    return performance.now() - startedAtMs;
  }

  it('passes everything on in order without a fault, also what is large, and the end', async () => {
    const one = client();
    const text = 'abcdefgh'.repeat(400_000);

    one.socket.end(text);

    expect(await one.closed).toBe('closed');
    expect(one.received).toBe(text);
  });

  it('is slow while there is latency, on the way that was named', async () => {
    const one = client();
    await echoMs(one, 'a');
    const heal = proxy.add({ kind: 'latency', delayMs: 80, jitterMs: 10, direction: 'to-client' });

    const slowMs = await echoMs(one, 'b');
    const twiceMs =
      (proxy.add({ kind: 'latency', delayMs: 80, jitterMs: 10, direction: 'to-upstream' }), await echoMs(one, 'c'));
    proxy.add({ kind: 'latency', delayMs: 3_600_000, jitterMs: 0, direction: 'to-client' });
    proxy.clear();
    heal();
    await echoMs(one, 'd'); // none of an hour is left

    expect(slowMs).toBeGreaterThan(75);
    expect(twiceMs).toBeGreaterThan(155);
  });

  it('keeps what is sent in one go together under latency: pieces are late, not queued one after another', async () => {
    const one = client();
    const delayMs = 500;
    proxy.add({ kind: 'latency', delayMs, jitterMs: 0, direction: 'to-upstream' });

    for (const text of 'abcdefghij') {
      one.socket.write(text);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await one.until(10);

    // A queue would take all delays one after another, however fast the machine; pieces that are late together do not
    // come near it, were the machine thirty times slower.
    const arrivals = one.pieces.map(({ atMs }) => atMs);
    expect(Math.max(...arrivals) - Math.min(...arrivals)).toBeLessThan(9 * delayMs);
    expect(one.received).toBe('abcdefghij');
  });

  it('lets so many bytes a second through', async () => {
    const one = client();
    proxy.add({ kind: 'bandwidth', bytesPerSecond: 10_000, direction: 'to-upstream' });

    expect(await echoMs(one, 'x'.repeat(3_000))).toBeGreaterThan(180);
  });

  it('cuts into slices', async () => {
    const one = client();
    proxy.add({ kind: 'slicer', bytes: 2, pauseMs: 20, direction: 'to-client' });

    await echoMs(one, 'abcdefg');

    expect(one.pieces.map(({ bytes }) => bytes.length)).toEqual([2, 2, 2, 1]);
  });

  it('tells the end late', async () => {
    const one = client();
    await echoMs(one, 'a');
    proxy.add({ kind: 'slow-close', delayMs: 100, direction: 'to-client' });
    const startedAtMs = performance.now();

    one.socket.end();

    expect(await one.closed).toBe('closed');
    expect(performance.now() - startedAtMs).toBeGreaterThan(90);
  });

  it('resets after so many bytes, counted from when the fault began', async () => {
    const one = client();
    await echoMs(one, 'before');
    proxy.add({ kind: 'reset', afterBytes: 3, direction: 'to-client' });

    one.socket.write('afterwards');

    expect(await one.closed).toBe('ECONNRESET');
    expect(['before', 'beforeaft']).toContain(one.received); // a reset may overtake what came right before it
  });

  it('resets at the first byte of an answer, when what was asked has arrived', async () => {
    const one = client();
    proxy.add({ kind: 'reset', afterBytes: 0, direction: 'to-client' });
    const arrived: string[] = [];
    echo.server.on('connection', (socket: Socket) =>
      socket.on('data', (bytes: Buffer) => arrived.push(bytes.toString())),
    );

    one.socket.write('asked');

    expect(await one.closed).toBe('ECONNRESET');
    expect([one.received, arrived]).toEqual(['', ['asked']]);
  });

  it('closes in order after so many bytes', async () => {
    const one = client();
    proxy.add({ kind: 'limit', bytes: 4, direction: 'to-client' });

    one.socket.write('abcdefg');

    expect(await one.closed).toBe('closed');
    expect(one.received).toBe('abcd');
  });

  it('swallows everything in a black hole, and delivers it when packets get through again', async () => {
    const one = client();
    await echoMs(one, 'a');
    const heal = proxy.add({ kind: 'black-hole', closeAfterMs: null });
    one.socket.write('b');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(one.received).toBe('a');

    heal();

    await one.until(2);
    expect(one.received).toBe('ab');
  });

  it('is half-open in a black hole: accepts, never answers, and tells nobody that the other side is gone', async () => {
    const old = client();
    await echoMs(old, 'a');
    const heal = proxy.add({ kind: 'black-hole', closeAfterMs: null });
    for (const socket of echo.sockets) socket.destroy();
    echo.server.close();
    const fresh = client();
    await once(fresh.socket, 'connect');
    fresh.socket.write('b');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([old.socket.destroyed, fresh.socket.destroyed]).toEqual([false, false]);

    heal();

    expect(await fresh.closed).toBe('ECONNRESET');
    await old.closed;
  });

  it('closes after a while in a black hole that does so', async () => {
    const one = client();
    await echoMs(one, 'a');
    proxy.add({ kind: 'black-hole', closeAfterMs: 30 });
    one.socket.write('b');

    await one.closed;

    expect(one.received).toBe('a');
  });

  it('counts connections, refuses, resets, and leads elsewhere', async () => {
    const one = client();
    await echoMs(one, 'a');
    expect([proxy.accepted, proxy.open]).toEqual([1, 1]);

    proxy.setRefusing(true);
    expect(await client().closed).toMatch(/ECONNRESET|closed/);
    proxy.setRefusing(false);
    const other = await startEcho();
    proxy.redirect(other.port);
    await echoMs(one, 'b');
    proxy.resetAll();
    expect(await one.closed).toBe('ECONNRESET');
    await echoMs(client(), 'c');

    expect([proxy.accepted, proxy.open, other.sockets.size, echo.sockets.size]).toEqual([2, 1, 1, 0]);
    proxy.resetAll();
    other.server.close();
  });
});
