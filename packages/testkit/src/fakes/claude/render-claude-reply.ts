import { createHash } from 'node:crypto';
import { unreachable } from '@drydock/core';
import type { ClaudeMemory } from './claude-memory.ts';
import type { ClaudeReply, ClaudeReplyBlock } from './claude-reply.ts';
import type { ClaudeRequest } from './claude-request.ts';
import { takeTokens, tokensOf } from './claude-tokens.ts';

/** A block with everything that goes over the wire. */
export type RenderedBlock =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'thinking'; readonly text: string; readonly signature: string }
  | { readonly kind: 'tool-use'; readonly id: string; readonly name: string; readonly inputJson: string }
  | { readonly kind: 'raw'; readonly block: Readonly<Record<string, unknown>> & { readonly type: string } };

/** An answer after cutting: what is sent, and what it costs. */
export interface RenderedReply {
  readonly blocks: readonly RenderedBlock[];
  readonly stopReason: string;
  readonly stopSequence: string | null;
  readonly stopDetails: object | null;
  readonly outputTokens: number;
  readonly thinkingTokens: number;
}

/** How much may be written, and why it ends there. */
export interface OutputRoom {
  readonly tokens: number;
  readonly cutReason: 'max_tokens' | 'model_context_window_exceeded';
}

/** Fits a scripted answer to a request. The same request and reply give the same bytes, ids included. */
export function renderReply(
  reply: ClaudeReply,
  request: ClaudeRequest,
  room: OutputRoom,
  facts: { readonly seed: string; readonly memory: ClaudeMemory },
): RenderedReply {
  const blocks: RenderedBlock[] = [];
  let left = room.tokens;
  let thinkingTokens = 0;
  let stop: { readonly reason: string; readonly sequence: string | null } = {
    reason: reply.stopReason,
    sequence: null,
  };
  for (const block of reply.content) {
    if (block.kind === 'thinking' && !asksForThinking(request)) continue;
    const whole = wireBlock(block, facts.seed, blocks.length, facts.memory);
    const stopped = stopAtSequence(whole, request.stop_sequences ?? []);
    const cost = tokensOf(textOf(stopped.block));
    const sent = cost > left ? cut(stopped.block, left, facts.memory) : stopped.block;
    blocks.push(shown(sent, request, facts.memory));
    if (block.kind === 'thinking') thinkingTokens += Math.min(cost, left);
    left -= Math.min(cost, left);
    if (sent !== stopped.block) stop = { reason: room.cutReason, sequence: null };
    else if (stopped.sequence !== null) stop = { reason: 'stop_sequence', sequence: stopped.sequence };
    if (sent !== whole) break;
  }
  const isSilentRefusal = reply.stopReason === 'refusal' && blocks.length === 0;
  return {
    blocks,
    stopReason: stop.reason,
    stopSequence: stop.sequence,
    stopDetails: reply.stopDetails === undefined ? null : { type: 'refusal', ...reply.stopDetails },
    outputTokens: isSilentRefusal ? 0 : room.tokens - left + 2, // the API counts a few even for an empty answer
    thinkingTokens,
  };
}

/** The content of a message as the API returns it without streaming. A cut tool input is an empty object. */
export function contentOf(blocks: readonly RenderedBlock[]): readonly object[] {
  return blocks.map((block) => {
    switch (block.kind) {
      case 'text':
        return { type: 'text', text: block.text };
      case 'thinking':
        return { type: 'thinking', thinking: block.text, signature: block.signature };
      case 'tool-use':
        return {
          type: 'tool_use',
          id: block.id,
          name: block.name,
          input: parsedInput(block.inputJson),
          caller: { type: 'direct' },
        };
      case 'raw':
        return block.block;
      default:
        return unreachable(block);
    }
  });
}

function parsedInput(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

function asksForThinking(request: ClaudeRequest): boolean {
  return request.thinking?.type === 'enabled' || request.thinking?.type === 'adaptive';
}

function wireBlock(block: ClaudeReplyBlock, seed: string, index: number, memory: ClaudeMemory): RenderedBlock {
  switch (block.kind) {
    case 'text':
      return block;
    case 'thinking':
      return { kind: 'thinking', text: block.text, signature: memory.sign(block.text) };
    case 'tool-use': {
      const hash = createHash('sha256')
        .update(`${seed} ${String(index)}`)
        .digest('hex');
      const inputJson = block.inputJson ?? JSON.stringify(block.input);
      return { kind: 'tool-use', id: `toolu_01${hash.slice(0, 22)}`, name: block.name, inputJson };
    }
    case 'raw':
      return block;
    default:
      return unreachable(block);
  }
}

function textOf(block: RenderedBlock): string {
  if (block.kind === 'tool-use') return block.name + block.inputJson;
  return block.kind === 'raw' ? JSON.stringify(block.block) : block.text;
}

function cut(block: RenderedBlock, tokens: number, memory: ClaudeMemory): RenderedBlock {
  if (block.kind === 'raw') return { kind: 'text', text: '' };
  if (block.kind === 'tool-use') return { ...block, inputJson: takeTokens(block.inputJson, tokens) };
  const text = takeTokens(block.text, tokens);
  return block.kind === 'text' ? { kind: 'text', text } : { kind: 'thinking', text, signature: memory.sign(text) };
}

function shown(block: RenderedBlock, request: ClaudeRequest, memory: ClaudeMemory): RenderedBlock {
  const { thinking } = request;
  const isOmitted = thinking !== undefined && 'display' in thinking && thinking.display === 'omitted';
  return block.kind === 'thinking' && isOmitted ? { kind: 'thinking', text: '', signature: memory.sign('') } : block;
}

function stopAtSequence(
  block: RenderedBlock,
  sequences: readonly string[],
): { readonly block: RenderedBlock; readonly sequence: string | null } {
  if (block.kind !== 'text') return { block, sequence: null };
  const hits = sequences.flatMap((sequence) => {
    const at = block.text.indexOf(sequence);
    return at < 0 ? [] : [{ sequence, at }];
  });
  const [earliest] = hits.sort((left, right) => left.at - right.at);
  if (earliest === undefined) return { block, sequence: null };
  return { block: { kind: 'text', text: block.text.slice(0, earliest.at) }, sequence: earliest.sequence };
}
