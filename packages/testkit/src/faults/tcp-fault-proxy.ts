import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { FaultyPipe, type Toxics } from './faulty-pipe.ts';
import type { TcpDirection, TcpToxic } from './tcp-toxic.ts';

/** A link between two programs that a test makes slow, lossy or dead, and well again, while they talk. */
export interface TcpFaultProxy extends AsyncDisposable {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Connections of clients that are open now. */
  readonly open: number;
  /** Connections of clients since its start. */
  readonly accepted: number;
  /** The fault holds at once for every connection, until the function that is answered takes it back. */
  add(toxic: TcpToxic): () => void;
  /** Takes all faults back. */
  clear(): void;
  /** From now on connections are accepted, or refused with a reset; those that are open stay. */
  setRefusing(isRefusing: boolean): void;
  /** New connections lead to this port of loopback; those that are open stay where they are. */
  redirect(upstreamPort: number): void;
  /** Cuts all connections off with a reset. */
  resetAll(): void;
}

/** What a proxy leads to. */
export interface TcpFaultProxyOptions {
  readonly upstream: { readonly host?: string; readonly port: number };
  /** For jitter; numbers from 0 to below 1. */
  readonly random?: () => number;
}

/** Starts a proxy on a free port of loopback; it ends with the test process at the latest. */
export async function startTcpFaultProxy(options: TcpFaultProxyOptions): Promise<TcpFaultProxy> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new FaultProxy(server, options);
}

class FaultProxy implements TcpFaultProxy {
  readonly port: number;
  accepted = 0;
  readonly #server: Server;
  readonly #random: () => number;
  #upstream: { readonly host?: string; readonly port: number };
  readonly #toxics = new Set<TcpToxic>();
  readonly #sockets = new Set<Socket>();
  #clients = 0;
  #isRefusing = false;
  #changed = Promise.withResolvers<unknown>();

  constructor(server: Server, { upstream, random = Math.random }: TcpFaultProxyOptions) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    this.port = address.port;
    this.#server = server;
    this.#upstream = upstream;
    this.#random = random;
    server.unref();
    server.on('connection', (client) => {
      this.#accept(client);
    });
  }

  get open(): number {
    return this.#clients;
  }

  add(toxic: TcpToxic): () => void {
    const own = { ...toxic };
    this.#toxics.add(own);
    this.#tell();
    return () => {
      if (this.#toxics.delete(own)) this.#tell();
    };
  }

  clear(): void {
    this.#toxics.clear();
    this.#tell();
  }

  setRefusing(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
  }

  redirect(upstreamPort: number): void {
    this.#upstream = { port: upstreamPort };
  }

  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#isRefusing) {
      client.resetAndDestroy();
      return;
    }
    this.accepted += 1;
    this.#clients += 1;
    client.once('close', () => {
      this.#clients -= 1;
    });
    const { host = '127.0.0.1', port } = this.#upstream;
    const upstream = connect({ host, port, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    const toUpstream = this.#towards('to-upstream');
    const toClient = this.#towards('to-client');
    this.#hold(client, upstream, toUpstream);
    this.#hold(upstream, client, toClient);
    new FaultyPipe(client, upstream, toUpstream, this.#random);
    new FaultyPipe(upstream, client, toClient, this.#random);
  }

  /** What ends one side ends the other; but while packets vanish on the way there, it does not learn of it. */
  #hold(socket: Socket, other: Socket, toOther: Toxics): void {
    this.#sockets.add(socket);
    let isBroken = false;
    socket.on('error', () => {
      isBroken = true;
    });
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (socket.readableEnded && !isBroken) return; // its end goes the way of its bytes
      void this.#passEnd(other, toOther, () => isBroken);
    });
  }

  async #passEnd(other: Socket, toOther: Toxics, isBroken: () => boolean): Promise<void> {
    while (!other.destroyed && [...toOther.current()].some(({ kind }) => kind === 'black-hole')) {
      await Promise.race([toOther.changed, once(other, 'close')]);
    }
    if (isBroken()) other.resetAndDestroy();
    else other.destroySoon();
  }

  #towards(way: TcpDirection): Toxics {
    const current = () => new Set([...this.#toxics].filter(({ direction = way }) => direction === way));
    const changed = () => this.#changed.promise;
    return {
      current,
      get changed() {
        return changed();
      },
    };
  }

  #tell(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve(null);
  }
}
