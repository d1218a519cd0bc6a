/**
 * Whether an answer ended whole, judged at least as strictly as an agent's client does: an answer that it would not
 * take must not be kept, or it would get the same one again and again for as long as it is kept.
 * @see https://platform.claude.com/docs/en/build-with-claude/streaming
 */
import { unreachable } from '@drydock/core';
import { createParser } from 'eventsource-parser';
import { z } from 'zod';

/**
 * Refusals are not among them, nor what we do not know: they may be chance, are worth asking anew, and end a review.
 */
const StopReason = z.enum([
  'end_turn',
  'tool_use',
  'stop_sequence',
  'max_tokens',
  'pause_turn',
  'model_context_window_exceeded',
]);
const Block = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('tool_use'), id: z.string().min(1), name: z.string().min(1) }),
  z.object({ type: z.literal('thinking') }),
  z.object({ type: z.literal('redacted_thinking') }),
]);
const Delta = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text_delta'), text: z.string() }),
  z.object({ type: z.literal('input_json_delta'), partial_json: z.string() }),
  z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
  z.object({ type: z.literal('signature_delta'), signature: z.string() }),
]);

/** An answer without content is as good as none. */
const Message = z.object({ type: z.literal('message'), content: z.array(Block).min(1), stop_reason: StopReason });

const index = z.int().min(0);
const Event = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('message_start') }),
  z.object({ type: z.literal('content_block_start'), index, content_block: Block }),
  z.object({ type: z.literal('content_block_delta'), index, delta: Delta }),
  z.object({ type: z.literal('content_block_stop'), index }),
  z.object({ type: z.literal('message_delta'), delta: z.object({ stop_reason: StopReason.nullish() }) }),
  z.object({ type: z.literal('message_stop') }),
]);
type Event = z.infer<typeof Event>;

/** Whether this is a whole answer that was not streamed. */
export function isWholeMessage(body: Buffer): boolean {
  return Message.safeParse(parseJson(body.toString('utf8'))).success;
}

/** Looks at a streamed answer as it goes by: all at once at its end would hold up everybody else. */
export class WholeStreamCheck {
  readonly #order = new StreamOrder();
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: ({ event, data }) => {
      const parsed = Event.safeParse(parseJson(data));
      this.#order.add(parsed.success && parsed.data.type === event ? parsed.data : null);
    },
    onError: () => {
      this.#order.add(null);
    },
  });

  feed(chunk: Buffer): void {
    this.#parser.feed(this.#decoder.decode(chunk, { stream: true }));
  }

  /** Whether it ended whole with what was fed so far. */
  get isWhole(): boolean {
    return this.#order.isWhole;
  }
}

type StreamState = 'new' | 'between' | 'in-block' | 'stopped';

/** The order of a stream: a start, blocks one after another, a reason, a stop, and nothing but pings around. */
class StreamOrder {
  #state: StreamState = 'new';
  #blocks = 0;
  #hasReason = false;
  #isBroken = false;

  get isWhole(): boolean {
    return this.#state === 'stopped' && this.#hasReason && this.#blocks > 0 && !this.#isBroken;
  }

  /** Takes the next event; null: one that is not known or cannot be read. */
  add(event: Event | null): void {
    this.#isBroken ||= event === null || !this.#follows(event);
  }

  #follows(event: Event): boolean {
    switch (event.type) {
      case 'ping':
        return true;
      case 'message_start':
        return this.#go('new', 'between');
      case 'content_block_start':
        this.#blocks += 1;
        return this.#go('between', 'in-block') && event.index === this.#blocks - 1;
      case 'content_block_delta':
        return this.#go('in-block', 'in-block') && event.index === this.#blocks - 1;
      case 'content_block_stop':
        return this.#go('in-block', 'between') && event.index === this.#blocks - 1;
      case 'message_delta':
        this.#hasReason ||= typeof event.delta.stop_reason === 'string';
        return this.#go('between', 'between');
      case 'message_stop':
        return this.#go('between', 'stopped');
      default:
        return unreachable(event);
    }
  }

  #go(from: StreamState, to: StreamState): boolean {
    const isRight = this.#state === from;
    this.#state = to;
    return isRight;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
