/**
 * Puts a turn together from the events of its stream. A turn counts only once `message_stop` arrived: whatever ended
 * before that is discarded whole, as nobody knows what was still to come.
 *
 * @see https://platform.claude.com/docs/en/build-with-claude/streaming
 */
import { TransientError } from '@drydock/core';
import { z } from 'zod';
import { toStopReason, type AssistantBlock, type ModelTurn, type RawBlock } from './model.ts';

const Raw = z.looseObject({ type: z.string() });
const Start = z.object({ index: z.int().min(0), content_block: Raw });
const Delta = z.object({ index: z.int().min(0), delta: Raw });
const End = z.object({ delta: z.object({ stop_reason: z.string().nullish() }) });

const ToolUse = z.looseObject({ type: z.literal('tool_use'), id: z.string().min(1), name: z.string().min(1) });
const Input = z.record(z.string(), z.unknown());

const maxBlocks = 1000;

/** Types that go back to the model unread. Server tools are never offered, but a paused turn could hold one. */
const opaqueTypes = /^(?:thinking|redacted_thinking|compaction|server_tool_use|\w+_tool_result)$/;

/** Which field of a delta carries its text, by the delta's type. Others (citations) are never asked for. */
const deltaFields = new Map([
  ['text_delta', 'text'],
  ['thinking_delta', 'thinking'],
  ['signature_delta', 'signature'],
  ['input_json_delta', 'partial_json'],
]);

interface OpenBlock {
  readonly start: RawBlock;
  /** By field, what the deltas brought. */
  readonly pieces: Map<string, string[]>;
  isClosed: boolean;
}

/** Takes one event after another; `finish` gives the turn. Both throw `model.stream_broken` on a stream out of order. */
export class TurnAssembler {
  readonly #blocks: OpenBlock[] = [];
  #stopReason: string | null = null;
  #isStarted = false;
  #isStopped = false;

  add(event: unknown): void {
    const parsed = Raw.safeParse(event);
    if (!parsed.success || this.#isStopped) return broken('an event that is none');
    const { type } = parsed.data;
    if (type !== 'message_start' && !this.#isStarted && type.startsWith('content_block')) broken('no beginning');
    switch (type) {
      case 'message_start':
        this.#isStarted = true;
        return;
      case 'content_block_start':
        this.#start(read(Start, event));
        return;
      case 'content_block_delta':
        this.#extend(read(Delta, event));
        return;
      case 'content_block_stop':
        this.#blockAt(read(z.object({ index: z.int() }), event).index).isClosed = true;
        return;
      case 'message_delta':
        this.#stopReason = read(End, event).delta.stop_reason ?? this.#stopReason;
        return;
      case 'message_stop':
        this.#isStopped = true;
        return;
      default: // new events may come at any time and mean nothing to us
    }
  }

  finish(): ModelTurn {
    if (!this.#isStarted || !this.#isStopped || this.#blocks.some((block) => !block.isClosed)) broken('no end');
    return { content: this.#blocks.map(toBlock), stopReason: toStopReason(this.#stopReason) };
  }

  #start({ index, content_block: start }: z.infer<typeof Start>): void {
    if (index !== this.#blocks.length || index >= maxBlocks) broken('blocks out of order');
    this.#blocks.push({ start, pieces: new Map(), isClosed: false });
  }

  #extend({ index, delta }: z.infer<typeof Delta>): void {
    const { pieces } = this.#blockAt(index);
    const field = deltaFields.get(delta.type);
    if (field === undefined) return;
    const piece = delta[field];
    if (typeof piece !== 'string') return broken('a delta without its text');
    const kept = pieces.get(field);
    if (kept === undefined) pieces.set(field, [piece]);
    else kept.push(piece);
  }

  #blockAt(index: number): OpenBlock {
    const block = this.#blocks[index];
    return block === undefined || block.isClosed ? broken('a block that is not open') : block;
  }
}

function toBlock(block: OpenBlock): AssistantBlock {
  const { start } = block;
  switch (start.type) {
    case 'text': {
      const text = textOf(block, 'text');
      return { kind: 'text', text, raw: { ...start, text } };
    }
    case 'tool_use':
      return toToolUse(block);
    case 'thinking': {
      const raw = { ...start, thinking: textOf(block, 'thinking'), signature: textOf(block, 'signature') };
      return { kind: 'opaque', raw };
    }
    default:
      return { kind: opaqueTypes.test(start.type) ? 'opaque' : 'unknown', raw: withInput(block) };
  }
}

/** What the block began with, then what the deltas brought. */
function textOf({ start, pieces }: OpenBlock, field: string): string {
  const beginning = start[field];
  return (typeof beginning === 'string' ? beginning : '') + (pieces.get(field) ?? []).join('');
}

function toToolUse(block: OpenBlock): AssistantBlock {
  const { id, name } = read(ToolUse, block.start);
  const input = inputOf(block);
  // What goes back must be an object; the tool's answer says that it was none.
  return { kind: 'tool-use', call: { id, name, input }, raw: { ...block.start, input: input ?? {} } };
}

/** Server tools stream their input as our tools do. */
function withInput(block: OpenBlock): RawBlock {
  return block.pieces.has('partial_json') ? { ...block.start, input: inputOf(block) ?? {} } : block.start;
}

function inputOf(block: OpenBlock): Readonly<Record<string, unknown>> | null {
  const json = textOf(block, 'partial_json');
  try {
    const parsed = Input.safeParse(json === '' ? (block.start['input'] ?? {}) : JSON.parse(json));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function read<T>(schema: z.ZodType<T>, event: unknown): T {
  const parsed = schema.safeParse(event);
  return parsed.success ? parsed.data : broken('an event without its fields');
}

function broken(what: string): never {
  throw new TransientError('model.stream_broken', `the model's answer broke off or is out of order: ${what}`);
}
