import { describe, expect, it } from '@jest/globals';
import type { Clock } from '@drydock/core';
import { z } from 'zod';
import { claudeFault } from './claude-fault.ts';
import { inOrder, reply, toolUse } from './claude-reply.ts';
import type { ClaudeReply } from './claude-reply.ts';
import { aRequest, eventsOf, messageOf, objectOf, open, send, testKey } from './claude-test-client.ts';
import type { FakeClaudeOptions } from './start-fake-claude.ts';
import { startFakeClaude, startInstantClaude } from './start-fake-claude.ts';

const start = (script: FakeClaudeOptions['script'] | ClaudeReply, more: Partial<FakeClaudeOptions> = {}) =>
  startFakeClaude({ apiKey: testKey, script: typeof script === 'function' ? script : () => script, ...more });
const streamed = { ...aRequest, stream: true };
const byteLength = (chunk: unknown) => (ArrayBuffer.isView(chunk) ? chunk.byteLength : 0);
const Delta = z.record(z.string(), z.string());
const hello = { role: 'user', content: 'Hello' };

describe('a message', () => {
  it('comes whole without stream, with usage, request id and rate limits', async () => {
    await using claude = await start(reply.text('Hi'));

    const answer = await send(claude.url, aRequest);

    expect(JSON.parse(answer.text)).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'claude-sonnet-5-5',
      content: [{ type: 'text', text: 'Hi' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: 8, output_tokens: 3, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 },
    });
    expect(answer.headers.get('request-id')).toMatch(/^req_/);
    expect(answer.headers.get('anthropic-ratelimit-requests-remaining')).toBe('3999');
    expect(answer.headers.get('anthropic-ratelimit-output-tokens-reset')).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+Z$/);
  });

  it('streams as the events of the API, in its order', async () => {
    const input = { path: 'src/a.ts', startLine: 1 };
    await using claude = await start(
      reply.blocks([
        { kind: 'thinking', text: 'Let me look.' },
        { kind: 'text', text: 'I read the file to see what it does \u{1f600}.' },
        toolUse('read_file', input),
      ]),
    );

    const answer = await send(claude.url, { ...streamed, thinking: { type: 'adaptive' } });

    const events = eventsOf(answer.text);
    const deltas = (type: string, key: string) =>
      events
        .map((event) => Delta.safeParse(event.data['delta']).data ?? {})
        .map((delta) => (delta['type'] === type ? delta[key] : ''))
        .join('');
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(events.every((event) => event.name === event.data['type'])).toBe(true);
    expect(events.map((event) => event.name).filter((name) => name !== 'content_block_delta')).toEqual([
      'message_start',
      'ping',
      ...['content_block_start', 'content_block_stop'],
      ...['content_block_start', 'content_block_stop'],
      ...['content_block_start', 'content_block_stop'],
      'message_delta',
      'message_stop',
    ]);
    expect(deltas('thinking_delta', 'thinking')).toBe('Let me look.');
    expect(deltas('signature_delta', 'signature')).not.toBe('');
    expect(deltas('text_delta', 'text')).toBe('I read the file to see what it does \u{1f600}.');
    expect(JSON.parse(deltas('input_json_delta', 'partial_json'))).toEqual(input);
    expect(events.at(-2)?.data).toMatchObject({ delta: { stop_reason: 'tool_use' }, usage: { input_tokens: 8 } });
  });

  it('keeps thinking to itself when nobody asked', async () => {
    await using claude = await start(
      reply.blocks([
        { kind: 'thinking', text: 'hm' },
        { kind: 'text', text: 'Hi' },
      ]),
    );

    const answer = await send(claude.url, aRequest);

    expect(answer.text).not.toContain('thinking"');
  });

  it('has the same tool ids for the same request, and takes them back', async () => {
    await using claude = await start((_request, { turn }) =>
      turn === 1 ? reply.toolUse('read_file', { path: 'a' }) : reply.text('Done'),
    );

    const first = messageOf(await send(claude.url, aRequest));
    const again = messageOf(await send(claude.url, aRequest));
    const result = { type: 'tool_result', tool_use_id: first.content[0]?.id, content: 'text of a' };
    const next = await send(claude.url, {
      ...aRequest,
      messages: [hello, { role: 'assistant', content: first.content }, { role: 'user', content: [result] }],
    });

    expect(again.content).toEqual(first.content);
    expect(messageOf(next).content).toEqual([{ type: 'text', text: 'Done' }]);
    expect(claude.requests.map((call) => call.outcome.kind)).toEqual(['answered', 'answered', 'answered']);
  });
});

