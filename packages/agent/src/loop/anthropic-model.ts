import { Anthropic } from '@anthropic-ai/sdk/client';
import { TerminalError, TransientError, type Clock, type Secret } from '@drydock/core';
import { translateAnthropicError } from './anthropic-errors.ts';
import { TurnAssembler } from './assemble-turn.ts';
import type { Model, ModelRequest, ModelTurn } from './model.ts';

/** How long a turn may take and how much it may bring. */
export interface AnthropicLimits {
  /** Without a byte, not even a ping. */
  readonly silenceMs: number;
  /** From the request to the last event. */
  readonly turnMs: number;
  readonly maxTurnBytes: number;
}

const defaultLimits: AnthropicLimits = { silenceMs: 90_000, turnMs: 600_000, maxTurnBytes: 32 << 20 };

/** Speaks Anthropic Messages to the gateway: always streaming, never repeating a request by itself. */
export class AnthropicModel implements Model {
  readonly #client: Anthropic;
  readonly #clock: Clock;
  readonly #limits: AnthropicLimits;

  constructor(
    settings: { readonly baseUrl: string; readonly token: Secret; readonly limits?: AnthropicLimits },
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#limits = settings.limits ?? defaultLimits;
    this.#client = new Anthropic({
      baseURL: settings.baseUrl,
      apiKey: settings.token.reveal(),
      maxRetries: 0,
      timeout: this.#limits.turnMs,
      logLevel: 'off', // its log would show what the model wrote
    });
  }

  async reply(request: ModelRequest, signal: AbortSignal): Promise<ModelTurn> {
    const watch = new StreamWatch(this.#clock, this.#limits, signal);
    try {
      const stream = await this.#client
        .withOptions({ fetch: watch.fetch })
        .post<AsyncIterable<unknown>>('/v1/messages', {
          body: { ...request, stream: true },
          stream: true,
          signal: watch.signal,
        });
      const turn = new TurnAssembler();
      for await (const event of stream) turn.add(event);
      watch.throwIfAborted(); // an aborted stream ends like a whole one
      return turn.finish();
    } catch (error) {
      watch.throwIfAborted();
      throw translateAnthropicError(error);
    } finally {
      watch.end();
    }
  }
}

/** Counts the bytes of one answer, pings included, and ends it when they stay away too long or never end. */
class StreamWatch {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #limits: AnthropicLimits;
  readonly #abort = new AbortController();
  readonly #over = new AbortController();
  #lastByteMs: number;
  #bytes = 0;

  constructor(clock: Clock, limits: AnthropicLimits, stop: AbortSignal) {
    this.#clock = clock;
    this.#limits = limits;
    this.#lastByteMs = clock.monotonicMs();
    this.signal = AbortSignal.any([stop, this.#abort.signal]);
    void this.#watch();
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'error' });
    if (response.body === null) return response;
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        this.#count(chunk.byteLength);
        controller.enqueue(chunk);
      },
    });
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(count), { status, statusText, headers });
  };

  throwIfAborted(): void {
    this.signal.throwIfAborted();
  }

  end(): void {
    this.#over.abort();
  }

  #count(bytes: number): void {
    this.#lastByteMs = this.#clock.monotonicMs();
    this.#bytes += bytes;
    if (this.#bytes <= this.#limits.maxTurnBytes) return;
    this.#abort.abort(new TerminalError('model.bad_answer', 'the model sends more than a turn may hold'));
  }

  async #watch(): Promise<void> {
    const { silenceMs, turnMs } = this.#limits;
    const endMs = this.#clock.monotonicMs() + turnMs;
    while (!this.#over.signal.aborted) {
      const nowMs = this.#clock.monotonicMs();
      const leftMs = Math.min(this.#lastByteMs + silenceMs, endMs) - nowMs;
      if (leftMs <= 0) {
        const what = nowMs >= endMs ? 'takes too long' : 'has gone silent';
        this.#abort.abort(new TransientError('model.timeout', `the model ${what}`));
        return;
      }
      await this.#clock.sleep(leftMs, this.#over.signal);
    }
  }
}
