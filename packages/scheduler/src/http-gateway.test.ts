import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BlockedError,
  ConfigError,
  DrydockError,
  Secret,
  StaleError,
  TerminalError,
  TransientError,
  toWireError,
  type RunRequest,
} from '@drydock/core';
import { HttpGateway } from './http-gateway.ts';
import { WorldGateway, aResult, sha, subject } from './testing/world-gateway.ts';

const token = new Secret('control-token-canary');
const runId = '0123456789abcdef-1';
const never = new AbortController().signal;
const diffRefs = { baseSha: sha('c'), startSha: sha('c'), headSha: sha('a') };
const runRequest: RunRequest = { v: 1, taskId: 'review:gitlab:42:7', launch: 1, subject, diffRefs, trigger: 'pushed' };

interface Seen {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

describe('HttpGateway', () => {
  let server: Server;
  let answer: RequestListener;
  let seen: Seen[];
  let gateway: HttpGateway;

  beforeEach(async () => {
    seen = [];
    answer = (_request, response) => response.writeHead(404).end();
    server = createServer((request, response) => {
      void readText(request).then((text) => {
        seen.push({
          line: `${String(request.method)} ${String(request.url)}`,
          authorization: request.headers.authorization,
          body: text === '' ? null : JSON.parse(text),
        });
        answer(request, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    gateway = new HttpGateway({ url: urlOf(server), controlToken: token, timeoutMs: 60_000, longTimeoutMs: 60_000 });
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const impatient = () =>
    new HttpGateway({ url: urlOf(server), controlToken: token, timeoutMs: 100, longTimeoutMs: 60_000 });

  const json = (status: number, body: unknown) => (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

  async function failure(work: Promise<unknown>): Promise<DrydockError> {
    const error: unknown = await work.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (error instanceof DrydockError) return error;
    throw new Error('not one of our errors', { cause: error });
  }

  const read = (signal = never) => gateway.readMergeRequest(subject, signal);

  it('makes each call as the protocol says, with the token in its header alone', async () => {
    const world = new WorldGateway();
    const mergeRequest = await world.readMergeRequest(subject, never);
    const publication = {
      v: 1,
      headSha: sha('a'),
      state: 'done',
      verdict: 'clean',
      comments: [],
      resolved: 0,
      heldBack: {},
      usage: { calls: 0, reusedCalls: 0, tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, costUsd: 0 },
      summaryUrl: null,
    };
    const view = {
      v: 1,
      runId,
      taskId: 'review:gitlab:42:7',
      launch: 1,
      isRevoked: false,
      isPublished: false,
      result: aResult(sha('a')),
      usage: publication.usage,
    };
    const grant = { kind: 'granted', runId, token: 't'.repeat(43), deadlineSeconds: 600 };
    const state = { v: 1, state: { kind: 'reviewing', headSha: sha('a'), attempt: 1 }, createNote: true } as const;

    const answers: unknown[] = [];
    for (const [body, call] of [
      [mergeRequest, () => read()],
      [world.member, () => gateway.readMember(subject, '3', never)],
      [{ v: 1, kind: 'written' }, () => gateway.writeState(subject, state, never)],
      [grant, () => gateway.startRun(runRequest, never)],
      [view, () => gateway.readRun(runId, never)],
      [publication, () => gateway.publishRun(runId, never)],
      [
        { v: 1, over: [{ runId, why: 'revoked' }] },
        async () => ({ v: 1, over: await gateway.overRuns([runId], never) }),
      ],
    ] as const) {
      answer = json(200, body);
      answers.push(await call());
      expect(answers.at(-1)).toEqual(body);
    }
    answer = (_request, response) => response.writeHead(204).end();
    await gateway.revokeRun(runId, never);

    expect(seen.map(({ line }) => line)).toEqual([
      'GET /control/v1/merge-requests/gitlab/42/7',
      'GET /control/v1/members/gitlab/42/3',
      'PUT /control/v1/merge-requests/gitlab/42/7/state',
      'POST /control/v1/runs',
      `GET /control/v1/runs/${runId}`,
      `POST /control/v1/runs/${runId}/publish`,
      'POST /control/v1/runs/over',
      `POST /control/v1/runs/${runId}/revoke`,
    ]);
    expect(new Set(seen.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer control-token-canary']));
    expect([seen[2]?.body, seen[3]?.body]).toEqual([state, runRequest]);
  });

  it.each<DrydockError>([
    new TransientError('forge.rate_limited', 'slow down', { retryAfterMs: 1500 }),
    new TerminalError('forge.rejected', 'no'),
    new BlockedError('forge.unauthorized', 'token refused'),
    new StaleError('merge_request.head_moved', 'a newer head'),
  ])('throws the $name that the gateway meant', async (meant) => {
    const wire = toWireError(meant);
    answer = json(wire?.status ?? 0, wire?.body);

    expect(await failure(gateway.publishRun(runId, never))).toEqual(meant);
  });

  it('asks at most so much at once, and lets no long call wait for short ones', async () => {
    const waiting: ServerResponse[] = [];
    answer = (_request, response) => {
      waiting.push(response);
    };
    const reads = Array.from({ length: 40 }, () => gateway.readRun(runId, never).catch(() => null));
    const published = gateway.publishRun(runId, never).catch(() => null);
    while (waiting.length < 33) await new Promise((resolve) => setTimeout(resolve, 5));

    expect(seen.filter(({ line }) => line.endsWith('/publish'))).toHaveLength(1);
    expect(seen).toHaveLength(33);

    answer = (_request, response) => response.writeHead(404).end();
    for (const response of waiting) response.writeHead(404).end();
    await Promise.all([published, ...reads]);
    expect(seen).toHaveLength(41);
  });

  it('knows no run where the gateway knows none', async () => {
    const wire = toWireError(new TerminalError('run.unknown', 'no such run'));
    answer = json(wire?.status ?? 0, wire?.body);

    expect(await gateway.readRun(runId, never)).toBeNull();
    expect(await failure(gateway.publishRun(runId, never))).toMatchObject({ kind: 'terminal', code: 'run.unknown' });
  });

  it('is blocked by a gateway that refuses our token, and names the setting', async () => {
    answer = json(401, { error: 'whatever' });

    const error = await failure(read());

    expect(error).toMatchObject({ kind: 'blocked', code: 'gateway.unauthorized' });
    expect(error.message).toMatch(/DRYDOCK_CONTROL_TOKEN/);
  });

  it.each<[string, RequestListener, string]>([
    ['another shape', json(200, { v: 2 }), 'gateway.bad_answer'],
    [
      'nothing where there must be something',
      (_request, response) => response.writeHead(204).end(),
      'gateway.bad_answer',
    ],
    ['no JSON', (_request, response) => response.end('<html>sign in</html>'), 'gateway.bad_answer'],
    ['an error of another shape', json(422, { message: 'no' }), 'gateway.bad_answer'],
    ['a bug', json(500, {}), 'gateway.bad_answer'],
    [
      'a proxy that finds it down',
      (_request, response) => response.writeHead(502).end('bad gateway'),
      'gateway.unreachable',
    ],
    ['a proxy that waits in vain', (_request, response) => response.writeHead(504).end(), 'gateway.unreachable'],
    ['a cut in its headers', (request) => request.socket.destroy(), 'gateway.unreachable'],
    [
      'a cut in its body',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{');
        setImmediate(() => response.destroy());
      },
      'gateway.unreachable',
    ],
    ['silence', () => undefined, 'gateway.timeout'],
    [
      'silence in its body',
      (_request, response) => {
        response.writeHead(200).write('{');
      },
      'gateway.timeout',
    ],
  ])('takes %s as a fault that may pass', async (_name, listener, code) => {
    answer = listener;

    const asked = code === 'gateway.timeout' ? impatient() : gateway;
    const error = await failure(asked.readMergeRequest(subject, never));

    expect(error).toMatchObject({ kind: 'transient', code });
    expect(`${error.message} ${String(error.cause)}`).not.toContain('canary');
  });

  it('gives up a body that never ends', async () => {
    answer = (_request, response) => {
      const chunk = Buffer.alloc(256 * 1024, 0x20);
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    };

    const patient = new HttpGateway({
      url: urlOf(server),
      controlToken: token,
      timeoutMs: 20_000,
      longTimeoutMs: 20_000,
    });
    expect(await failure(patient.publishRun(runId, never))).toMatchObject({ code: 'gateway.bad_answer' });
  });

  it('follows no redirect: the token would go there too', async () => {
    const elsewhere: string[] = [];
    const other = createServer((request, response) => {
      elsewhere.push(request.url ?? '');
      response.end();
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    answer = (_request, response) => response.writeHead(307, { location: urlOf(other) }).end();

    const error = await failure(read());

    expect(error).toMatchObject({ kind: 'transient', code: 'gateway.bad_answer', message: 'the gateway answered 307' });
    expect(elsewhere).toEqual([]);
    await new Promise((resolve) => other.close(resolve));
  });

  it('says where it looked when nobody is there', async () => {
    const url = 'http://127.0.0.1:1';
    const away = new HttpGateway({ url, controlToken: token, timeoutMs: 60_000, longTimeoutMs: 60_000 });

    const error = await failure(away.readMergeRequest(subject, never));

    expect(error).toMatchObject({ kind: 'transient', code: 'gateway.unreachable' });
    expect(error.message).toContain(url);
  });

  it('gives starting and publishing the longer time', async () => {
    answer = (_request, response) => {
      setTimeout(() => response.writeHead(422).end(), 300);
    };

    const asked = impatient();

    expect(await failure(asked.readMergeRequest(subject, never))).toMatchObject({ code: 'gateway.timeout' });
    expect(await failure(asked.startRun(runRequest, never))).toMatchObject({ code: 'gateway.bad_answer' });
    expect(await failure(asked.publishRun(runId, never))).toMatchObject({ code: 'gateway.bad_answer' });
  });

  it('ends a call whose work is no longer wanted, and lets the gateway know', async () => {
    const stop = new AbortController();
    const left = new Promise<void>((resolve) => {
      answer = (request) => {
        request.socket.on('close', resolve);
        stop.abort(new StaleError('run.cancelled', 'stopped'));
      };
    });

    await expect(read(stop.signal)).rejects.toBeDefined();

    await left;
  });

  it.each(['two words', 'line\nbreak', 'käse', ''])(
    'refuses the token %j, which no header can carry, without repeating it',
    (text) => {
      const make = () =>
        new HttpGateway({ url: 'http://x', controlToken: new Secret(text), timeoutMs: 1, longTimeoutMs: 1 });

      expect(make).toThrow(ConfigError);
      expect(make).toThrow(/DRYDOCK_CONTROL_TOKEN: must be printable ASCII without spaces$/);
    },
  );
});

function urlOf(server: Server): string {
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
