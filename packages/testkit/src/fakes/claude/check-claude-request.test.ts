import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { aRequest, send } from './claude-test-client.ts';
import { reply } from './claude-reply.ts';
import type { FakeClaude } from './start-fake-claude.ts';
import { startFakeClaude } from './start-fake-claude.ts';
import { testKey } from './claude-test-client.ts';

let claude: FakeClaude;
beforeAll(async () => {
  claude = await startFakeClaude({ apiKey: testKey, script: () => reply.text('Hi'), allowViolations: true });
});
afterAll(() => claude.stop());

const tool = { name: 'read_file', input_schema: { type: 'object', properties: { path: { type: 'string' } } } };
const call = (...ids: string[]) => ({
  role: 'assistant',
  content: ids.map((id) => ({ type: 'tool_use', id, name: 'read_file', input: {} })),
});
const result = (id: string) => ({ type: 'tool_result', tool_use_id: id, content: 'x' });
const user = (...content: unknown[]) => ({ role: 'user', content });
const text = (value: string, more: object = {}) => ({ type: 'text', text: value, ...more });
const point = { cache_control: { type: 'ephemeral' } };
const hello = { role: 'user', content: 'Hello' };

const refused: readonly (readonly [string, object, string])[] = [
  ['an unknown field', { colour: 'red' }, 'colour: Extra inputs are not permitted'],
  ['an unknown nested field', { messages: [{ ...hello, id: 1 }] }, 'messages.0.id: Extra inputs are not permitted'],
  ['an unknown block field', { messages: [user(text('a', { x: 1 }))] }, 'messages.0.content.0.x: Extra inputs'],
  ['no max_tokens', { max_tokens: undefined }, 'max_tokens: Field required'],
  ['too many max_tokens', { max_tokens: 128_001 }, 'max_tokens: 128001 > 128000, which is the maximum allowed'],
  ['max_tokens as text', { max_tokens: '5' }, 'max_tokens: Input should be a valid'],
  ['no messages', { messages: [] }, 'messages: List should have at least 1 item'],
  ['an unknown role', { messages: [{ role: 'system', content: 'x' }] }, 'messages.0.role: Input should be'],
  [
    'an assistant first',
    { messages: [{ role: 'assistant', content: 'x' }, hello] },
    'first message must use the "user"',
  ],
  ['two users in a row', { messages: [hello, hello] }, 'roles must alternate'],
  ['empty content', { messages: [{ role: 'user', content: '' }] }, 'all messages must have non-empty content'],
  ['an empty text block', { messages: [user(text(''))] }, 'text content blocks must be non-empty'],
  ['an unknown block type', { messages: [user({ type: 'audio' })] }, "Input tag 'audio' found using 'type'"],
  [
    'an image by URL',
    { messages: [user({ type: 'image', source: { type: 'url', url: 'http://x' } })] },
    'messages.0.content.0.source',
  ],
  ['temperature', { temperature: 0 }, '`temperature` is deprecated for this model.'],
  ['top_p', { top_p: 0.5 }, '`top_p` is deprecated for this model.'],
  ['top_k', { top_k: 5 }, '`top_k` is deprecated for this model.'],
  ['prefill', { messages: [hello, { role: 'assistant', content: 'I' }] }, 'does not support assistant message prefill'],
  [
    'a thinking budget',
    { thinking: { type: 'enabled', budget_tokens: 1024 } },
    '"thinking.type.enabled" is not supported',
  ],
  [
    'a budget over max_tokens',
    { model: 'claude-haiku-4-5', thinking: { type: 'enabled', budget_tokens: 2048 } },
    '`max_tokens` must be greater than `thinking.budget_tokens`',
  ],
  [
    'forced tools while thinking',
    { tools: [tool], thinking: { type: 'adaptive' }, tool_choice: { type: 'any' } },
    'Thinking may not be enabled when tool_choice forces tool use',
  ],
  [
    'a trailing space in a prefill',
    { model: 'claude-haiku-4-5', messages: [hello, { role: 'assistant', content: 'I ' }] },
    'cannot end with trailing whitespace',
  ],
  ['a bad tool name', { tools: [{ ...tool, name: 'read file' }] }, 'tools.0.custom.name: String should match pattern'],
  ['tools of one name', { tools: [tool, tool] }, 'tools: Tool names must be unique.'],
  ['a tool without schema', { tools: [{ name: 'a' }] }, 'tools.0.custom.input_schema: Field required'],
  [
    'a schema without type',
    { tools: [{ name: 'a', input_schema: {} }] },
    'tools.0.custom.input_schema.type: Field required',
  ],
  [
    'a schema of a list',
    { tools: [{ name: 'a', input_schema: { type: 'array' } }] },
    'tools.0.custom.input_schema.type',
  ],
  [
    'anyOf on top',
    { tools: [{ name: 'a', input_schema: { type: 'object', anyOf: [] } }] },
    'does not support oneOf, allOf, or anyOf at the top level',
  ],
  [
    'a property key with a space',
    { tools: [{ name: 'a', input_schema: { type: 'object', properties: { 'a b': {} } } }] },
    'Property keys should match pattern',
  ],
  [
    'a strict tool open to more',
    { tools: [{ ...tool, strict: true }] },
    "'additionalProperties' must be explicitly set",
  ],
  ['a server-side tool', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools.0.custom.'],
  ['a choice without tools', { tool_choice: { type: 'auto' } }, 'may only be specified while providing tools'],
  ['a choice of no tool', { tools: [tool], tool_choice: { type: 'tool', name: 'b' } }, "Tool 'b' not found"],
  [
    'a call without result',
    { messages: [hello, call('toolu_1', 'toolu_2'), user(result('toolu_1'))] },
    'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_2. Each',
  ],
  [
    'a result after a text',
    { messages: [hello, call('toolu_1'), user(text('Here:'), result('toolu_1'))] },
    'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1',
  ],
  [
    'a result without call',
    { messages: [hello, call('toolu_1'), user(result('toolu_1'), result('toolu_9'))] },
    'messages.2.content.1: unexpected `tool_use_id` found in `tool_result` blocks: toolu_9',
  ],
  [
    'a result in the first message',
    { messages: [user(result('toolu_1'))] },
    'messages.0.content.0: unexpected `tool_use_id`',
  ],
  [
    'two results for one call',
    { messages: [hello, call('toolu_1'), user(result('toolu_1'), result('toolu_1'))] },
    'each tool_use must have a single result',
  ],
  [
    'an id used twice',
    { messages: [hello, call('t1'), user(result('t1')), call('t1'), user(result('t1'))] },
    'messages.3: `tool_use` ids must be unique',
  ],
  [
    'a call by the user',
    { messages: [user({ type: 'tool_use', id: 'a', name: 'b', input: {} })] },
    'cannot be in `user`',
  ],
  [
    'a foreign thinking block',
    {
      messages: [
        hello,
        { role: 'assistant', content: [{ type: 'thinking', thinking: 'hm', signature: 'x' }, text('a')] },
        hello,
      ],
    },
    'messages.1.content.0: Invalid `signature` in `thinking` block',
  ],
  [
    'five breakpoints',
    { messages: [user(...[1, 2, 3, 4, 5].map((n) => text(String(n), point)))] },
    'A maximum of 4 blocks with cache_control may be provided. Found 5.',
  ],
  [
    'a long breakpoint after a short one',
    { messages: [user(text('a', point), text('b', { cache_control: { type: 'ephemeral', ttl: '1h' } }))] },
    "a ttl='1h' cache_control block must not come after a ttl='5m'",
  ],
  ['an empty stop sequence', { stop_sequences: [' '] }, 'each stop sequence must contain non-whitespace'],
  ['half a character', { messages: [{ role: 'user', content: 'a\ud83d' }] }, 'no low surrogate in string'],
];

describe('the fake Claude', () => {
  it.each(refused)('refuses %s and records it', async (_what, change, message) => {
    const before = claude.violations.length;

    const answer = await send(claude.url, { ...aRequest, ...change });

    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: expect.stringContaining(message) },
      request_id: answer.headers.get('request-id'),
    });
    expect(claude.violations).toHaveLength(before + 1);
    expect(claude.violations.at(-1)).toContain(message);
  });

  it.each([
    ['a full conversation', { tools: [tool], messages: [hello, call('t1', 't2'), user(result('t2'), result('t1'))] }],
    ['text after the results', { messages: [hello, call('t1'), user(result('t1'), text('go on'))] }],
    ['older parameters on an older model', { model: 'claude-haiku-4-5', temperature: 0, top_k: 4 }],
    [
      'a thinking budget on an older model',
      {
        model: 'claude-haiku-4-5',
        max_tokens: 4000,
        thinking: { type: 'enabled', budget_tokens: 1024 },
      },
    ],
    ['four breakpoints', { messages: [user(...[1, 2, 3, 4].map((n) => text(String(n), point)))] }],
    ['a whole character', { messages: [{ role: 'user', content: 'a\u{1f600}' }] }],
    [
      'all allowed settings',
      {
        system: [text('You review.', point)],
        stop_sequences: ['END'],
        metadata: { user_id: 'u' },
        output_config: { effort: 'low' },
        service_tier: 'auto',
        thinking: { type: 'adaptive' },
      },
    ],
  ])('takes %s', async (_what, change) => {
    const answer = await send(claude.url, { ...aRequest, ...change });

    expect(answer.text).toContain('"type":"message"');
    expect(answer.status).toBe(200);
  });

  it('answers an unknown model with 404 and a long prompt with 400, neither a violation', async () => {
    const before = claude.violations.length;

    const unknown = await send(claude.url, { ...aRequest, model: 'claude-9' });
    const long = await send(claude.url, { ...aRequest, messages: [{ role: 'user', content: 'x'.repeat(4_000_100) }] });

    expect(unknown.status).toBe(404);
    expect(unknown.text).toContain('"not_found_error","message":"model: claude-9"');
    expect(long.status).toBe(400);
    expect(long.text).toMatch(/prompt is too long: \d+ tokens > 1000000 maximum/);
    expect(claude.violations).toHaveLength(before);
  });

  it('refuses bodies over 32 MB, other encodings, other types and broken JSON', async () => {
    const headers = { 'x-api-key': testKey, 'anthropic-version': '2023-06-01' };
    const json = { ...headers, 'content-type': 'application/json' };

    const large = await send(claude.url, JSON.stringify({ ...aRequest, system: 'x'.repeat(33_600_000) }));
    const zipped = await send(claude.url, aRequest, { headers: { ...json, 'content-encoding': 'gzip' } });
    const plain = await send(claude.url, aRequest, { headers: { ...headers, 'content-type': 'text/plain' } });
    const broken = await send(claude.url, '{"model":');

    expect(large.status).toBe(413);
    expect(large.text).toContain('request_too_large');
    expect([zipped.status, plain.status, broken.status]).toEqual([400, 400, 400]);
  });

  it('checks key, version, beta and route', async () => {
    const json = { 'content-type': 'application/json' };
    const right = { ...json, 'anthropic-version': '2023-06-01', 'x-api-key': testKey };
    const statusOf = async (headers: Record<string, string>, path?: string) =>
      (await send(claude.url, aRequest, { headers, ...(path === undefined ? {} : { path }) })).status;

    expect(await statusOf({ ...json, 'anthropic-version': '2023-06-01' })).toBe(401);
    expect(await statusOf({ ...right, 'x-api-key': 'sk-ant-other-key' })).toBe(401);
    expect(await statusOf({ ...right, authorization: 'Bearer run-token' })).toBe(401);
    expect(await statusOf({ ...right, 'x-api-key': '', authorization: `Bearer ${testKey}` })).toBe(401);
    expect(await statusOf({ ...json, 'x-api-key': testKey })).toBe(400);
    expect(await statusOf({ ...right, 'anthropic-version': '2020-01-01' })).toBe(400);
    expect(await statusOf({ ...right, 'anthropic-beta': 'context-1m' })).toBe(400);
    expect(await statusOf(right, '/v1/messages?beta=true')).toBe(400);
    expect(await statusOf(right, '/v1/complete')).toBe(404);
    expect(await statusOf({ ...json, 'anthropic-version': '2023-06-01', authorization: `Bearer ${testKey}` })).toBe(
      200,
    );
  });

  it('takes the newer version of the API, which knows no sampling on any model', async () => {
    const headers = {
      authorization: `Bearer ${testKey}`,
      'anthropic-version': '2026-10-21',
      'content-type': 'application/json',
    };

    const plain = await send(claude.url, aRequest, { headers });
    const sampled = await send(claude.url, { ...aRequest, model: 'claude-haiku-4-5', temperature: 1 }, { headers });

    expect(plain.status).toBe(200);
    expect(sampled.text).toContain('temperature: Extra inputs are not permitted');
  });

  it('lets a server-side tool through where the test allows it', async () => {
    await using lenient = await startFakeClaude({
      apiKey: testKey,
      script: () => reply.text('Hi'),
      allowedToolTypes: ['web_search_20250305'],
    });

    const answer = await send(lenient.url, {
      ...aRequest,
      tools: [{ type: 'web_search_20250305', name: 'web_search' }, tool],
    });

    expect(answer.status).toBe(200);
  });

  it('throws when it is stopped after a violation, but not after a wrong key', async () => {
    const strict = await startFakeClaude({ apiKey: testKey, script: () => reply.text('Hi') });
    const fine = await startFakeClaude({ apiKey: 'sk-ant-another', script: () => reply.text('Hi') });
    await send(strict.url, { ...aRequest, colour: 'red' });
    await send(fine.url, aRequest);

    await expect(strict.stop()).rejects.toThrow('colour: Extra inputs are not permitted');
    await expect(fine.stop()).resolves.toBeUndefined();
  });
});
