import { DrydockError, nextDelayMs, type Clock, type RetryPolicy } from '@drydock/core';
import type { HttpClient, HttpRequest, HttpStream } from '@drydock/http';
import { modelErrorOf } from './model-error.ts';

/** How often a call is repeated that has not begun to answer. */
export interface ModelRetries {
  readonly ordinary: RetryPolicy;
  /** An overloaded model needs longer. */
  readonly overloaded: RetryPolicy;
  /** No wait is begun that would end later than this after the call began. */
  readonly totalMs: number;
}

export const defaultModelRetries: ModelRetries = {
  ordinary: { maxAttempts: 4, baseMs: 500, capMs: 8_000 },
  overloaded: { maxAttempts: 4, baseMs: 2_000, capMs: 20_000 },
  totalMs: 45_000,
};

/** What a call needs of the world. */
export interface UpstreamPorts {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told of each failed attempt. */
  readonly onFailure: (error: DrydockError, delayMs: number | null) => void;
}

const maxErrorBytes = 64 * 1024;

/**
 * Sends one call, again if its failure may pass, until a server begins to answer with success. Throws the last error.
 * A call that is not streamed and timed out is not sent again: it may have been worked on all the while.
 */
export async function callUpstream(
  ports: UpstreamPorts,
  request: HttpRequest,
  options: { readonly isStreamed: boolean; readonly retries: ModelRetries },
): Promise<HttpStream> {
  const { clock } = ports;
  const startMs = clock.monotonicMs();
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await tryOnce(ports, request);
    if (outcome.kind === 'answering') return outcome.stream;
    const { error } = outcome;
    const delayMs = request.signal.aborted ? null : delayAfter(error, attempt, ports.random, options);
    const isInTime = delayMs !== null && clock.monotonicMs() - startMs + delayMs <= options.retries.totalMs;
    ports.onFailure(error, isInTime ? delayMs : null);
    if (!isInTime) throw error;
    await clock.sleep(delayMs, request.signal);
    if (request.signal.aborted) throw error;
  }
}

type Attempt =
  | { readonly kind: 'answering'; readonly stream: HttpStream }
  | { readonly kind: 'failed'; readonly error: DrydockError };

async function tryOnce({ http, clock }: UpstreamPorts, request: HttpRequest): Promise<Attempt> {
  try {
    const stream = await http.stream(request);
    if (stream.status >= 200 && stream.status < 300) return { kind: 'answering', stream };
    const body = await readText(stream, maxErrorBytes);
    return { kind: 'failed', error: modelErrorOf(stream.status, stream.headers, body, clock.nowMs()) };
  } catch (error) {
    if (error instanceof DrydockError) return { kind: 'failed', error };
    throw error;
  }
}

function delayAfter(
  error: DrydockError,
  attempt: number,
  random: () => number,
  { isStreamed, retries }: { readonly isStreamed: boolean; readonly retries: ModelRetries },
): number | null {
  if (error.code === 'model.timeout' && !isStreamed) return null;
  const policy = error.code === 'model.overloaded' ? retries.overloaded : retries.ordinary;
  return nextDelayMs(policy, attempt, error, random);
}

async function readText(stream: HttpStream, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream.body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maxBytes) break;
    }
  } catch {
    // The status says enough.
  }
  return Buffer.concat(chunks).toString('utf8', 0, maxBytes);
}
