import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { DrydockError, StaleError, TransientError } from '@drydock/core';
import type { HttpStream } from '@drydock/http';
import type { StoredAnswer } from './answer-store.ts';
import { modelErrorEvent } from './model-error.ts';
import type { CallOutcome } from './reserve-call.ts';
import { StreamUsage, usageOfMessage } from './stream-usage.ts';

/** What an answer came to, and what went wrong on the way. */
export interface Relayed {
  readonly outcome: CallOutcome;
  readonly failure: DrydockError | null;
}

/** Where an answer goes. */
export interface RelayTarget {
  readonly response: ServerResponse;
  /** Ends when nobody wants it any more. */
  readonly signal: AbortSignal;
  /** Told of all bytes of the answer, as they come. */
  readonly onBytes: (chunk: Buffer) => void;
}

/** Passes a stream on as it comes. One that breaks off ends in an error event. */
export async function relayStream(upstream: HttpStream, { response, signal, onBytes }: RelayTarget): Promise<Relayed> {
  response.writeHead(200, answerHeaders(true, upstream.headers['request-id']));
  response.flushHeaders();
  const usage = new StreamUsage();
  const relayed = (failure: DrydockError | null): Relayed => ({
    outcome: { kind: 'answered', tokens: usage.tokens, isFinal: usage.isFinal, isAbandoned: signal.aborted },
    failure,
  });
  try {
    for await (const chunk of upstream.body) {
      const hasRoom = response.write(chunk);
      usage.feed(chunk);
      onBytes(chunk);
      if (!hasRoom) await once(response, 'drain', { signal });
      if (signal.aborted) break;
    }
    if (signal.aborted) throw signal.reason;
    response.end();
    return relayed(null);
  } catch (error) {
    if (signal.aborted) {
      response.destroy();
      return relayed(reasonOf(signal));
    }
    if (!(error instanceof DrydockError)) throw error;
    const broken = new TransientError('model.stream_broken', "the model's answer broke off", { cause: error });
    response.end(modelErrorEvent(broken));
    return relayed(broken);
  }
}

/** Passes an answer on that is not streamed, once it is there. */
export async function relayMessage(upstream: HttpStream, { response, signal, onBytes }: RelayTarget): Promise<Relayed> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of upstream.body) chunks.push(chunk);
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    return { outcome: { kind: 'answered', tokens: null, isFinal: false, isAbandoned: signal.aborted }, failure: error };
  }
  const body = Buffer.concat(chunks);
  onBytes(body);
  sendMessage(body, response, upstream.headers['request-id']);
  return {
    outcome: { kind: 'answered', tokens: usageOfMessage(body), isFinal: true, isAbandoned: false },
    failure: null,
  };
}

/** Sends a stored answer as the live one was sent. Resolves when it is out, or when nobody wants it any more. */
export async function relayStored(
  { body }: StoredAnswer,
  isStreamed: boolean,
  { response, signal }: Omit<RelayTarget, 'onBytes'>,
): Promise<void> {
  if (isStreamed) response.writeHead(200, answerHeaders(true)).end(body);
  else sendMessage(body, response);
  try {
    await finished(response, { signal }); // a slow reader holds the memory of the body: its slot is held for as long
  } catch {
    response.destroy(); // it left, or must not have the rest
  }
}

/** Why a signal ended. */
export function reasonOf(signal: AbortSignal): DrydockError {
  const reason: unknown = signal.reason;
  return reason instanceof DrydockError ? reason : new StaleError('aborted', 'the agent left');
}

function sendMessage(body: Buffer, response: ServerResponse, requestId?: string): void {
  response.writeHead(200, { ...answerHeaders(false, requestId), 'content-length': body.length }).end(body);
}

function answerHeaders(isStreamed: boolean, requestId?: string): Record<string, string> {
  return {
    'content-type': isStreamed ? 'text/event-stream; charset=utf-8' : 'application/json',
    'cache-control': 'no-store',
    ...(requestId !== undefined && /^[\w-]{1,100}$/.test(requestId) ? { 'request-id': requestId } : {}),
  };
}
