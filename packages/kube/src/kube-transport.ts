/**
 * HTTP to the API server over `node:https`: kept connections, three lanes that do not wait for one another, an end to
 * each wait and a cap on each body. It repeats one thing only: a call refused with 401, or for a certificate, after
 * reading the credentials again.
 */
import { Agent as HttpAgent, request as httpRequest, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { TransientError, systemClock } from '@drydock/core';
import type { KubeAccess, KubeCredentials } from './kube-access.ts';
import { badAnswer, connectionFailure, timeoutFailure, type Failure } from './kube-error.ts';

/** Calls, watches and leases have connections of their own: a slow watch delays no write, a burst of writes no lease. */
export type Lane = 'calls' | 'watches' | 'leases';

/** One call. */
export interface KubeRequest {
  readonly lane: Lane;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  /** Names the call in messages: `create jobs`. */
  readonly what: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly signal: AbortSignal;
  /** For the whole call; of a stream, until its headers have come. */
  readonly timeoutMs: number;
  readonly maxBytes?: number;
}

/** An answer of any status, read whole. */
export interface KubeAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: string;
}

/** An answer that goes on; whoever opened it destroys it. */
export interface KubeStream {
  /** The server's clock as it answered. */
  readonly date?: string | undefined;
  readonly status: number;
  readonly retryAfter: string | null;
  /** `complete` when it has ended: it was not cut. */
  readonly body: Readable & { readonly complete: boolean };
}

/** Thrown for a call without an answer: to be turned into what `failure.error` says, or repeated. */
export class CallFailed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.error.message, { cause: failure.error });
    this.failure = failure;
  }
}

/** Sends. Throws `CallFailed` when no answer came, the error itself when the caller gave up or the answer is too large. */
export interface KubeTransport {
  send(request: KubeRequest): Promise<KubeAnswer>;
  open(request: KubeRequest): Promise<KubeStream>;
  /** The API server's time by its last answer, in whole seconds, and by our monotonic clock since; null: none came. */
  serverTimeMs(): number | null;
  /** Ends all connections, also those in use. */
  close(): void;
}

const connectMs = 10_000;
/** A peer that is gone without a word is noticed after this and ten probes a second apart. */
const probeIdleMs = 15_000;
const idleSocketMs = 60_000;
const defaultMaxBytes = 8 * 1024 * 1024;
/** Calls at once; the rest waits for a connection within its time. */
const maxSockets: Readonly<Record<Lane, number>> = { calls: 16, watches: 64, leases: 4 };

