import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import {
  BlockedError,
  Secret,
  StaleError,
  TerminalError,
  TransientError,
  modelErrorHeaders,
  systemClock,
} from '@drydock/core';
import { ManualClock, claudeFault, inOrder, reply, startFakeClaude, toolUse, type ClaudeFault } from '@drydock/testkit';
import { AnthropicModel } from './anthropic-model.ts';
import type { ModelRequest } from './model.ts';

const request: ModelRequest = {
  model: 'claude-sonnet-5-5',
  max_tokens: 1000,
  system: [{ type: 'text', text: 'Be good.', cache_control: { type: 'ephemeral' } }],
  tools: [{ name: 'log', description: 'Lists.', input_schema: { type: 'object', properties: {} } }],
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Begin.' }] }],
};
const never = new AbortController().signal;

function modelAt(url: string, clock = systemClock): AnthropicModel {
  return new AnthropicModel({ baseUrl: url, token: new Secret('key') }, clock);
}

async function errorOf(fault: ClaudeFault): Promise<unknown> {
  await using claude = await startFakeClaude({ apiKey: 'key', script: () => reply.fault(fault) });
  return await modelAt(claude.url)
    .reply(request, never)
    .catch((error: unknown) => error);
}

async function startServer(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const stop = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${address.port}`, [Symbol.asyncDispose]: stop };
}

describe('AnthropicModel', () => {
  it('streams a turn', async () => {
    await using claude = await startFakeClaude({
      apiKey: 'key',
      script: () => reply.blocks([{ kind: 'text', text: 'I look.' }, toolUse('log', { limit: 2 })]),
    });

    const turn = await modelAt(claude.url).reply(request, never);

    expect(turn).toMatchObject({
      stopReason: 'tool_use',
      content: [
        { kind: 'text', text: 'I look.' },
        { kind: 'tool-use', call: { name: 'log', input: { limit: 2 } } },
      ],
    });
    expect(claude.requests.map(({ json }) => json)).toEqual([{ ...request, stream: true }]);
  });

  it.each([
    ['a spend limit', claudeFault.spendLimit(), BlockedError, 'model.billing'],
    ['a credit that is too low', claudeFault.creditTooLow(), BlockedError, 'model.billing'],
    ['a prompt that is too long', claudeFault.promptTooLong(), TerminalError, 'model.context_full'],
    ['a bad request', claudeFault.invalidRequest(), TerminalError, 'model.rejected'],
    ['a wrong key', claudeFault.unauthorized(), BlockedError, 'model.unauthorized'],
    ['billing', claudeFault.billing(), BlockedError, 'model.billing'],
    ['a permission', claudeFault.forbidden(), BlockedError, 'model.unauthorized'],
    ['an unknown model', claudeFault.notFound(), BlockedError, 'model.not_found'],
    ['a timeout', claudeFault.requestTimeout(), TransientError, 'model.unavailable'],
    ['a conflict', claudeFault.conflict(), TransientError, 'model.unavailable'],
    ['a body that is too large', claudeFault.tooLarge(), TerminalError, 'request.too_large'],
    ['a rate limit', claudeFault.rateLimited(7), TransientError, 'model.rate_limited'],
    ['an error of the server', claudeFault.serverError(), TransientError, 'model.unavailable'],
    ['a bad gateway', claudeFault.badGateway(), TransientError, 'model.unavailable'],
    ['an overloaded model', claudeFault.overloaded(), TransientError, 'model.overloaded'],
    ['an error inside the stream', claudeFault.errorEvent(4), TransientError, 'model.overloaded'],
    ['another error inside the stream', claudeFault.errorEvent(4, 'api_error'), TransientError, 'model.stream_broken'],
    ['a malformed event', claudeFault.malformedEvent(3), TransientError, 'model.stream_broken'],
    ['a connection that is lost', claudeFault.reset(), TransientError, 'gateway.unreachable'],
    ['a stream that is cut', claudeFault.cut(200), TransientError, 'model.stream_broken'],
  ])('says what to do about %s', async (_, fault, kind, code) => {
    const error = await errorOf(fault);

    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ code });
  });

  it('passes on how long to wait', async () => {
    expect(await errorOf(claudeFault.rateLimited(7))).toMatchObject({ retryAfterMs: 7000 });
  });

  it('believes the class and code that the gateway names', async () => {
    await using server = await startServer((_request, response) => {
      const headers = { [modelErrorHeaders.class]: 'terminal', [modelErrorHeaders.code]: 'budget.run_spent' };
      response.writeHead(402, { 'content-type': 'application/json', ...headers });
      response.end('{"type":"error","error":{"type":"billing_error","message":"the run has spent its budget"}}');
    });
    await using revoked = await startServer((_request, response) => {
      const headers = { [modelErrorHeaders.class]: 'stale', [modelErrorHeaders.code]: 'run.revoked' };
      response.writeHead(401, headers).end('{}');
    });

    await expect(modelAt(server.url).reply(request, never)).rejects.toMatchObject({
      kind: 'terminal',
      code: 'budget.run_spent',
    });
    await expect(modelAt(revoked.url).reply(request, never)).rejects.toBeInstanceOf(StaleError);
  });

  it('follows no redirect', async () => {
    let followed = 0;
    await using elsewhere = await startServer((_request, response) => {
      followed += 1;
      response.end();
    });
    await using server = await startServer((_request, response) => {
      response.writeHead(307, { location: `${elsewhere.url}/v1/messages` }).end();
    });

    await expect(modelAt(server.url).reply(request, never)).rejects.toBeInstanceOf(TransientError);
    expect(followed).toBe(0);
  });

  it('ends a stream that has gone silent, but not one that pings', async () => {
    const clock = new ManualClock();
    await using claude = await startFakeClaude({
      apiKey: 'key',
      script: inOrder([reply.fault(claudeFault.silence(2)), reply.fault(claudeFault.silence(2, 5))]),
    });
    const silent = modelAt(claude.url, clock).reply(request, never);
    silent.catch(() => undefined);
    await until(() => claude.requests.length === 1);
    await clock.advance(89_000);
    await clock.advance(95_000);
    await expect(silent).rejects.toMatchObject({ code: 'model.timeout', message: 'the model has gone silent' });

    const pinging = modelAt(claude.url, clock).reply(request, never);
    pinging.catch(() => undefined);
    await until(() => claude.requests.length === 2);
    for (let step = 0; step < 11; step += 1) {
      await pause(40);
      await clock.advance(60_000);
    }
    await expect(pinging).rejects.toMatchObject({ code: 'model.timeout', message: 'the model takes too long' });
  });

  it.each(['deltas', 'event'] as const)('takes no more than a turn may hold, in %s', async (shape) => {
    const error = await errorOf(claudeFault.huge(200 << 20, shape));

    expect(error).toMatchObject({ kind: 'terminal', code: 'model.bad_answer' });
  });

  it('ends at once, with the reason, when it is told to', async () => {
    await using claude = await startFakeClaude({ apiKey: 'key', script: () => reply.fault(claudeFault.hang()) });
    const stop = new AbortController();
    const asked = modelAt(claude.url).reply(request, stop.signal);
    await until(() => claude.requests.length === 1);
    const reason = new TerminalError('budget.time_spent', 'late');

    stop.abort(reason);

    await expect(asked).rejects.toBe(reason);
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await pause(5);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
