import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ReviewPolicy } from '@drydock/core';
import {
  claudeFault,
  reply,
  startFakeClaude,
  type ClaudeFault,
  type ClaudeScript,
  type FakeClaude,
} from '@drydock/testkit';
import { QuickClock, TestProxy, apiKey, plainBody } from './testing/test-proxy.ts';

const good = reply.text('All is well.');
/** The nth request meets the nth fault; the others are answered. */
const script =
  (...faults: readonly ClaudeFault[]): ClaudeScript =>
  (_, { requestCount }) => {
    const fault = faults[requestCount - 1];
    return fault === undefined ? good : reply.fault(fault, good);
  };

describe('proxyMessages', () => {
  let claude: FakeClaude;
  let proxy: TestProxy;
  let clock: QuickClock;

  beforeEach(async () => {
    clock = new QuickClock();
    claude = await startFakeClaude({ apiKey, script: script() });
    proxy = await TestProxy.start({ baseUrl: claude.url, clock });
  });

  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await claude.stop();
  });

  it('passes a stream through byte for byte and counts what it used', async () => {
    const direct = await fetch(`${claude.url}/v1/messages`, {
      method: 'POST',
      body: JSON.stringify(plainBody),
      headers: { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    });
    const expected = (await direct.text()).replaceAll(/msg_fake\d+/g, 'msg');

    const response = await proxy.post();

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect((await response.text()).replaceAll(/msg_fake\d+/g, 'msg')).toBe(expected);
    const outcome = claude.requests.at(-1)?.outcome;
    if (outcome?.kind !== 'answered') throw new Error('not answered');
    const told = await proxy.usage();
    expect(told?.calls).toBe(1);
    expect(told?.tokens.output).toBeGreaterThan(0);
    expect(told?.costUsd).toBeCloseTo(((told?.tokens.input ?? 0) * 2 + (told?.tokens.output ?? 0) * 10) / 1e6, 12);
    expect((await proxy.spent()).spentNanoUsd).toBe(Math.round((told?.costUsd ?? 0) * 1e9));
    expect(proxy.calls).toEqual([{ model: 'claude-sonnet-5-5', outcome: 'answered' }]);
  });

  it('passes an answer that is not streamed', async () => {
    const response = await proxy.post({ ...plainBody, stream: false });

    expect(await response.json()).toMatchObject({ type: 'message', content: [{ text: 'All is well.' }] });
    expect((await proxy.usage())?.tokens.output).toBeGreaterThan(0);
  });

  it('sends our key and nothing of the headers of the agent', async () => {
    const response = await proxy.post(plainBody, {
      authorization: 'Bearer ddrun_secret',
      'x-api-key': 'ddrun_secret',
      'anthropic-beta': 'mcp-client-2025-11-20',
      cookie: 'a=b',
      'x-forwarded-for': '10.0.0.1',
    });
    await response.text();

    const headers = claude.requests[0]?.headers ?? {};
    expect(headers['x-api-key']).toBe(apiKey);
    expect(JSON.stringify(headers)).not.toContain('ddrun_secret');
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['authorization']));
    for (const name of ['anthropic-beta', 'cookie', 'x-forwarded-for']) expect(headers).not.toHaveProperty(name);
  });

  it('never lets our key out', async () => {
    claude.setScript(script(claudeFault.unauthorized()));

    const response = await proxy.post();

    expect(JSON.stringify([...response.headers]) + (await response.text())).not.toContain(apiKey);
  });

  it('caps the answer by the policy and drops the metadata', async () => {
    await (await proxy.post({ ...plainBody, max_tokens: 99_999, metadata: { user_id: 'someone' } })).text();

    expect(claude.requests[0]?.json).toMatchObject({ max_tokens: 16_000 });
    expect(claude.requests[0]?.json).not.toHaveProperty('metadata');
  });

  it('lets an agent ask the other models of its policy', async () => {
    await proxy.startRun({ policy: ReviewPolicy.parse({ fallbackModels: ['claude-opus-5-5'] }) });

    expect((await proxy.post({ ...plainBody, model: 'claude-opus-5-5' })).status).toBe(200);
  });

  it.each([
    ['a model that is not allowed', { model: 'claude-opus-5-5' }, 403, 'model.not_allowed'],
    [
      'a tool of the provider',
      { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
      400,
      'request.malformed',
    ],
    ['an MCP server', { mcp_servers: [] }, 400, 'request.malformed'],
  ])('refuses %s without asking the model', async (_, part, status, code) => {
    const response = await proxy.post({ ...plainBody, ...part });

    expect(response.status).toBe(status);
    expect(response.headers.get('x-drydock-error-class')).toBe('terminal');
    expect(response.headers.get('x-drydock-error-code')).toBe(code);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: expect.any(String) } });
    expect(claude.requests).toHaveLength(0);
    expect((await proxy.spent()).spentTokens).toBe(0);
  });

  describe('failures before an answer', () => {
    it.each([
      ['a rate limit', claudeFault.rateLimited(3), [3000]],
      ['a rate limit that tells no time', claudeFault.rateLimited(null), [500]],
      ['an overload', claudeFault.overloaded(), [2000]],
      ['a server error', claudeFault.serverError(), [500]],
      ['a bad gateway in HTML', claudeFault.badGateway(), [500]],
      ['a conflict', claudeFault.conflict(), [500]],
      ['a reset connection', claudeFault.reset(), [500]],
      ['a server that hangs', claudeFault.hang(), [500]],
    ])('repeats the call after %s', async (_, fault, sleeps) => {
      claude.setScript(script(fault));

      const response = await proxy.post();

      expect(response.status).toBe(200);
      expect(await response.text()).toContain('message_stop');
      expect(clock.sleeps).toEqual(sleeps);
      expect((await proxy.usage())?.calls).toBe(1);
    });

    it('gives up after four attempts, each delay full jitter of the next power, and pays nothing', async () => {
      claude.setScript(script(...Array.from({ length: 9 }, () => claudeFault.serverError())));

      const response = await proxy.post();

      expect(response.status).toBe(503);
      expect(response.headers.get('x-drydock-error-class')).toBe('transient');
      expect(response.headers.get('x-drydock-error-code')).toBe('model.unavailable');
      expect(clock.sleeps).toEqual([500, 1000, 2000]);
      expect(await proxy.spent()).toMatchObject({ spentNanoUsd: 0, spentTokens: 0 });
      expect(proxy.calls).toEqual([{ model: 'claude-sonnet-5-5', outcome: 'model.unavailable' }]);
    });

    it('does not wait longer than a call may take, and tells the time to the agent', async () => {
      claude.setScript(script(claudeFault.rateLimited(120)));

      const response = await proxy.post();

      expect(response.status).toBe(429);
      expect(response.headers.get('retry-after')).toBe('120');
      expect(clock.sleeps).toEqual([]);
    });

    it.each([
      ['a refused key', claudeFault.unauthorized(), 'model.unauthorized'],
      ['a forbidden model', claudeFault.forbidden(), 'model.unauthorized'],
      ['a billing problem', claudeFault.billing(), 'model.billing'],
      ['an unknown model', claudeFault.notFound(), 'model.not_found'],
      ['a spend limit', claudeFault.spendLimit(), 'model.billing'],
      ['no credit', claudeFault.creditTooLow(), 'model.billing'],
    ])('tells the agent that it is blocked by %s, once, and not by a 401 of its own', async (_, fault, code) => {
      claude.setScript(script(fault));

      const response = await proxy.post();

      expect(response.status).toBe(424);
      expect(response.headers.get('x-drydock-error-class')).toBe('blocked');
      expect(response.headers.get('x-drydock-error-code')).toBe(code);
      expect(claude.requests).toHaveLength(1);
    });

    it.each([
      ['a prompt that is too long', claudeFault.promptTooLong(), 400, 'model.context_full'],
      ['a body that is too large', claudeFault.tooLarge(), 413, 'model.context_full'],
      ['a malformed request', claudeFault.invalidRequest(), 400, 'model.rejected'],
    ])('hands on %s', async (_, fault, __, code) => {
      claude.setScript(script(fault));

      const response = await proxy.post();

      expect(response.status).toBe(400);
      expect(response.headers.get('x-drydock-error-class')).toBe('terminal');
      expect(response.headers.get('x-drydock-error-code')).toBe(code);
    });

    it('does not repeat a call that was not streamed and timed out, and pays it', async () => {
      claude.setScript(script(claudeFault.hang()));

      const response = await proxy.post({ ...plainBody, stream: false });

      expect(response.status).toBe(504);
      expect(claude.requests).toHaveLength(1);
      expect((await proxy.spent()).spentTokens).toBeGreaterThanOrEqual(1000);
    });
  });

  describe('failures inside an answer', () => {
    it.each([
      ['breaks off', claudeFault.cut(1000)],
      ['falls silent', claudeFault.silence(3)],
    ])('ends a stream that %s with an error event, and never repeats it', async (_, fault) => {
      claude.setScript(script(fault));

      const text = await (await proxy.post()).text();

      expect(text).toMatch(/\n\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error"/);
      expect(claude.requests).toHaveLength(1);
      expect(proxy.calls).toEqual([{ model: 'claude-sonnet-5-5', outcome: 'model.stream_broken' }]);
      expect((await proxy.usage())?.tokens.input).toBeGreaterThan(0);
    });

    it('hands on an error event as it is', async () => {
      claude.setScript(script(claudeFault.errorEvent(2)));

      expect(await (await proxy.post()).text()).toContain('overloaded_error');
      expect(claude.requests).toHaveLength(1);
    });

    it('ends an answer over the size cap', async () => {
      claude.setScript(script(claudeFault.huge(8 * 1024 * 1024, 'deltas')));

      const text = await (await proxy.post()).text();

      expect(text.length).toBeLessThan(5 * 1024 * 1024);
      expect(text).toContain('event: error');
    });

    it('ends a single event over the size cap', async () => {
      claude.setScript(script(claudeFault.huge(16 * 1024 * 1024, 'event')));

      expect(await (await proxy.post()).text()).toContain('event: error');
    });

    it('takes no web page for a stream', async () => {
      const page = createServer((_, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>'),
      );
      page.listen(0, '127.0.0.1');
      await once(page, 'listening');
      proxy.settings = {
        ...proxy.settings,
        baseUrl: `http://127.0.0.1:${String((page.address() as AddressInfo).port)}`,
      };

      const response = await proxy.post();
      page.close();

      expect(response.headers.get('x-drydock-error-code')).toBe('model.bad_answer');
    });

    it('ends the call upstream when the agent leaves, and pays the whole answer', async () => {
      claude.setScript(script(claudeFault.slow(50)));
      const request = httpRequest(proxy.url, { method: 'POST' });
      request.end(JSON.stringify(plainBody));
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await once(response, 'data');
      response.destroy();

      while (proxy.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));

      expect(proxy.calls[0]?.outcome).toBe('aborted');
      const told = await proxy.usage();
      expect(told?.tokens.input).toBeGreaterThan(0);
      expect(told?.tokens.output).toBeLessThan(5);
      expect((await proxy.spent()).spentNanoUsd).toBeGreaterThanOrEqual(1000 * 10_000);
    });
  });

  describe('budgets', () => {
    it('lets no calls that run at once overspend', async () => {
      await proxy.startRun({ policy: ReviewPolicy.parse({ budget: { usdPerRun: 0.035 } }) });
      claude.setScript(script(...Array.from({ length: 12 }, () => claudeFault.slow(20))));

      const responses = await Promise.all(Array.from({ length: 12 }, () => proxy.post()));
      const statuses = responses.map(({ status }) => status);
      await Promise.all(responses.map((response) => response.text()));

      expect(statuses.filter((status) => status === 402).length).toBeGreaterThan(0);
      expect(claude.requests.length).toBe(statuses.filter((status) => status === 200).length);
      expect((await proxy.spent()).spentNanoUsd).toBeLessThanOrEqual(0.035e9);
    });

    it('tells which budget is spent', async () => {
      await proxy.startRun({ policy: ReviewPolicy.parse({ budget: { usdPerDay: 0.001 } }) });

      const response = await proxy.post();

      expect(response.status).toBe(402);
      expect(response.headers.get('x-drydock-error-code')).toBe('budget.day_spent');
      expect(claude.requests).toHaveLength(0);
    });

    it('counts tokens and no cost for a model without a price', async () => {
      proxy.settings = { ...proxy.settings, prices: {} };
      await proxy.startRun({ policy: ReviewPolicy.parse({ budget: { usdPerRun: 1e-9 } }) });

      await (await proxy.post()).text();

      expect((await proxy.usage())?.costUsd).toBeNull();
      expect((await proxy.usage())?.tokens.output).toBeGreaterThan(0);
    });
  });

  it('repeats nothing once the agent has left', async () => {
    claude.setScript(script(claudeFault.serverError(), claudeFault.serverError()));
    proxy.abort.abort();

    await proxy.post().catch(() => undefined);

    expect(claude.requests.length).toBeLessThanOrEqual(1);
  });
});