describe('stop reasons', () => {
  it('cuts at max_tokens, inside a tool input too', async () => {
    await using claude = await start(
      inOrder([
        reply.text('x'.repeat(100)),
        reply.toolUse('read_file', { path: 'y'.repeat(100) }),
        reply.cutToolUse('read_file', { path: 'src/a.ts' }, 9),
      ]),
    );

    const text = messageOf(await send(claude.url, { ...aRequest, max_tokens: 10 }));
    const tool = await send(claude.url, { ...streamed, max_tokens: 10 });
    const scripted = await send(claude.url, streamed);

    expect(text).toMatchObject({ stop_reason: 'max_tokens', content: [{ text: 'x'.repeat(40) }] });
    expect(tool.text).toContain('"stop_reason":"max_tokens"');
    expect(tool.text).not.toContain('}"}'); // the JSON of the input does not end
    expect(scripted.text).toContain('{\\"path\\":\\"');
    expect(scripted.text).not.toContain('src/a.ts');
  });

  it('stops at a stop sequence', async () => {
    await using claude = await start(reply.text('one END two'));

    const answer = messageOf(await send(claude.url, { ...aRequest, stop_sequences: ['two', 'END'] }));

    expect(answer).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'END', content: [{ text: 'one ' }] });
  });

  it('stops where the context window ends', async () => {
    await using claude = await start(reply.text('x'.repeat(5000)));
    const content = 'x'.repeat(4 * (1_000_000 - 100));

    const answer = messageOf(await send(claude.url, { ...aRequest, messages: [{ role: 'user', content }] }));

    expect(answer.stop_reason).toBe('model_context_window_exceeded');
    expect(answer.content[0]?.text?.length).toBeLessThan(400);
  });

  it('refuses before output and in the middle of it', async () => {
    const explanation = 'No.';
    await using claude = await start(
      inOrder([reply.refusal({ category: 'cyber', explanation }), reply.refusal({ partialText: 'To attack' })]),
    );

    const before = messageOf(await send(claude.url, aRequest));
    const during = eventsOf((await send(claude.url, streamed)).text);

    expect(before).toMatchObject({
      content: [],
      stop_reason: 'refusal',
      stop_details: { type: 'refusal', category: 'cyber', explanation },
      usage: { output_tokens: 0 },
    });
    expect(during.at(-2)?.data).toMatchObject({
      delta: { stop_reason: 'refusal', stop_details: { type: 'refusal', category: null } },
      usage: { output_tokens: 5 },
    });
  });

  it('pauses a turn and takes it back unchanged, but not changed', async () => {
    const raw = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} };
    const paused = reply.stop('pause_turn', [{ kind: 'raw', block: raw }]);
    await using claude = await start(inOrder([paused, reply.text('Done')]), { allowViolations: true });
    const back = (content: unknown) => ({ ...aRequest, messages: [hello, { role: 'assistant', content }] });

    const first = messageOf(await send(claude.url, aRequest));
    const changed = await send(claude.url, back([{ ...raw, name: 'other' }]));
    const unchanged = await send(claude.url, back(first.content));

    expect(first).toMatchObject({ stop_reason: 'pause_turn', content: [raw] });
    expect(changed.text).toContain('does not support assistant message prefill');
    expect(messageOf(unchanged).stop_reason).toBe('end_turn');
  });

  it('takes a turn that paused twice back as one message', async () => {
    const text = (value: string) => ({ kind: 'text' as const, text: value });
    await using claude = await start(
      inOrder([reply.stop('pause_turn', [text('one')]), reply.stop('pause_turn', [text('two')]), reply.text('three')]),
    );
    const back = (...content: unknown[]) => ({ ...aRequest, messages: [hello, { role: 'assistant', content }] });

    const first = messageOf(await send(claude.url, aRequest));
    const second = messageOf(await send(claude.url, back(...first.content)));
    const third = messageOf(await send(claude.url, back(...first.content, ...second.content)));

    expect(third.content).toEqual([{ type: 'text', text: 'three' }]);
  });

  it('can be empty, unknown, or carry a block of an unknown type that comes back', async () => {
    const raw = { type: 'hologram', data: 'x' };
    await using claude = await start(
      inOrder([
        reply.empty(),
        reply.stop('tired'),
        reply.stop('end_turn', [{ kind: 'raw', block: raw }]),
        reply.text('Ok'),
      ]),
    );

    const empty = messageOf(await send(claude.url, aRequest));
    const unknown = messageOf(await send(claude.url, aRequest));
    const block = await send(claude.url, streamed);
    const back = await send(claude.url, {
      ...aRequest,
      messages: [hello, { role: 'assistant', content: [raw] }, hello],
    });

    expect(empty).toMatchObject({ content: [], stop_reason: 'end_turn', usage: { output_tokens: 2 } });
    expect(unknown.stop_reason).toBe('tired');
    expect(block.text).toContain('"content_block":{"type":"hologram","data":"x"}');
    expect(back.status).toBe(200);
  });
});

