import {
  AgentResult,
  BlockedError,
  ResultStored,
  StaleError,
  TaskContext,
  TerminalError,
  TransientError,
  WireError,
  agentRoutes,
  fromWireError,
  nextDelayMs,
  type Clock,
  type DrydockError,
  type ProgressReport,
  type RetryPolicy,
  type Secret,
} from '@drydock/core';
import type { z } from 'zod';

/** Where the gateway is and who we are. */
export interface GatewayClientSettings {
  readonly baseUrl: string;
  readonly token: Secret;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly route: string;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Only calls whose repetition has the effect of one are repeated, and not for long: the queue tries again later. */
const patience: RetryPolicy = { maxAttempts: 5, baseMs: 500, capMs: 8000 };

const smallAnswer = 64 << 10;

/** The agent's calls to the gateway, but for git and the model. Errors have the class that the gateway gave them. */
export class GatewayClient {
  readonly #settings: GatewayClientSettings;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(settings: GatewayClientSettings, clock: Clock, random: () => number) {
    this.#settings = settings;
    this.#clock = clock;
    this.#random = random;
  }

  /** What this attempt is about. */
  async readContext(signal: AbortSignal): Promise<TaskContext> {
    const call: Call = { method: 'GET', route: agentRoutes.context, timeoutMs: 30_000, maxBytes: 32 << 20 };
    return readAs(TaskContext, await this.#repeat(call, signal));
  }

  /** Tells what was done. Not repeated: a lost report is better than a double one. */
  async report(report: ProgressReport, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(report);
    await this.#call(
      { method: 'POST', route: agentRoutes.progress, body, timeoutMs: 10_000, maxBytes: smallAnswer },
      signal,
    );
  }

  /** Hands in the result; returns once it is stored. Repetitions send the same bytes. */
  async submit(result: AgentResult, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(result);
    const call: Call = { method: 'PUT', route: agentRoutes.result, body, timeoutMs: 60_000, maxBytes: smallAnswer };
    readAs(ResultStored, await this.#repeat(call, signal));
  }

  async #repeat(call: Call, signal: AbortSignal): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#call(call, signal);
      } catch (error) {
        signal.throwIfAborted();
        const delayMs = nextDelayMs(patience, attempt, error, this.#random);
        if (delayMs === null) throw error;
        await this.#clock.sleep(Math.min(delayMs, patience.capMs), signal);
        signal.throwIfAborted();
      }
    }
  }

  async #call({ method, route, body, timeoutMs, maxBytes }: Call, signal: AbortSignal): Promise<string> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(this.#settings.baseUrl + route, {
        method,
        redirect: 'error',
        headers: {
          authorization: `Bearer ${this.#settings.token.reveal()}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.any([signal, timeout]),
      });
      const text = await readCapped(response, maxBytes);
      if (!response.ok) throw toError(response.status, text);
      return text;
    } catch (cause) {
      signal.throwIfAborted();
      if (timeout.aborted) throw new TransientError('gateway.timeout', 'the gateway did not answer in time', { cause });
      if (cause instanceof TypeError) {
        throw new TransientError('gateway.unreachable', 'the gateway could not be reached', { cause });
      }
      throw cause;
    }
  }
}

async function readCapped(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes)
      throw new TerminalError('gateway.bad_answer', 'the gateway sent more than its answer may hold');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function toError(status: number, text: string): DrydockError {
  const wire = WireError.safeParse(parseJson(text));
  if (wire.success) return fromWireError(wire.data);
  const message = `the gateway answered ${status}`;
  if (status === 401) return new StaleError('run.unknown', message); // the token is not, or no longer, good
  if (status === 403) return new BlockedError('gateway.unauthorized', message);
  const isTransient = status === 408 || status === 429 || status >= 500;
  return isTransient
    ? new TransientError('gateway.unreachable', message)
    : new TerminalError('gateway.bad_answer', message);
}

function readAs<T>(schema: z.ZodType<T>, text: string): T {
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new TerminalError('gateway.bad_answer', 'the gateway sent something else than was asked for', {
    cause: parsed.error,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
