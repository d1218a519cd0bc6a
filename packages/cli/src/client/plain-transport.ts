/**
 * HTTP without TLS and proxy, which is how a server on this machine is asked: Node's own, because a client with proxies
 * and authorities takes longer to load than a list to be printed. The same promises as `@drydock/http`: no redirect is
 * followed, nothing is retried, waits and bodies are bounded.
 */
import type { Agent, IncomingMessage } from 'node:http';
import { TerminalError, TransientError } from '@drydock/core';
import type { HttpRequest, HttpResponse } from '@drydock/http';

/** What the control client needs of HTTP. */
export interface Transport {
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

// An import of node:http also loads what Node keeps for fetch, which takes ten times longer.
const http = process.getBuiltinModule('node:http');
const defaultMaxBytes = 10 * 1024 * 1024;
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to it from this network',
  ENETUNREACH: 'there is no way to it from this network',
};

/** A transport with connections of its own. Throws `control.unreachable`, `control.timeout`, `control.bad_answer`, `aborted`. */
export function createPlainTransport(timeoutMs: number): Transport {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  return {
    async request(request) {
      const life = new AbortController();
      const tooLate = new TransientError('control.timeout', 'it did not answer in time');
      const timer = setTimeout(() => {
        life.abort(tooLate);
      }, request.timeoutMs ?? timeoutMs);
      const giveUp = () => {
        life.abort(new TransientError('aborted', 'the call was given up'));
      };
      request.signal.addEventListener('abort', giveUp, { once: true });
      try {
        if (request.signal.aborted) giveUp();
        life.signal.throwIfAborted();
        return await exchange(request, agent, life.signal);
      } catch (error) {
        throw life.signal.aborted ? life.signal.reason : translate(error);
      } finally {
        clearTimeout(timer);
        request.signal.removeEventListener('abort', giveUp);
      }
    },
    close() {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

async function exchange(request: HttpRequest, agent: Agent, signal: AbortSignal): Promise<HttpResponse> {
  const { method, url, headers, body, maxBytes = defaultMaxBytes } = request;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = http.request(url, {
      method,
      headers: { 'accept-encoding': 'identity', ...headers },
      agent,
      signal,
    });
    outgoing.once('response', resolve).once('error', reject).end(body);
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new TerminalError('control.bad_answer', `its answer is over ${String(maxBytes)} bytes`);
    chunks.push(chunk);
  }
  const plain = Object.entries(answer.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as const],
  );
  return { status: answer.statusCode ?? 0, headers: Object.fromEntries(plain), body: Buffer.concat(chunks) };
}

function translate(error: unknown): unknown {
  if (error instanceof TerminalError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('HPE_'))
    return new TransientError('control.bad_answer', 'what answers there does not speak HTTP', { cause: error });
  const reason = reasons[code] ?? 'the connection failed';
  return new TransientError('control.unreachable', code === '' ? reason : `${reason} (${code})`, { cause: error });
}