describe('faults', () => {
  it.each([
    ['invalid request', claudeFault.invalidRequest(), 400, 'invalid_request_error', null],
    ['spend limit', claudeFault.spendLimit(), 400, 'You have reached your specified API usage limits', null],
    ['no credit', claudeFault.creditTooLow(), 400, 'credit balance is too low', null],
    ['401', claudeFault.unauthorized(), 401, 'authentication_error', null],
    ['402', claudeFault.billing(), 402, 'billing_error', null],
    ['403', claudeFault.forbidden(), 403, 'permission_error', null],
    ['404', claudeFault.notFound(), 404, 'not_found_error', null],
    ['408', claudeFault.requestTimeout(), 408, 'timeout_error', null],
    ['409', claudeFault.conflict(), 409, 'conflict_error', null],
    ['413 as HTML', claudeFault.tooLarge(), 413, '<html>', null],
    ['429', claudeFault.rateLimited(7), 429, 'rate_limit_error', '7'],
    ['429 without a time', claudeFault.rateLimited(null), 429, 'rate_limit_error', null],
    ['500', claudeFault.serverError(), 500, 'api_error', null],
    ['502 as HTML', claudeFault.badGateway(), 502, '<html>', null],
    ['504', claudeFault.gatewayTimeout(), 504, 'timeout_error', null],
    ['529', claudeFault.overloaded(), 529, 'overloaded_error', null],
  ])('answers %s', async (_what, fault, status, text, retryAfter) => {
    await using claude = await start(reply.fault(fault));

    const answer = await send(claude.url, streamed);

    expect(answer.status).toBe(status);
    expect(answer.text).toContain(text);
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    expect(answer.headers.get('anthropic-ratelimit-tokens-limit')).not.toBeNull();
    expect(claude.requests[0]?.outcome).toEqual({ kind: 'fault', fault });
  });

  it('sends an error event after so many events', async () => {
    await using claude = await start(reply.fault(claudeFault.errorEvent(3)));

    const events = eventsOf((await send(claude.url, streamed)).text);

    expect(events).toHaveLength(4);
    expect(events[3]).toMatchObject({ name: 'error', data: { type: 'error', error: { type: 'overloaded_error' } } });
  });

  it.each([0, 1, 100, 400])('cuts the connection at byte %i', async (atByte) => {
    await using claude = await start(reply.fault(claudeFault.cut(atByte)));

    const response = await open(claude.url, streamed);

    let got = 0;
    const reading = (async () => {
      for await (const chunk of response.body ?? []) got += byteLength(chunk);
    })();
    await expect(reading).rejects.toThrow('terminated');
    expect(got).toBe(atByte);
  });

  it.each([
    ['pings', 5, /event: ping\ndata: {"type":"ping"}\n\nevent: ping/],
    ['nothing', null, /event: message_start/],
  ])('falls silent with %s until the client leaves', async (_what, pingEveryMs, expected) => {
    await using claude = await start(reply.fault(claudeFault.silence(1, pingEveryMs)));
    const leaving = new AbortController();

    const response = await open(claude.url, streamed, { signal: leaving.signal });
    let got = '';
    for await (const chunk of response.body ?? []) {
      got += Buffer.from(chunk).toString();
      if (expected.test(got)) break;
    }
    leaving.abort();

    expect(got).toMatch(expected);
    expect(got).not.toContain('message_stop');
  });

  it('hangs and resets before the answer', async () => {
    await using claude = await start(inOrder([reply.fault(claudeFault.hang()), reply.fault(claudeFault.reset())]));

    await expect(send(claude.url, streamed, { signal: AbortSignal.timeout(1000) })).rejects.toThrow('timeout');
    await expect(send(claude.url, streamed)).rejects.toThrow('fetch failed');
  });

  it('ends hanging requests when it stops', async () => {
    const claude = await start(reply.fault(claudeFault.hang()));
    const pending = expect(send(claude.url, streamed)).rejects.toThrow('fetch failed');
    while (claude.requests.length === 0) await new Promise(setImmediate);

    await claude.stop();

    await pending;
  });

  it('sends an event that is no JSON', async () => {
    await using claude = await start(reply.fault(claudeFault.malformedEvent(2)));

    const answer = await send(claude.url, streamed);

    expect(() => eventsOf(answer.text)).toThrow(SyntaxError);
  });

  it('sends more than anyone wants, in deltas or in one event', async () => {
    await using claude = await start(
      inOrder([reply.fault(claudeFault.huge(3_000_000)), reply.fault(claudeFault.huge(3_000_000, 'event'))]),
    );

    const deltas = await send(claude.url, streamed);
    const event = await send(claude.url, streamed);

    expect(deltas.text.length).toBeGreaterThan(3_000_000);
    expect(deltas.text.split('\n\n').length).toBeGreaterThan(45);
    expect(event.text.length).toBeGreaterThan(3_000_000);
    expect(event.text.split('\n\n')).toHaveLength(2);
  });

  it('waits by its clock: before the answer, between events, when slow', async () => {
    const sleeps: number[] = [];
    const clock: Clock = {
      nowMs: () => 0,
      monotonicMs: () => 0,
      sleep: (ms) => {
        sleeps.push(ms);
        return Promise.resolve();
      },
    };
    await using claude = await start(inOrder([reply.fault(claudeFault.slow(70)), reply.text('Hi')]), {
      clock,
      latencyMs: 500,
      gapMs: 3,
    });

    await send(claude.url, streamed);
    await send(claude.url, streamed);

    expect(sleeps).toEqual([500, ...Array.from({ length: 7 }, () => 70), 500, ...Array.from({ length: 7 }, () => 3)]);
  });

  it('fails the test when the script has no answer', async () => {
    const claude = await start(inOrder([]));

    const answer = await send(claude.url, streamed);

    expect(answer.status).toBe(500);
    await expect(claude.stop()).rejects.toThrow('the script has no answer for request 1');
  });
});

