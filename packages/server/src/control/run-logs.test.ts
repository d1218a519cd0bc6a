import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, ConfigError, Secret, TransientError, noUsage, runIdOf } from '@drydock/core';
import { gatewayLogs } from './run-logs.ts';

const runId = runIdOf('review:gitlab:42:7', 1);
const viewToken = new Secret('view-token-canary');
const never = new AbortController().signal;
const usage = { calls: 0, reusedCalls: 0, tokens: noUsage, costUsd: null };
const page = { v: 1, entries: [{ seq: 6, atMs: 1, event: { kind: 'turn', turn: 1 }, usage }] };

describe('gatewayLogs', () => {
  let gateway: Server;
  let url: string;
  let asked: string[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    asked = [];
    gateway = createServer((request, response) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''} ${request.headers.authorization ?? ''}`);
      answer(request, response);
    });
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${String((gateway.address() as AddressInfo).port)}`;
  });
  afterEach(async () => {
    gateway.closeAllConnections();
    await new Promise((resolve) => gateway.close(resolve));
  });

  const logs = (timeoutMs = 5000) => gatewayLogs({ url, viewToken, timeoutMs });
  const says = (status: number, body: unknown, headers: Record<string, string> = {}) => {
    answer = (_request, response) => response.writeHead(status, headers).end(JSON.stringify(body));
  };

  it('asks for the progress of a run after an entry, with the view token', async () => {
    says(200, page);

    expect(await logs().progressAfter(runId, { after: 5, waitMs: 0 }, never)).toEqual(page.entries);
    expect(asked).toEqual([`GET /control/v1/runs/${runId}/progress?after=5&waitMs=0 Bearer view-token-canary`]);
  });

  it.each([
    ['a run that has told nothing yet', 200, { v: 1 }, []],
    [
      'a run that nobody knows',
      422,
      { error: { class: 'terminal', code: 'run.unknown', message: 'm', retryAfterMs: null } },
      null,
    ],
  ])('tells %s from others', async (_name, status, view, expected) => {
    answer = (request, response) => {
      const isProgress = request.url?.includes('/progress') === true;
      const body = isProgress ? { v: 1, entries: [] } : view;
      response.writeHead(isProgress ? 200 : status).end(JSON.stringify(body));
    };

    expect(await logs().progressAfter(runId, { after: 0, waitMs: 0 }, never)).toEqual(expected);
    expect(asked.at(-1)).toBe(`GET /control/v1/runs/${runId} Bearer view-token-canary`);
  });

  it('says what a person must set when the gateway refuses the token', async () => {
    says(401, {});

    const work = logs().progressAfter(runId, { after: 0, waitMs: 0 }, never);

    await expect(work).rejects.toThrow(BlockedError);
    await expect(work).rejects.toThrow('is DRYDOCK_GATEWAY_VIEW_TOKEN one of its DRYDOCK_VIEW_TOKENS?');
  });

  it.each([
    ['gateway.bad_answer', 200, { v: 1 }],
    ['gateway.bad_answer', 200, 'x'],
    ['gateway.bad_answer', 404, {}],
    ['gateway.bad_answer', 422, { error: { class: 'terminal', code: 'x.y', message: 'no', retryAfterMs: null } }],
    [
      'queue.unreachable',
      503,
      { error: { class: 'transient', code: 'queue.unreachable', message: 'm', retryAfterMs: 1 } },
    ],
  ])('is a %s for %p %p', async (code, status, body) => {
    says(status, body);

    await expect(logs().progressAfter(runId, { after: 0, waitMs: 0 }, never)).rejects.toMatchObject({
      kind: 'transient',
      code,
    });
  });

  it('carries the token nowhere else, and does not wait for ever', async () => {
    says(302, {}, { location: `${url}/elsewhere` });
    await expect(logs().progressAfter(runId, { after: 0, waitMs: 0 }, never)).rejects.toMatchObject({
      code: 'gateway.bad_answer',
    });
    expect(asked).toHaveLength(1);

    answer = () => undefined;
    await expect(logs(50).progressAfter(runId, { after: 0, waitMs: 0 }, never)).rejects.toMatchObject({
      code: 'gateway.timeout',
    });
  });

  it('takes no more than a cap', async () => {
    answer = (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      for (let sent = 0; sent < 17; sent += 1) response.write(chunk);
      response.end();
    };

    await expect(logs().progressAfter(runId, { after: 0, waitMs: 0 }, never)).rejects.toThrow(
      'an answer that is too large',
    );
  });

  it('says when nobody listens, without the token or the address', async () => {
    const nobody = gatewayLogs({ url: 'http://127.0.0.1:1', viewToken, timeoutMs: 1000 });

    const error: unknown = await nobody
      .progressAfter(runId, { after: 0, waitMs: 0 }, never)
      .catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(TransientError);
    expect(error).toMatchObject({ code: 'gateway.unreachable', message: 'the gateway cannot be reached' });
    expect(() => gatewayLogs({ url, viewToken: new Secret('can\nary'), timeoutMs: 1 })).toThrow(ConfigError);
  });
});
