import Anthropic from '@anthropic-ai/sdk';
import { describe, expect, it } from '@jest/globals';
import { claudeFault } from './claude-fault.ts';
import { inOrder, reply, toolUse } from './claude-reply.ts';
import { startFakeClaude } from './start-fake-claude.ts';

const tools: Anthropic.Tool[] = [{ name: 'read_file', input_schema: { type: 'object', properties: {} } }];
const hello: Anthropic.MessageParam = { role: 'user', content: 'Hello' };
const base = { model: 'claude-sonnet-5-5', max_tokens: 2000, tools };

describe("Anthropic's SDK against the fake", () => {
  it('holds a conversation with parallel tools, thinking and streaming', async () => {
    await using claude = await startFakeClaude({
      apiKey: 'sk-ant-test',
      script: (_request, { turn }) =>
        turn === 1
          ? reply.blocks([
              { kind: 'thinking', text: 'Two files.' },
              toolUse('read_file', { path: 'a' }),
              toolUse('read_file', { path: 'b' }),
            ])
          : reply.text('Both are fine.'),
    });
    const client = new Anthropic({ apiKey: 'sk-ant-test', baseURL: claude.url, maxRetries: 0 });
    const thinking = { type: 'adaptive' as const };

    const first = await client.messages.stream({ ...base, thinking, messages: [hello] }).finalMessage();
    const calls = first.content.filter((block) => block.type === 'tool_use');
    const second = await client.messages
      .stream({
        ...base,
        thinking,
        messages: [
          hello,
          { role: 'assistant', content: first.content },
          { role: 'user', content: calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'ok' })) },
        ],
      })
      .finalMessage();
    const counted = await client.messages.countTokens({ model: base.model, messages: [hello] });
    const models = await client.models.list();

    expect(calls.map((call) => call.input)).toEqual([{ path: 'a' }, { path: 'b' }]);
    expect(first.content[0]).toMatchObject({ type: 'thinking', thinking: 'Two files.' });
    expect(second.content).toMatchObject([{ type: 'text', text: 'Both are fine.' }]);
    expect(second.usage.output_tokens).toBeGreaterThan(0);
    expect(counted.input_tokens).toBe(8);
    expect(models.data.map((model) => model.id)).toContain('claude-sonnet-5-5');
    expect(claude.requests.map((call) => call.request?.messages.length)).toEqual([1, 3, undefined, undefined]);
  });

  it('meets the errors as it meets the real ones', async () => {
    await using claude = await startFakeClaude({
      apiKey: 'sk-ant-test',
      script: inOrder([
        reply.fault(claudeFault.overloaded()),
        reply.fault(claudeFault.rateLimited(3)),
        reply.fault(claudeFault.errorEvent(4)),
      ]),
    });
    const client = new Anthropic({ apiKey: 'sk-ant-test', baseURL: claude.url, maxRetries: 0 });
    const ask = () => client.messages.stream({ ...base, messages: [hello] }).finalMessage();

    await expect(ask()).rejects.toMatchObject({ status: 529, requestID: expect.stringMatching(/^req_/) });
    await expect(ask()).rejects.toBeInstanceOf(Anthropic.RateLimitError);
    await expect(ask()).rejects.toMatchObject({ status: undefined, type: 'overloaded_error' });
  });
});