/** Connections to one API server. */
export function createKubeTransport(access: KubeAccess): KubeTransport {
  const base = new URL(access.server);
  const agents = new Map<Lane, { readonly agent: HttpAgent; readonly tlsVersion: string }>();

  let server: { readonly dateMs: number; readonly atMs: number } | null = null;

  const agentFor = (lane: Lane, { tls, tlsVersion }: KubeCredentials): HttpAgent => {
    const known = agents.get(lane);
    if (known?.tlsVersion === tlsVersion) return known.agent;
    const options = { keepAlive: true, maxSockets: maxSockets[lane], timeout: idleSocketMs };
    const agent = base.protocol === 'https:' ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options);
    agents.set(lane, { agent, tlsVersion });
    if (known !== undefined) dropIdle(known.agent); // those in use end with what they do
    return agent;
  };

  const openOnce = async (request: KubeRequest, isFresh: boolean): Promise<KubeStream> => {
    const credentials = await access.credentials(isFresh);
    const agent = agentFor(request.lane, credentials);
    try {
      const answer = await exchange(base, agent, credentials, request);
      const dateMs = Date.parse(answer.date ?? '');
      if (!Number.isNaN(dateMs)) server = { dateMs, atMs: systemClock.monotonicMs() };
      return answer;
    } catch (error) {
      // What this connection died of, its idle neighbours may have died of too, unnoticed.
      if (error instanceof CallFailed) dropIdle(agent);
      throw error;
    }
  };

  const open = async (request: KubeRequest): Promise<KubeStream> => {
    try {
      const answer = await openOnce(request, false);
      if (answer.status !== 401) return answer;
      answer.body.destroy();
    } catch (error) {
      if (!(error instanceof CallFailed) || error.failure.error.code !== 'kube.tls') throw error;
    }
    return openOnce(request, true);
  };

  return {
    open,
    send: async (request) => {
      const deadline = AbortSignal.timeout(request.timeoutMs);
      const { status, retryAfter, body } = await open(request);
      return { status, retryAfter, body: await readWhole(request, body, deadline) };
    },
    serverTimeMs: () => (server === null ? null : server.dateMs + systemClock.monotonicMs() - server.atMs),
    close: () => {
      for (const { agent } of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

function exchange(
  base: URL,
  agent: HttpAgent,
  credentials: KubeCredentials,
  request: KubeRequest,
): Promise<KubeStream> {
  return new Promise((resolve, reject) => {
    const { what, signal } = request;
    if (signal.aborted) {
      reject(givenUp(signal));
      return;
    }
    const sent = start(base, agent, credentials, request);
    const fail = (error: Error) => {
      end();
      reject(error);
      sent.destroy();
    };
    const timer = setTimeout(() => {
      fail(new CallFailed(timeoutFailure(what, request.timeoutMs)));
    }, request.timeoutMs);
    const abort = () => {
      fail(givenUp(signal));
    };
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    signal.addEventListener('abort', abort, { once: true });
    sent.on('socket', (socket) => {
      socket.setKeepAlive(true, probeIdleMs);
      if (!socket.connecting) return;
      const late = setTimeout(() => {
        socket.destroy(Object.assign(new Error('connecting took too long'), { code: 'ECONNREFUSED' }));
      }, connectMs);
      const connected = () => {
        clearTimeout(late);
      };
      socket.once('close', connected);
      socket.once(base.protocol === 'https:' ? 'secureConnect' : 'connect', connected);
    });
    sent.on('error', (error) => {
      fail(new CallFailed(connectionFailure(what, error)));
    });
    sent.on('response', (body) => {
      end();
      body.on('error', () => undefined); // read or not, a broken body must not end the process
      resolve({
        status: body.statusCode ?? 0,
        retryAfter: body.headers['retry-after'] ?? null,
        body,
        date: body.headers.date,
      });
    });
    sent.end(request.body);
  });
}

function start(base: URL, agent: HttpAgent, credentials: KubeCredentials, request: KubeRequest): ClientRequest {
  const body = request.body === undefined ? undefined : Buffer.byteLength(request.body);
  const options = {
    agent,
    method: request.method,
    hostname: base.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: base.port === '' ? (base.protocol === 'https:' ? 443 : 80) : Number(base.port),
    path: `${base.pathname.replace(/\/$/, '')}${request.path}`,
    headers: {
      ...credentials.headers,
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'drydock',
      ...(body === undefined
        ? {}
        : { 'content-type': request.contentType ?? 'application/json', 'content-length': body }),
    },
  };
  return base.protocol === 'https:' ? httpsRequest(options) : httpRequest(options);
}

async function readWhole(request: KubeRequest, body: KubeStream['body'], deadline: AbortSignal): Promise<string> {
  const { what, signal, timeoutMs, maxBytes = defaultMaxBytes } = request;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stop = () => {
    body.destroy();
  };
  const ends = [signal, deadline];
  for (const end of ends) end.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted || deadline.aborted) stop();
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw badAnswer(what, `is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    if (!body.complete) throw Object.assign(new Error('the answer broke off'), { code: 'ECONNRESET' });
  } catch (error) {
    if (signal.aborted) throw givenUp(signal);
    if (deadline.aborted) throw new CallFailed(timeoutFailure(what, timeoutMs));
    if (error instanceof Error && 'kind' in error) throw error;
    throw new CallFailed(connectionFailure(what, error));
  } finally {
    for (const end of ends) end.removeEventListener('abort', stop);
    body.destroy();
  }
  return Buffer.concat(chunks).toString('utf8');
}

function dropIdle(agent: HttpAgent): void {
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}

function givenUp(signal: AbortSignal): Error {
  return signal.reason instanceof Error && 'kind' in signal.reason
    ? signal.reason
    : new TransientError('aborted', 'the call was given up', { cause: signal.reason });
}
