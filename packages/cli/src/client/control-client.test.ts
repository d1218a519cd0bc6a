import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import { ControlClient } from './control-client.ts';
import type { ClientSettings } from './client-settings.ts';
import {
  aTask,
  adminToken,
  refuse,
  startFakeControlApi,
  viewerToken,
  type FakeControlApi,
} from './testing/fake-control-api.ts';

let api: FakeControlApi;
const clients: ControlClient[] = [];
beforeEach(async () => {
  api = await startFakeControlApi();
  api.tasks = [aTask(7)];
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await api[Symbol.asyncDispose]();
});

async function aClient(settings: Partial<ClientSettings> = {}, signal = new AbortController().signal) {
  const client = await ControlClient.create(
    {
      serverUrl: api.url,
      token: new Secret(adminToken),
      timeoutMs: 5000,
      caPem: null,
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      ...settings,
    },
    signal,
  );
  clients.push(client);
  return client;
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error as Error,
  );
}

const taskId = 'review:gitlab:42:7';
const scope = { kind: 'forge', forge: 'gitlab' } as const;
const calls: Readonly<Record<string, (client: ControlClient) => Promise<unknown>>> = {
  tasks: (client) => client.tasks({ limit: 10, cursor: null }),
  task: (client) => client.task(taskId),
  events: (client) => client.events(taskId),
  logs: (client) => client.logs(taskId, { attempt: null, after: 0 }),
  retry: (client) => client.retry(taskId),
  cancel: (client) => client.cancel(taskId),
  replay: (client) => client.replay({ filter: {}, limit: 10, isDryRun: true, cursor: null }),
  projects: (client) => client.projects({ limit: 10, cursor: null }),
  pauses: (client) => client.pauses(),
  pause: (client) => client.pause(scope, 'why'),
  resume: (client) => client.resume(scope),
};
const names = Object.keys(calls);
const call = (name: string, client: ControlClient) => calls[name]?.(client) ?? Promise.reject(new Error(name));

const rubbish: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
  'a page': (response) => response.end('<html>'),
  'other JSON': (response) => response.end('{"v":2}'),
  nothing: (response) => response.end(),
  'a body that breaks off': (response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('{"v":1');
    setImmediate(() => response.destroy());
  },
};

