/**
 * Outgoing HTTP for holders of credentials. It goes through the operator's proxy, trusts the operator's private
 * authority, never follows a redirect, never retries, and ends every wait: connecting, headers, each pause in a body,
 * and the call as a whole. Bodies are read up to a cap and never unpacked.
 */
import { ConfigError, DrydockError, TransientError } from '@drydock/core';
import { EnvHttpProxyAgent, request as send, type Dispatcher } from 'undici';
import { encoded, networkError, redirected, timedOut, tooLarge, type Upstream } from './network-error.ts';
import { trustedContext } from './trusted-ca.ts';

/** How a client reaches the world. Values of the environment are handed in by `main.ts`. */
export interface HttpClientSettings {
  /** Whose error codes it throws. */
  readonly upstream: Upstream;
  /** Values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; null: not set. */
  readonly proxy: {
    readonly httpProxy: string | null;
    readonly httpsProxy: string | null;
    readonly noProxy: string | null;
  };
  /** PEM text of private authorities, trusted beside the machine's; null: none. */
  readonly caPem: string | null;
  /** All optional: 10 s to connect, 30 s for headers, 30 s between two pieces of a body, 60 s in all. */
  readonly timeouts?: {
    readonly connectMs?: number;
    readonly headersMs?: number;
    readonly idleMs?: number;
    readonly totalMs?: number;
  };
}

/** One call. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute, http or https, without a user name in it. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal: AbortSignal;
  /** For the whole call, body included; default: the client's. */
  readonly timeoutMs?: number;
  /** Cap on the answer's body; default 10 MiB. */
  readonly maxBytes?: number;
}

/** An answer of any status but a redirect, its body read whole. Header names are lower-case. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer whose body is still to come. Leaving the loop over it closes the connection. */
export interface HttpStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Buffer>;
}

/** Calls of one upstream. Statuses are answers, not errors; all else that goes wrong is a `DrydockError`. */
export interface HttpClient {
  request(request: HttpRequest): Promise<HttpResponse>;
  stream(request: HttpRequest): Promise<HttpStream>;
  /** Ends all connections, also those in use. */
  close(): Promise<void>;
}

const defaultTimeouts = { connectMs: 10_000, headersMs: 30_000, idleMs: 30_000, totalMs: 60_000 };
const defaultMaxBytes = 10 * 1024 * 1024;

/**
 * A client with its own connections. Throws a `ConfigError` for a proxy address or certificate that cannot be read.
 * Its calls throw `forge.*`, `model.*` or `control.*`: `unreachable`, `timeout`, `tls`, `redirected`, `bad_answer`; and `aborted`
 * (or the signal's own reason, if that is a `DrydockError`).
 */
export function createHttpClient(settings: HttpClientSettings): HttpClient {
  const timeouts = { ...defaultTimeouts, ...settings.timeouts };
  const context = {
    upstream: settings.upstream,
    timeouts,
    agent: createAgent(settings, timeouts.connectMs),
  };
  return {
    request: async (request) => {
      const { body, ...head } = await call(context, request);
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return { ...head, body: Buffer.concat(chunks) };
    },
    stream: (request) => call(context, request),
    close: () => context.agent.destroy(),
  };
}

interface ClientContext {
  readonly upstream: Upstream;
  readonly timeouts: typeof defaultTimeouts;
  readonly agent: EnvHttpProxyAgent;
}

function createAgent({ proxy, caPem }: HttpClientSettings, connectMs: number): EnvHttpProxyAgent {
  const tls = { secureContext: trustedContext(caPem), timeout: connectMs };
  return new EnvHttpProxyAgent({
    // An empty text, unlike undefined, keeps undici from reading the environment by itself.
    httpProxy: proxyUrl('HTTP_PROXY', proxy.httpProxy),
    httpsProxy: proxyUrl('HTTPS_PROXY', proxy.httpsProxy),
    noProxy: proxy.noProxy ?? '',
    allowH2: false,
    connect: tls,
    requestTls: tls,
    proxyTls: tls,
  });
}

/** `proxy.example:3128` without a scheme is common and understood. Values are never repeated: they may hold a password. */
function proxyUrl(name: string, value: string | null): string {
  if (value === null || value === '') return '';
  const url = /^[a-z0-9]+:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(url)) throw new ConfigError(`${name} is not an address such as http://proxy.example:3128`);
  return url;
}

async function call(context: ClientContext, request: HttpRequest): Promise<HttpStream> {
  const url = new URL(request.url);
  const life = startLife(request.signal, request.timeoutMs ?? context.timeouts.totalMs);
  try {
    if (request.signal.aborted) throw life.controller.signal.reason;
    const answer = await send(url, {
      dispatcher: context.agent,
      method: request.method,
      headers: { 'accept-encoding': 'identity', ...request.headers },
      body: request.body ?? null,
      signal: life.controller.signal,
      headersTimeout: context.timeouts.headersMs,
      bodyTimeout: context.timeouts.idleMs,
    });
    const headers = plainHeaders(answer.headers);
    await refuseAnswer(context.upstream, request, answer, headers);
    return { status: answer.statusCode, headers, body: readBody(context.upstream, request, answer, life) };
  } catch (error) {
    life.end();
    throw translate(context.upstream, url.host, life, request.signal, error);
  }
}

interface Life {
  readonly controller: AbortController;
  hasTimedOut: boolean;
  end(): void;
}

/** Ends a call when its caller gives up or its time is over; must itself be ended. */
function startLife(signal: AbortSignal, timeoutMs: number): Life {
  const controller = new AbortController();
  const abort = () => {
    controller.abort();
  };
  const timer = setTimeout(() => {
    life.hasTimedOut = true;
    abort();
  }, timeoutMs);
  const life: Life = {
    controller,
    hasTimedOut: false,
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    },
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return life;
}

async function refuseAnswer(
  upstream: Upstream,
  { url, maxBytes = defaultMaxBytes }: HttpRequest,
  answer: Dispatcher.ResponseData,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const { host } = new URL(url);
  const { statusCode } = answer;
  let error: DrydockError | null = null;
  if (statusCode >= 300 && statusCode < 400 && statusCode !== 304)
    error = redirected(upstream, url, statusCode, headers['location'] ?? null);
  else if (!['', 'identity'].includes(headers['content-encoding'] ?? '')) error = encoded(upstream, host);
  else if (Number(headers['content-length'] ?? 0) > maxBytes) error = tooLarge(upstream, host, maxBytes);
  if (error === null) return;
  answer.body.on('error', () => undefined).destroy();
  throw error;
}

async function* readBody(
  upstream: Upstream,
  { url, signal, maxBytes = defaultMaxBytes }: HttpRequest,
  { body }: Dispatcher.ResponseData,
  life: Life,
): AsyncGenerator<Buffer> {
  const { host } = new URL(url);
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(upstream, host, maxBytes);
      yield chunk;
    }
  } catch (error) {
    throw translate(upstream, host, life, signal, error);
  } finally {
    life.end();
  }
}

function translate(upstream: Upstream, host: string, life: Life, signal: AbortSignal, error: unknown): unknown {
  if (error instanceof DrydockError) return error;
  if (life.hasTimedOut) return timedOut(upstream, host, error);
  if (signal.aborted)
    return signal.reason instanceof DrydockError
      ? signal.reason
      : new TransientError('aborted', 'the call was given up', { cause: error });
  return networkError(upstream, host, error);
}

function plainHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const plain: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  return plain;
}
