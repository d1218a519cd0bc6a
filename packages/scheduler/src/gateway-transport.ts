/**
 * HTTP to the gateway over `node:http`: kept connections, a bound on how many there are, an end to each wait and a cap on
 * each body. It repeats nothing: the queue does.
 *
 * Short and long calls have connections of their own, so that publishing, which may take minutes, delays no short call.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { DrydockError, TransientError, type Secret } from '@drydock/core';

/** One call. */
export interface GatewayCall {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: unknown;
  /** For the whole call. */
  readonly timeoutMs: number;
  /** It may take minutes. */
  readonly isLong?: boolean;
}

/** An answer of any status, read whole. */
export interface GatewayAnswer {
  readonly status: number;
  readonly text: string;
}

const maxAnswerBytes = 16 * 1024 * 1024;
/** Calls at once; the rest waits within its time. The gateway takes some hundreds of connections from one address. */
const maxSockets = { short: 32, long: 128 };
/** Below the time after which the gateway closes an idle connection: or a call is sent into one that is being closed. */
const idleSocketMs = 55_000;
/** A peer that is gone without a word is noticed by probes. */
const probeIdleMs = 15_000;

/** Connections to one gateway. Idle ones keep no process alive. */
export class GatewayTransport {
  readonly #url: string;
  readonly #token: Secret;
  readonly #request: typeof httpRequest;
  readonly #agents: Readonly<Record<keyof typeof maxSockets, HttpAgent>>;

  constructor(url: string, token: Secret) {
    this.#url = url;
    this.#token = token;
    const isTls = /^https:/i.test(url);
    this.#request = isTls ? httpsRequest : httpRequest;
    const agent = (most: number) => {
      const options = { keepAlive: true, keepAliveMsecs: probeIdleMs, maxSockets: most, timeout: idleSocketMs };
      return isTls ? new HttpsAgent(options) : new HttpAgent(options);
    };
    this.#agents = { short: agent(maxSockets.short), long: agent(maxSockets.long) };
  }

  /**
   * Throws `TransientError`: `gateway.timeout`, `gateway.unreachable`, or `gateway.bad_answer` for one that is too large; and the
   * reason of the signal, once it is aborted.
   */
  send(call: GatewayCall, signal: AbortSignal): Promise<GatewayAnswer> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(reasonOf(signal));
        return;
      }
      const sent = this.#start(call);
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      const fail = (error: Error) => {
        end();
        reject(error);
        sent.destroy();
      };
      const abort = () => {
        fail(reasonOf(signal));
      };
      const timer = setTimeout(() => {
        const text = `the gateway did not answer within ${String(call.timeoutMs)} ms`;
        fail(new TransientError('gateway.timeout', text));
      }, call.timeoutMs);
      const broken = (cause: unknown) => {
        if (cause instanceof DrydockError) fail(cause);
        else {
          const text = `the gateway at ${this.#url} cannot be reached`;
          fail(new TransientError('gateway.unreachable', text, { cause }));
        }
      };
      signal.addEventListener('abort', abort, { once: true });
      sent.on('error', broken);
      sent.on('response', (response) => {
        readCapped(response).then((text) => {
          end();
          resolve({ status: response.statusCode ?? 0, text });
        }, broken);
      });
    });
  }

  #start({ method, path, body, isLong = false }: GatewayCall) {
    const headers: Record<string, string | number> = { authorization: `Bearer ${this.#token.reveal()}` };
    const text = body === undefined ? undefined : JSON.stringify(body);
    if (text !== undefined) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = Buffer.byteLength(text);
    }
    const agent = this.#agents[isLong ? 'long' : 'short'];
    return this.#request(new URL(path, this.#url), { agent, method, headers }).end(text);
  }
}

async function readCapped(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes)
      throw new TransientError('gateway.bad_answer', 'the gateway gave an answer that is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('the call was given up', { cause: signal.reason });
}