describe('ControlClient', () => {
  it.each(names)('gets an answer to %s', async (name) => {
    expect(await call(name, await aClient())).toMatchObject({ v: 1 });
  });

  it.each(names)('says of %s that the server does not answer, and what to do', async (name) => {
    const client = await aClient();
    await api[Symbol.asyncDispose]();

    const error = await failure(call(name, client));

    expect(error).toMatchObject({ kind: 'transient', code: 'control.unreachable' });
    expect(error.message).toBe(
      `The server at ${api.url} does not answer: nothing listens there (ECONNREFUSED). Is it running? See DRYDOCK_SERVER_URL and --server.`,
    );
    api = await startFakeControlApi();
  });

  it.each(names)('gives up %s when no answer comes in time, or only half of one', async (name) => {
    for (const part of ['', '{"v":']) {
      api.misbehave = (_request, response) => {
        if (part !== '') response.write(part);
        return true;
      };

      const error = await failure(call(name, await aClient({ timeoutMs: 100 })));

      expect(error).toMatchObject({ kind: 'transient', code: 'control.timeout' });
      expect(error.message).toMatch(/did not answer in time.*--timeout.*DRYDOCK_SERVER_URL/);
    }
  });

  it.each(names)('tells rubbish from an answer to %s', async (name) => {
    for (const misbehave of Object.values(rubbish)) {
      api.misbehave = (_request, response) => {
        misbehave(response);
        return true;
      };

      const error = await failure(call(name, await aClient()));

      expect(error).toMatchObject({ code: expect.stringMatching(/^control\.(bad_answer|unreachable)$/) });
      expect(error.message).toContain(`The server at ${api.url}`);
    }
  });

  it.each(names)('tells what the server says against %s', async (name) => {
    api.misbehave = (_request, response) => {
      refuse(response, 503, 'queue.unreachable', 'Redis does not answer\u001b[2J');
      return true;
    };

    const error = await failure(call(name, await aClient()));

    expect(error).toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
    expect(error.message).toBe(
      `The server at ${api.url} answers: Redis does not answer‹U+001B›[2J (queue.unreachable). Try again later.`,
    );
  });

  it('says which token is needed', async () => {
    const unknown = await failure((await aClient({ token: new Secret('canary-canary-canary') })).pauses());
    const viewer = await failure((await aClient({ token: new Secret(viewerToken) })).retry(taskId));

    expect(unknown).toMatchObject({ kind: 'config', code: 'control.unauthorized' });
    expect(unknown.message).toMatch(/does not know this token.*DRYDOCK_TOKEN_FILE/);
    expect(viewer).toMatchObject({ kind: 'blocked', code: 'control.forbidden' });
    expect(viewer.message).toContain('DRYDOCK_ADMIN_TOKENS');
    for (const error of [unknown, viewer]) expect(String(error)).not.toContain('canary');
  });

  it('says that the API is off, or that something else is there', async () => {
    const answerWith = (status: number) => {
      api.misbehave = (_request, response) => {
        response.writeHead(status).end();
        return true;
      };
    };
    answerWith(404);
    const off = await failure((await aClient()).tasks({ limit: 1, cursor: null }));
    answerWith(502);
    const broken = await failure((await aClient()).tasks({ limit: 1, cursor: null }));

    expect(off).toMatchObject({ code: 'control.no_api' });
    expect(off.message).toMatch(/no control API.*off until DRYDOCK_VIEWER_TOKENS/);
    expect(broken.message).toMatch(/answered 502.*proxy in front/);
  });

  it('says which side to upgrade when an older server does not know what it is asked', async () => {
    api.misbehave = (_request, response) => {
      refuse(response, 400, 'request.malformed', 'the query parameter "label" is not known here');
      return true;
    };

    const error = await failure((await aClient()).tasks({ limit: 1, cursor: null }));

    expect(error).toMatchObject({ kind: 'terminal', code: 'request.malformed' });
    expect(error.message).toMatch(/"label" is not known here.*older than this drydock: upgrade the server/);
  });

  it('knows a task that there is not', async () => {
    const client = await aClient();

    for (const name of ['task', 'events', 'retry', 'cancel']) {
      api.tasks = [];
      expect(await call(name, client)).toBeNull();
    }
    expect(await failure(call('logs', client))).toMatchObject({ code: 'request.not_found' });
  });

  it('does not follow a redirect, so that the token goes nowhere else', async () => {
    await using other = await startFakeControlApi();
    api.misbehave = (_request, response) => {
      response.writeHead(302, { location: `${other.url}/?secret=canary` }).end();
      return true;
    };

    const error = await failure((await aClient()).pauses());

    expect(error).toMatchObject({ code: 'control.redirected' });
    expect(error.message).toContain(other.url);
    expect(error.message).not.toContain('canary');
    expect(other.seen).toEqual([]);
  });

  it('refuses an answer without an end', async () => {
    api.misbehave = (_request, response) => {
      const pump = () => {
        while (!response.destroyed && response.write(Buffer.alloc(1024 * 1024, ' ')));
      };
      response.on('drain', pump);
      pump();
      return true;
    };

    expect((await failure((await aClient()).pauses())).message).toMatch(/answer is over \d+ bytes/);
  });

  it('says so when what listens does not speak HTTP', async () => {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('data', () => socket.end('SSH-2.0\r\n\r\n'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const serverUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;

    const error = await failure((await aClient({ serverUrl })).pauses());

    expect(error.message).toMatch(/no good answer.*does not speak HTTP/);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('ends at once when the user asks to stop', async () => {
    const stop = new AbortController();
    api.misbehave = () => true;
    const asking = failure((await aClient({}, stop.signal)).pauses());
    stop.abort();

    expect(await asking).toMatchObject({ code: 'aborted' });
  });

  it('goes through a proxy where one is set, but not to this machine', async () => {
    const proxy = { httpProxy: api.url, httpsProxy: null, noProxy: null };
    api.misbehave = (_request, response) => {
      response.writeHead(418).end();
      return true;
    };

    const away = await failure((await aClient({ serverUrl: 'http://drydock.invalid:8080', proxy })).pauses());
    const here = await failure((await aClient({ proxy: { ...proxy, httpProxy: 'http://127.0.0.1:1' } })).pauses());

    expect(away.message).not.toContain('its name');
    expect(api.seen.join()).toContain('drydock.invalid');
    expect(here.message).toContain('answered 418');
  });

  it('says what is wrong with a certificate, and which setting mends it', async () => {
    const serverUrl = api.url.replace('http:', 'https:');

    const error = await failure((await aClient({ serverUrl })).pauses());

    expect(error).toMatchObject({ code: 'control.tls' });
    expect(error.message).toMatch(/cannot be trusted: it does not speak TLS there.*Check the port/);
  });
});
