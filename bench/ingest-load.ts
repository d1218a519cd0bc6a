/** Sends signed deliveries to a server, in one of three manners, and prints what it measured. */
import { createHmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { OpenLoop } from './open-loop.ts';
import { latenciesOf } from './quantile.ts';

const shared = { port: z.int(), requests: z.int(), bodyBytes: z.int(), signingKey: z.string() };
const connections = z.int();
const Load = z.discriminatedUnion('kind', [
  /** Each connection sends its next when the last is answered. */
  z.object({ kind: z.literal('saturating'), connections, ...shared }),
  /** So many a second are due, answered or not. */
  z.object({ kind: z.literal('offered'), perSecond: z.number(), connections, ...shared }),
  /** Each comes over a connection of its own, all at the same moment. */
  z.object({ kind: z.literal('at-once'), ...shared }),
]);
type Load = z.infer<typeof Load>;

/** What bodies begin with: something new each time. */
function bodyStart(iid: number): string {
  return JSON.stringify({
    object_kind: 'merge_request',
    user: { id: 3, username: 'ada', name: 'Ada', email: 'ada@example.com' },
    project: { id: 42, path_with_namespace: 'shop/orders', web_url: 'https://gitlab.example/shop/orders' },
    object_attributes: {
      iid,
      action: 'open',
      title: 'Größe',
      last_commit: { id: 'a'.repeat(40) },
      updated_at: '2026-11-21 14:12:11 UTC',
    },
    changes: {},
  }).slice(0, -1);
}

/** What brings bodies to about the wished size, the same in all, and in memory once. */
function bodyRest(bodyBytes: number): Buffer {
  const labels = Array.from({ length: Math.floor(bodyBytes / 300) }, (_, id) => ({
    id,
    title: 'x'.repeat(200),
    color: '#dc143c',
    type: 'ProjectLabel',
  }));
  return Buffer.from(`,"labels":${JSON.stringify(labels)}}`);
}

/** A request up to the rest of its body. */
function requestOf(load: Load, iid: number, rest: Buffer): Buffer {
  const start = Buffer.from(bodyStart(iid));
  const id = `delivery-${String(process.pid)}-${String(iid)}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', Buffer.from(load.signingKey, 'base64'))
    .update(`${id}.${timestamp}.`)
    .update(start)
    .update(rest)
    .digest('base64');
  const head = [
    'POST /webhooks/gitlab HTTP/1.1',
    'host: localhost',
    'content-type: application/json',
    `content-length: ${String(start.length + rest.length)}`,
    `idempotency-key: ${id}`,
    `webhook-id: ${id}`,
    `webhook-timestamp: ${timestamp}`,
    `webhook-signature: v1,${mac}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), start]);
}

/** A keep-alive connection that holds one request at a time. */
class Connection {
  readonly #socket: Socket;
  #received = '';
  #onAnswer: (isTaken: boolean) => void = () => undefined;

  /** `onOpen` comes once; `onBroken`, when the other side ends it. */
  constructor(port: number, onOpen: () => void, onBroken: (error: Error) => void) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true);
    this.#socket.on('connect', onOpen).on('error', onBroken);
    this.#socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      if (!this.#received.includes('\r\n\r\n')) return;
      const isTaken = this.#received.startsWith('HTTP/1.1 200 ');
      this.#received = '';
      this.#onAnswer(isTaken);
    });
  }

  send(request: Buffer, rest: Buffer, onAnswer: (isTaken: boolean) => void): void {
    this.#onAnswer = onAnswer;
    this.#socket.cork();
    this.#socket.write(request);
    this.#socket.write(rest);
    this.#socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }
}

interface Sent {
  readonly latenciesMs: readonly number[];
  readonly failed: number;
}

function openAll(port: number, count: number): Promise<Connection[]> {
  const opened = Array.from({ length: count }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    const connection = new Connection(port, () => resolve(connection), reject);
    return promise;
  });
  return Promise.all(opened);
}

async function saturate(open: readonly Connection[], requests: Buffer[], rest: Buffer): Promise<Sent> {
  const latenciesMs: number[] = [];
  let failed = 0;
  const all = open.map((connection) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const next = () => {
      const request = requests.pop();
      if (request === undefined) {
        resolve(undefined);
        return;
      }
      const sentAtMs = performance.now();
      connection.send(request, rest, (isTaken) => {
        if (!isTaken) failed += 1;
        latenciesMs.push(performance.now() - sentAtMs);
        next();
      });
    };
    next();
    return promise;
  });
  await Promise.all(all);
  return { latenciesMs, failed };
}

async function offer(
  open: readonly Connection[],
  { perSecond, requests, rest }: { readonly perSecond: number; readonly requests: readonly Buffer[]; rest: Buffer },
): Promise<Sent> {
  const loop = new OpenLoop({ count: requests.length, perSecond, connections: open.length });
  const free = [...open];
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const startMs = performance.now();
  let failed = 0;
  const send = () => {
    for (const index of loop.begin(performance.now() - startMs)) {
      const [connection, request] = [free.pop(), requests[index]];
      if (connection === undefined || request === undefined) throw new Error('the load lost count');
      connection.send(request, rest, (isTaken) => {
        if (!isTaken) failed += 1;
        loop.end(index, performance.now() - startMs);
        free.push(connection);
        if (loop.isOver) resolve(undefined);
        else send();
      });
    }
  };
  const look = () => {
    send();
    if (loop.nextDueMs !== null) setTimeout(look, Math.max(0, loop.nextDueMs - (performance.now() - startMs)));
  };
  look();
  await promise;
  return { latenciesMs: loop.latenciesMs, failed };
}

/** From the wish for a connection to the answer. */
async function sendAtOnce(port: number, requests: readonly Buffer[], rest: Buffer): Promise<Sent> {
  const latenciesMs: number[] = [];
  let failed = 0;
  const all = requests.map((request) => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const wishedAtMs = performance.now();
    const onOpen = () => {
      connection.send(request, rest, (isTaken) => {
        if (!isTaken) failed += 1;
        latenciesMs.push(performance.now() - wishedAtMs);
        connection.close();
        resolve(undefined);
      });
    };
    const connection = new Connection(port, onOpen, reject);
    return promise;
  });
  await Promise.all(all);
  return { latenciesMs, failed };
}

async function run(load: Load) {
  // Made before the clock starts: what is measured is the server.
  const rest = bodyRest(load.bodyBytes);
  const requests = Array.from({ length: load.requests }, (_, index) => requestOf(load, index + 1, rest));
  const open = load.kind === 'at-once' ? [] : await openAll(load.port, load.connections);
  const startMs = performance.now();
  const send = (): Promise<Sent> => {
    switch (load.kind) {
      case 'saturating':
        return saturate(open, requests, rest);
      case 'offered':
        return offer(open, { perSecond: load.perSecond, requests, rest });
      case 'at-once':
        return sendAtOnce(load.port, requests, rest);
    }
  };
  const { latenciesMs, failed } = await send();
  const seconds = (performance.now() - startMs) / 1000;
  for (const connection of open) connection.close();
  return { perSecond: load.requests / seconds, failed, ...latenciesOf(latenciesMs) };
}

const load = Load.parse(JSON.parse(process.argv[2] ?? '{}'));
process.stdout.write(`${JSON.stringify(await run(load))}\n`);
