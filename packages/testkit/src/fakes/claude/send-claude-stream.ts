import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Clock } from '@drydock/core';
import type { ClaudeEvent } from './claude-events.ts';
import { eventText, pingEvent } from './claude-events.ts';
import { errorBody } from './claude-error.ts';
import type { ClaudeFault } from './claude-fault.ts';

/** What a stream needs besides its events. */
export interface StreamFacts {
  readonly fault: ClaudeFault | undefined;
  readonly requestId: string;
  readonly clock: Clock;
  /** Aborted when the client leaves or the fake stops. */
  readonly signal: AbortSignal;
  /** All events in one write: what a benchmark wants. */
  readonly inOneWrite: boolean;
}

/** Streams the events, and lets go wrong what is scripted to go wrong. Ends when they end or the client leaves. */
export async function sendClaudeStream(
  response: ServerResponse,
  events: Iterable<ClaudeEvent>,
  facts: StreamFacts,
): Promise<void> {
  const { fault, signal } = facts;
  if (facts.inOneWrite && fault === undefined) {
    response.end([...events].map(eventText).join(''));
    return;
  }
  const body = new StreamBody(response, signal, fault?.kind === 'cut' ? fault.atByte : Infinity);
  response.flushHeaders();
  let sent = 0;
  for (const event of events) {
    if (signal.aborted) return;
    if (fault?.kind === 'error-event' && sent >= fault.afterEvents) {
      await body.write(eventText({ name: 'error', data: errorBody(fault, facts.requestId) }));
      response.end();
      return;
    }
    if (fault?.kind === 'malformed-event' && sent >= fault.afterEvents) {
      await body.write('event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"del\n\n');
      response.end();
      return;
    }
    if (fault?.kind === 'silence' && sent >= fault.afterEvents) {
      await stayQuiet(body, facts, fault.pingEveryMs);
      return;
    }
    if (fault?.kind === 'slow') await facts.clock.sleep(fault.gapMs, signal);
    if (!(await body.write(eventText(event)))) return;
    sent += 1;
  }
  if (!signal.aborted) response.end();
}

/** One event that does not end within `bytes`. */
export async function sendHugeEvent(response: ServerResponse, bytes: number, signal: AbortSignal): Promise<void> {
  const body = new StreamBody(response, signal, Infinity);
  await body.write('event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"');
  for (let left = bytes; left > 0 && !signal.aborted; left -= 65_536) {
    await body.write('x'.repeat(Math.min(left, 65_536)));
  }
  response.end('"}}\n\n');
}

async function stayQuiet(body: StreamBody, facts: StreamFacts, pingEveryMs: number | null): Promise<void> {
  if (pingEveryMs === null) {
    await untilAborted(facts.signal);
    return;
  }
  while (!facts.signal.aborted) {
    await facts.clock.sleep(pingEveryMs, facts.signal);
    if (!(await body.write(eventText(pingEvent)))) return;
  }
}

/** Resolves when the signal is aborted. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

class StreamBody {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;
  #left: number;

  constructor(response: ServerResponse, signal: AbortSignal, maxBytes: number) {
    this.#response = response;
    this.#signal = signal;
    this.#left = maxBytes;
  }

  /** False when the connection has ended, by the client or by the cut. */
  async write(text: string): Promise<boolean> {
    if (this.#signal.aborted) return false;
    const bytes = Buffer.from(text);
    if (bytes.length > this.#left) {
      const end = () => this.#response.socket?.end();
      if (this.#left === 0) end();
      else this.#response.write(bytes.subarray(0, this.#left), end);
      return false;
    }
    this.#left -= bytes.length;
    if (!this.#response.write(bytes)) {
      await once(this.#response, 'drain', { signal: this.#signal }).catch(() => undefined);
    }
    return true;
  }
}
