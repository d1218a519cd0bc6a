import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Clock } from '@drydock/core';
import { aRequest, messageOf, send, testKey } from './claude-test-client.ts';
import { reply } from './claude-reply.ts';
import type { FakeClaude } from './start-fake-claude.ts';
import { startFakeClaude } from './start-fake-claude.ts';

const point = { cache_control: { type: 'ephemeral' } };
const long = (letter: string) => letter.repeat(8000); // 2,000 tokens, over the minimum of 1,024
const text = (value: string, more: object = {}) => ({ type: 'text', text: value, ...more });
const tool = { name: 'read_file', description: long('t'), input_schema: { type: 'object' } };

let nowMs: number;
let claude: FakeClaude;
beforeEach(async () => {
  nowMs = 1_000_000;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
  claude = await startFakeClaude({ apiKey: testKey, script: () => reply.text('Hi'), clock });
});
afterEach(() => claude.stop());

async function use(
  change: object,
): Promise<{ readonly read: number; readonly written: number; readonly input: number }> {
  const { usage } = messageOf(await send(claude.url, { ...aRequest, ...change }));
  return {
    read: usage.cache_read_input_tokens,
    written: usage.cache_creation_input_tokens,
    input: usage.input_tokens,
  };
}

const firstTurn = {
  tools: [tool],
  system: [text('You review.', point)],
  messages: [{ role: 'user', content: [text(long('d'), point)] }],
};
const secondTurn = {
  ...firstTurn,
  messages: [
    { role: 'user', content: [text(long('d'))] },
    { role: 'assistant', content: 'Hi' },
    { role: 'user', content: [text(long('e'), point)] },
  ],
};

describe('the prompt cache', () => {
  it('reads what an earlier turn has written, though the breakpoint moved', async () => {
    const first = await use(firstTurn);
    const second = await use(secondTurn);

    expect(first).toMatchObject({ read: 0, input: 0 });
    expect(second.read).toBe(first.written);
    expect(second.written).toBeGreaterThan(2000);
    expect(second.input).toBe(0);
  });

  it('reads nothing after a changed prefix, and only the part before the change', async () => {
    const first = await use(firstTurn);
    const otherSystem = await use({ ...secondTurn, system: [text('You review at 12:00.', point)] });
    const otherTools = await use({ ...secondTurn, tools: [{ ...tool, description: long('u') }] });
    const otherText = await use({ ...firstTurn, messages: [{ role: 'user', content: [text(long('x'), point)] }] });

    expect(otherSystem.read).toBe(0);
    expect(otherTools.read).toBe(0);
    expect(otherText.read).toBeGreaterThan(2000);
    expect(otherText.read).toBeLessThan(first.written);
  });

  it('forgets after five minutes without use, and each use counts anew', async () => {
    await use(firstTurn);
    nowMs += 299_000;
    const renewed = await use(firstTurn);
    nowMs += 299_000;
    const alive = await use(firstTurn);
    nowMs += 300_001;
    const gone = await use(firstTurn);

    expect([renewed.read, alive.read].every((read) => read > 4000)).toBe(true);
    expect(gone.read).toBe(0);
  });

  it('keeps one hour what asks for it', async () => {
    const hour = {
      ...firstTurn,
      messages: [{ role: 'user', content: 'go' }],
      system: [text(long('s'), { cache_control: { type: 'ephemeral', ttl: '1h' } })],
    };
    await use(hour);
    nowMs += 3_000_000;

    expect((await use(hour)).read).toBeGreaterThan(4000);
  });

  it('does not cache without a breakpoint or under the minimum', async () => {
    const bare = { system: long('s') };
    const short = { system: [text('short', point)] };
    await use(bare);
    await use(short);

    expect(await use(bare)).toMatchObject({ read: 0, written: 0 });
    expect(await use(short)).toMatchObject({ read: 0, written: 0 });
  });

  it('looks back no further than twenty blocks', async () => {
    const blocks = (count: number) => Array.from({ length: count }, (_, index) => text(`block ${String(index)}`));
    const ending = (count: number) => [
      { role: 'user', content: [text(long('d')), ...blocks(count), text('end', point)] },
    ];
    await use({ messages: [{ role: 'user', content: [text(long('d'), point)] }] });

    expect((await use({ messages: ending(18) })).read).toBeGreaterThan(0);
    expect((await use({ messages: ending(40) })).read).toBe(0);
  });

  it('sets a breakpoint by itself when asked on top', async () => {
    const auto = { ...point, system: long('s') };
    await use(auto);

    expect((await use(auto)).read).toBeGreaterThan(2000);
  });

  it('keeps models apart and invalidates messages, not tools, when settings change', async () => {
    const first = await use(firstTurn);
    const otherModel = await use({ ...firstTurn, model: 'claude-opus-5-5' });
    const otherChoice = await use({ ...firstTurn, tool_choice: { type: 'none' } });

    expect(otherModel.read).toBe(0);
    expect(otherChoice.read).toBeGreaterThan(2000);
    expect(otherChoice.read).toBeLessThan(first.written);
  });
});
