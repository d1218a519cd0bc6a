import { createParser, type EventSourceParser } from 'eventsource-parser';
import { z } from 'zod';
import type { CallTokens } from './model-prices.ts';

const count = z.int().min(0).nullish();
const Usage = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  cache_creation: z.object({ ephemeral_1h_input_tokens: count }).nullish(),
});
type Usage = z.infer<typeof Usage>;

const StartEvent = z.object({ message: z.object({ usage: Usage }) });
const DeltaEvent = z.object({ usage: Usage });
const Message = z.object({ usage: Usage });

const maxEventChars = 8 * 1024 * 1024;

/** The tokens of a whole answer that was not streamed; null when it does not tell. */
export function usageOfMessage(body: Buffer): CallTokens | null {
  const parsed = Message.safeParse(parseJson(body.toString('utf8')));
  return parsed.success ? merged(noTokens, parsed.data.usage) : null;
}

/**
 * Reads the tokens of a streamed answer as its bytes go by. What it cannot read it skips: the stream is the agent's to
 * understand.
 */
export class StreamUsage {
  readonly #parser: EventSourceParser;
  readonly #decoder = new TextDecoder();
  #tokens: CallTokens | null = null;
  #isFinal = false;
  #isBroken = false;

  constructor() {
    this.#parser = createParser({
      onEvent: ({ event, data }) => {
        this.#read(event, data);
      },
      maxBufferSize: maxEventChars,
    });
  }

  /** What is known so far; null before the answer told anything. */
  get tokens(): CallTokens | null {
    return this.#tokens;
  }

  /** Whether the answer told its last count: the tokens are all there will be. */
  get isFinal(): boolean {
    return this.#isFinal;
  }

  feed(bytes: Uint8Array): void {
    if (this.#isBroken) return;
    try {
      this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    } catch {
      this.#isBroken = true; // an event over the cap: the parser takes nothing more
    }
  }

  #read(event: string | undefined, data: string): void {
    if (event === 'message_start') {
      const parsed = StartEvent.safeParse(parseJson(data));
      if (parsed.success) this.#tokens = merged(noTokens, parsed.data.message.usage);
    } else if (event === 'message_delta') {
      const parsed = DeltaEvent.safeParse(parseJson(data));
      if (!parsed.success) return;
      this.#tokens = merged(this.#tokens ?? noTokens, parsed.data.usage);
      this.#isFinal = true;
    }
  }
}

const noTokens: CallTokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWrite1h: 0 };

/** Later counts replace earlier ones: they are sums over the answer. */
function merged(before: CallTokens, usage: Usage): CallTokens {
  const cacheWrite = usage.cache_creation_input_tokens ?? before.cacheWrite;
  return {
    input: usage.input_tokens ?? before.input,
    output: usage.output_tokens ?? before.output,
    cacheRead: usage.cache_read_input_tokens ?? before.cacheRead,
    cacheWrite,
    cacheWrite1h: Math.min(cacheWrite, usage.cache_creation?.ephemeral_1h_input_tokens ?? before.cacheWrite1h),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
