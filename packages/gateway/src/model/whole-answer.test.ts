import { describe, expect, it } from '@jest/globals';
import { WholeStreamCheck, isWholeMessage } from './whole-answer.ts';

interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

const start = { type: 'message_start', message: { usage: {} } };
const open = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } };
const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'é' } };
const close = { type: 'content_block_stop', index: 0 };
const reason = (stop_reason: string | null) => ({ type: 'message_delta', delta: { stop_reason }, usage: {} });
const stop = { type: 'message_stop' };
const ping = { type: 'ping' };
const whole: readonly Event[] = [start, ping, open, delta, close, reason('tool_use'), stop];

const streamOf = (events: readonly Event[]) =>
  Buffer.from(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
const without = (event: Event) => whole.filter((one) => one !== event);
const withReason = (name: string | null) => [start, open, delta, close, reason(name), stop];

/** Fed in pieces of so many bytes, which need not end where an event or a character does. */
function isWholeStream(body: Buffer, pieceBytes = 7): boolean {
  const check = new WholeStreamCheck();
  for (let at = 0; at < body.length; at += pieceBytes) check.feed(body.subarray(at, at + pieceBytes));
  return check.isWhole;
}

describe('WholeStreamCheck', () => {
  it.each<[string, readonly Event[]]>([
    ['a stream with pings around', [...whole, ping]],
    [
      'a call of a tool',
      [start, { ...open, content_block: { type: 'tool_use', id: 'a', name: 'b' } }, close, reason('tool_use'), stop],
    ],
    ['two blocks', [start, open, close, { ...open, index: 1 }, { ...close, index: 1 }, reason('end_turn'), stop]],
    ['a stop by the cap of tokens', withReason('max_tokens')],
    ['a pause', withReason('pause_turn')],
  ])('takes %s', (_, events) => {
    expect(isWholeStream(streamOf(events))).toBe(true);
  });

  it.each<[string, readonly Event[]]>([
    ['nothing', []],
    ['no beginning', without(start)],
    ['no end', without(stop)],
    ['an open block', without(close)],
    ['no reason', without(withReason('x')[0] ?? start).filter(({ type }) => type !== 'message_delta')],
    ['an unset reason', withReason(null)],
    ['a reason that is not known', withReason('tired')],
    ['a refusal', withReason('refusal')],
    ['no content', [start, reason('end_turn'), stop]],
    ['an error event', [...without(stop), { type: 'error', error: {} }, stop]],
    ['an event that is not known', [start, { type: 'surprise' }, ...whole.slice(1)]],
    [
      'a block of a type that is not known',
      [start, { ...open, content_block: { type: 'hologram' } }, close, reason('end_turn'), stop],
    ],
    ['blocks out of order', [start, { ...open, index: 1 }, { ...close, index: 1 }, reason('end_turn'), stop]],
    ['a delta for another block', [start, open, { ...delta, index: 1 }, close, reason('end_turn'), stop]],
    [
      'a delta without its text',
      [start, open, { ...delta, delta: { type: 'text_delta' } }, close, reason('end_turn'), stop],
    ],
    ['something after its end', [...whole, start]],
  ])('does not take a stream with %s', (_, events) => {
    expect(isWholeStream(streamOf(events))).toBe(false);
  });

  it('takes no stream that was cut, wherever', () => {
    const bytes = streamOf(whole);
    for (let length = 0; length < bytes.length - 1; length += 1) {
      expect(isWholeStream(bytes.subarray(0, length), 64)).toBe(false);
    }
    expect(isWholeStream(bytes)).toBe(true);
  });
});

describe('isWholeMessage', () => {
  it('takes a message of a known end that is not streamed, and nothing else', () => {
    const message = { type: 'message', content: [{ type: 'text', text: 'a' }], stop_reason: 'end_turn' };
    const isTaken = (changes: object) => isWholeMessage(Buffer.from(JSON.stringify({ ...message, ...changes })));

    expect(isTaken({})).toBe(true);
    for (const changes of [{ type: 'error' }, { content: [] }, { stop_reason: null }, { stop_reason: 'refusal' }]) {
      expect(isTaken(changes)).toBe(false);
    }
    expect(isWholeMessage(Buffer.from('{"type":"message"'))).toBe(false);
    expect(isWholeMessage(streamOf(whole))).toBe(false);
  });
});