describe('other routes', () => {
  it('counts tokens as it bills them', async () => {
    await using claude = await start(reply.text('Hi'));
    const { max_tokens: _unused, ...counted } = aRequest;

    const count = await send(claude.url, counted, { path: '/v1/messages/count_tokens' });
    const message = messageOf(await send(claude.url, aRequest));

    expect(objectOf(count.text)).toEqual({ input_tokens: message.usage.input_tokens });
  });

  it('lists models page by page and shows one', async () => {
    await using claude = await start(reply.text('Hi'));
    const headers = { 'x-api-key': testKey, 'anthropic-version': '2023-06-01' };
    const get = async (path: string) => objectOf(await (await fetch(claude.url + path, { headers })).text());

    const first = await get('/v1/models?limit=3');
    const second = await get(`/v1/models?limit=3&after_id=${String(first['last_id'])}`);
    const one = await get('/v1/models/claude-sonnet-5-5');
    const none = await get('/v1/models/claude-9');

    expect(first).toMatchObject({ has_more: true, first_id: 'claude-sonnet-5-5' });
    expect(second).toMatchObject({ has_more: false, data: [{ id: 'claude-haiku-4-5' }] });
    expect(one).toMatchObject({ type: 'model', max_tokens: 128_000, max_input_tokens: 1_000_000 });
    expect(none).toMatchObject({ error: { type: 'not_found_error' } });
  });
});

describe('the instant variant', () => {
  it('answers in one write, checks, and keeps no record', async () => {
    await using claude = await startInstantClaude({ apiKey: testKey, script: () => reply.text('Hi') });

    const answer = await send(claude.url, streamed);

    expect(eventsOf(answer.text).at(-1)?.name).toBe('message_stop');
    expect(claude.requests).toEqual([]);
  });
});
