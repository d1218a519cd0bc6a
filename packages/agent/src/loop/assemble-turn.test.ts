import { describe, expect, it } from '@jest/globals';
import { TransientError } from '@drydock/core';
import fc from 'fast-check';
import { TurnAssembler } from './assemble-turn.ts';

const start = { type: 'message_start', message: {} };
const stop = { type: 'message_stop' };
const end = (stop_reason: string | null) => ({ type: 'message_delta', delta: { stop_reason }, usage: {} });
const block = (index: number, content_block: object) => ({ type: 'content_block_start', index, content_block });
const delta = (index: number, part: object) => ({ type: 'content_block_delta', index, delta: part });
const close = (index: number) => ({ type: 'content_block_stop', index });
const json = (index: number, partial_json: string) => delta(index, { type: 'input_json_delta', partial_json });

function assemble(events: readonly unknown[]) {
  const turn = new TurnAssembler();
  for (const event of events) turn.add(event);
  return turn.finish();
}

const whole = [
  start,
  { type: 'ping' },
  block(0, { type: 'thinking', thinking: '', signature: '' }),
  delta(0, { type: 'thinking_delta', thinking: 'hm' }),
  delta(0, { type: 'signature_delta', signature: 'sig' }),
  close(0),
  block(1, { type: 'text', text: '' }),
  delta(1, { type: 'text_delta', text: 'I ' }),
  delta(1, { type: 'text_delta', text: 'look.' }),
  close(1),
  block(2, { type: 'tool_use', id: 'toolu_1', name: 'log', input: {}, caller: { type: 'direct' } }),
  json(2, ''),
  json(2, '{"lim'),
  json(2, 'it":3}'),
  close(2),
  { type: 'an_event_of_the_future', anything: 1 },
  end('tool_use'),
  stop,
];

describe('TurnAssembler', () => {
  it('puts a turn together and keeps what goes back to the model', () => {
    expect(assemble(whole)).toEqual({
      stopReason: 'tool_use',
      content: [
        { kind: 'opaque', raw: { type: 'thinking', thinking: 'hm', signature: 'sig' } },
        { kind: 'text', text: 'I look.', raw: { type: 'text', text: 'I look.' } },
        {
          kind: 'tool-use',
          call: { id: 'toolu_1', name: 'log', input: { limit: 3 } },
          raw: { type: 'tool_use', id: 'toolu_1', name: 'log', input: { limit: 3 }, caller: { type: 'direct' } },
        },
      ],
    });
  });

  it('takes a call without input as one with an empty object', () => {
    const events = [
      start,
      block(0, { type: 'tool_use', id: 't', name: 'log', input: {} }),
      close(0),
      end('tool_use'),
      stop,
    ];

    expect(assemble(events).content).toMatchObject([{ call: { input: {} } }]);
  });

  it.each(['{"a":', '[1]', '"text"', 'null', 'nonsense'])('knows that %s is no input', (text) => {
    const events = [
      start,
      block(0, { type: 'tool_use', id: 't', name: 'log', input: {} }),
      json(0, text),
      close(0),
      end('max_tokens'),
      stop,
    ];

    expect(assemble(events).content).toMatchObject([{ call: { input: null }, raw: { input: {} } }]);
  });

  it('tells blocks that go back unread from those of a kind it does not know', () => {
    const events = [
      start,
      block(0, { type: 'compaction', content: 'x' }),
      close(0),
      block(1, { type: 'hologram', shape: 'y' }),
      close(1),
      end('end_turn'),
      stop,
    ];

    expect(assemble(events).content).toEqual([
      { kind: 'opaque', raw: { type: 'compaction', content: 'x' } },
      { kind: 'unknown', raw: { type: 'hologram', shape: 'y' } },
    ]);
  });

  it('calls a stop reason that it does not know unknown', () => {
    expect(assemble([start, end('bored'), stop]).stopReason).toBe('unknown');
    expect(assemble([start, end(null), stop]).stopReason).toBe('unknown');
  });

  it('takes no turn that lacks any of its last events', () => {
    const needed = whole.filter((event) => !('anything' in event) && event.type !== 'ping');

    for (let length = 0; length < needed.length; length += 1) {
      expect(() => assemble(needed.slice(0, length))).toThrow(TransientError);
    }
  });

  it('refuses events out of order, and crashes on none', () => {
    const event = fc.oneof(fc.constantFrom(...whole), fc.anything());
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        try {
          expect(assemble(events)).toHaveProperty('stopReason');
        } catch (error) {
          expect(error).toMatchObject({ code: 'model.stream_broken' });
        }
      }),
    );
  });
});
