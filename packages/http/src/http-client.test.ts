import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { StaleError } from '@drydock/core';
import { createHttpClient, type HttpClient, type HttpClientSettings } from './http-client.ts';

const noProxy = { httpProxy: null, httpsProxy: null, noProxy: null };
const token = 'glpat-canary-0123456789';
const never = new AbortController().signal;
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function aClient(settings: Partial<HttpClientSettings> = {}): HttpClient {
  const client = createHttpClient({ upstream: 'forge', proxy: noProxy, caPem: null, ...settings });
  closers.push(() => client.close());
  return client;
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

async function serve(listener: RequestListener): Promise<{ url: string; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const port = await listen(
    createServer((request, response) => {
      seen.push(request);
      listener(request, response);
    }),
  );
  return { url: `http://127.0.0.1:${port}`, seen };
}

const get = (url: string, signal = never) => ({
  method: 'GET' as const,
  url,
  headers: { 'private-token': token },
  signal,
});

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error,
  );
}

describe('createHttpClient', () => {
  it('gives status, headers and body of an answer of any status', async () => {
    const { url, seen } = await serve((request, response) => {
      response.writeHead(422, { 'X-Thing': 'a', 'content-type': 'text/plain' });
      request.pipe(response);
    });

    const answer = await aClient().request({ method: 'POST', url: `${url}/a?b=c`, body: 'hello', signal: never });

    expect(answer.status).toBe(422);
    expect(answer.headers['x-thing']).toBe('a');
    expect(answer.body.toString()).toBe('hello');
    expect(seen[0]?.url).toBe('/a?b=c');
    expect(seen[0]?.headers['accept-encoding']).toBe('identity');
  });

  it.each([
    [301, 'terminal'],
    [302, 'transient'],
    [303, 'transient'],
    [307, 'transient'],
    [308, 'terminal'],
  ])('does not follow a %i to another host, and the token does not arrive there', async (status, kind) => {
    const other = await serve((_, response) => response.end('stolen'));
    const { url } = await serve((_, response) =>
      response.writeHead(status, { location: `${other.url}/x?secret=${token}` }).end(),
    );

    const error = await failure(aClient().request(get(url)));

    expect(error).toMatchObject({ kind, code: 'forge.redirected' });
    expect(String(error)).toContain(other.url);
    expect(String(error)).not.toContain(token);
    expect(other.seen).toHaveLength(0);
  });

  it('stops at the cap, whether the length is announced or not', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/announced') response.writeHead(200, { 'content-length': '100000' });
      const pump = () => {
        while (response.write(Buffer.alloc(65536)));
      };
      response.on('drain', pump);
      if (request.url !== '/announced') pump();
      else response.end(Buffer.alloc(100_000));
    });
    const client = aClient();

    for (const path of ['/announced', '/endless']) {
      const error = await failure(client.request({ ...get(url + path), maxBytes: 1000 }));
      expect(error).toMatchObject({ kind: 'terminal', code: 'forge.bad_answer' });
    }
  });

  it('refuses a packed answer', async () => {
    const { url } = await serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'));

    expect(await failure(aClient().request(get(url)))).toMatchObject({ kind: 'terminal', code: 'forge.bad_answer' });
  });

  it('gives up when headers, a part of the body or the whole do not come in time', async () => {
    const hang = (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === '/no-headers') return;
      response.write('a beginning');
      if (request.url === '/trickle') {
        const timer = setInterval(() => response.write('.'), 20);
        response.on('close', () => {
          clearInterval(timer);
        });
      }
    };
    const { url } = await serve(hang);
    const client = aClient({ upstream: 'model', timeouts: { headersMs: 100, idleMs: 200, totalMs: 600 } });

    for (const path of ['/no-headers', '/stalled', '/trickle'])
      expect(await failure(client.request(get(url + path)))).toMatchObject({
        kind: 'transient',
        code: 'model.timeout',
      });
  });

  it('reports an answer that breaks off', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half');
      setImmediate(() => response.destroy());
    });

    expect(await failure(aClient().request(get(url)))).toMatchObject({ kind: 'transient', code: 'forge.unreachable' });
  });

  it('says what to do when nothing listens, the name is unknown, or it is not HTTP', async () => {
    const { createServer: createTcpServer } = await import('node:net');
    const closed = createTcpServer();
    const closedPort = await listen(closed);
    await closers.pop()?.();
    const garbagePort = await listen(
      createTcpServer((socket) => socket.on('data', () => socket.end('SSH-2.0\r\n\r\n'))),
    );
    const client = aClient();

    const refused = await failure(client.request(get(`http://127.0.0.1:${closedPort}`)));
    const unknown = await failure(client.request(get('http://drydock.invalid')));
    const garbage = await failure(client.request(get(`http://127.0.0.1:${garbagePort}`)));

    expect(refused).toMatchObject({ kind: 'transient', code: 'forge.unreachable' });
    expect(String(refused)).toMatch(/nothing listens there.*\(ECONNREFUSED\)/);
    expect(unknown).toMatchObject({ kind: 'transient', code: 'forge.unreachable' });
    expect(String(unknown)).toMatch(/drydock\.invalid: its name/);
    expect(garbage).toMatchObject({ kind: 'transient', code: 'forge.bad_answer' });
    for (const error of [refused, unknown, garbage]) expect(String(error)).not.toContain(token);
  });

  it('ends when its caller gives up, with the reason given', async () => {
    const { url } = await serve(() => undefined);
    const client = aClient();
    const plain = new AbortController();
    const reasoned = new AbortController();
    const moved = new StaleError('merge_request.head_moved', 'the head moved');

    const calls = [client.request(get(url, plain.signal)), client.request(get(url, reasoned.signal))].map(failure);
    plain.abort();
    reasoned.abort(moved);

    expect(await calls[0]).toMatchObject({ kind: 'transient', code: 'aborted' });
    expect(await calls[1]).toBe(moved);
    expect(await failure(client.request(get(url, reasoned.signal)))).toBe(moved);
  });

  it('streams an answer piece by piece, up to its cap', async () => {
    let end = (): unknown => undefined;
    const { url } = await serve((_, response) => {
      response.write('one');
      end = () => response.end('two');
    });
    const client = aClient();

    const pieces: string[] = [];
    for await (const chunk of (await client.stream(get(url))).body) {
      pieces.push(chunk.toString());
      if (pieces.length === 1) end(); // only who has the first piece gets the second
    }
    const capped = await client.stream({ ...get(url), maxBytes: 4 });
    const error = await failure(
      (async () => {
        for await (const _ of capped.body) end();
      })(),
    );

    expect(pieces).toEqual(['one', 'two']);
    expect(error).toMatchObject({ code: 'forge.bad_answer' });
  });

  it('closes the connection when a stream is left early', async () => {
    const closed = Promise.withResolvers<undefined>();
    const { url } = await serve((_, response) => {
      response.write('one');
      response.on('close', () => {
        closed.resolve(undefined);
      });
    });

    const { body } = await aClient().stream(get(url));
    for await (const _ of body) break;

    await closed.promise;
  });
});
