import { unreachable } from '@drydock/core';
import type { RenderedBlock, RenderedReply } from './render-claude-reply.ts';

/** One server-sent event. */
export interface ClaudeEvent {
  readonly name: string;
  readonly data: object;
}

/** The event as bytes of the stream. */
export function eventText(event: ClaudeEvent): string {
  return `event: ${event.name}\ndata: ${JSON.stringify(event.data)}\n\n`;
}

/** A sign of life. */
export const pingEvent: ClaudeEvent = { name: 'ping', data: { type: 'ping' } };

const pieceChars = 24;

/** A message as the API streams it. @see https://platform.claude.com/docs/en/build-with-claude/streaming */
export function* messageEvents(
  head: Readonly<Record<string, unknown>>,
  rendered: RenderedReply,
  usage: { readonly first: object; readonly last: object },
): Generator<ClaudeEvent> {
  const message = { ...head, content: [], stop_reason: null, stop_sequence: null, stop_details: null };
  yield event({ type: 'message_start', message: { ...message, usage: usage.first } });
  yield pingEvent;
  for (const [index, block] of rendered.blocks.entries()) {
    yield event({ type: 'content_block_start', index, content_block: emptyBlock(block) });
    for (const delta of deltas(block)) yield event({ type: 'content_block_delta', index, delta });
    yield event({ type: 'content_block_stop', index });
  }
  const { stopReason: stop_reason, stopSequence: stop_sequence, stopDetails: stop_details } = rendered;
  const delta = { stop_reason, stop_sequence, stop_details, container: null };
  yield event({ type: 'message_delta', delta, usage: usage.last });
  yield event({ type: 'message_stop' });
}

/** Text of a given size in deltas of 64 KiB, with no end in sight. */
export function* hugeEvents(
  head: Readonly<Record<string, unknown>>,
  usage: object,
  bytes: number,
): Generator<ClaudeEvent> {
  yield event({ type: 'message_start', message: { ...head, content: [], stop_reason: null, usage } });
  yield event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
  for (let left = bytes; left > 0; left -= 65_536) {
    const text = 'x'.repeat(Math.min(left, 65_536));
    yield event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
  }
}

function event(data: { readonly type: string } & Readonly<Record<string, unknown>>): ClaudeEvent {
  return { name: data.type, data };
}

function emptyBlock(block: RenderedBlock): object {
  switch (block.kind) {
    case 'text':
      return { type: 'text', text: '' };
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'tool-use':
      return { type: 'tool_use', id: block.id, name: block.name, input: {}, caller: { type: 'direct' } };
    case 'raw':
      return block.block;
    default:
      return unreachable(block);
  }
}

function* deltas(block: RenderedBlock): Generator<object> {
  switch (block.kind) {
    case 'text':
      for (const text of pieces(block.text)) yield { type: 'text_delta', text };
      return;
    case 'thinking':
      for (const thinking of pieces(block.text)) yield { type: 'thinking_delta', thinking };
      yield { type: 'signature_delta', signature: block.signature };
      return;
    case 'tool-use':
      yield { type: 'input_json_delta', partial_json: '' };
      for (const partial of pieces(block.inputJson)) yield { type: 'input_json_delta', partial_json: partial };
      return;
    case 'raw':
      return;
    default:
      unreachable(block);
  }
}

/** Never parts a surrogate pair, as a model never sends half a character. */
function* pieces(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    let end = start + pieceChars;
    const code = text.charCodeAt(end - 1);
    if (code >= 0xd800 && code <= 0xdbff) end += 1;
    yield text.slice(start, end);
    start = end;
  }
}
