/**
 * The requester under @gitbeaker/rest. Its own would repeat requests, also those that write, and follow redirects with
 * the token; this one sends each request once, over our client.
 */
import { createRequesterFn, type RequesterType, type ResourceOptions } from '@gitbeaker/requester-utils';
import type { Clock } from '@drydock/core';
import { TransientError } from '@drydock/core';
import type { HttpClient, HttpRequest, HttpResponse } from '@drydock/http';
import { badAnswer, gitLabError } from './gitlab-error.ts';
import type { NoteLimiter } from './note-limiter.ts';

/** What requests are sent with. */
export interface GitLabTransport {
  readonly http: HttpClient;
  /** Ends in `/api/v4/`; nothing is sent anywhere else. */
  readonly apiUrl: string;
  readonly clock: Clock;
  readonly notes: NoteLimiter;
  /** Told of every request, with the status of its answer; 0: there was none. */
  readonly onAnswer: (status: number) => void;
  /** Monotonic milliseconds until which GitLab asked us to send nothing, for note writes and for all else. */
  readonly silentUntilMs: { notes: number; all: number };
}

/** Lists hold other people's comments, of up to a million characters each. */
const maxAnswerBytes = 64 * 1024 * 1024;
/** It has a limit of its own, which says nothing about other requests. */
const resend = /\/events\/\d+\/resend$/;
const noteWrite = /\/(?:notes|discussions)$/;

type RequesterFn = (options: ResourceOptions) => RequesterType;
interface SentOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly searchParams?: string;
  /** The API's address and, for some resources of gitbeaker, the beginning of the path. */
  readonly prefixUrl?: string;
}

/** A requester whose calls end with `signal`. */
export function gitLabRequester(transport: GitLabTransport, signal: AbortSignal): RequesterFn {
  return createRequesterFn(
    (_, options) => Promise.resolve(options),
    async (endpoint, options: SentOptions = {}) => {
      const request = buildRequest(transport, endpoint, options, signal);
      const writesNote = request.method === 'POST' && noteWrite.test(endpoint);
      await waitForTurn(transport, writesNote, signal);
      const response = await transport.http.request(request).catch((error: unknown) => {
        transport.onAnswer(0);
        throw error;
      });
      transport.onAnswer(response.status);
      if (response.status >= 200 && response.status < 300)
        return { status: response.status, headers: response.headers, body: readBody(response) };
      const error = gitLabError(response, transport.clock.nowMs());
      if (error instanceof TransientError && error.code === 'forge.rate_limited' && !resend.test(endpoint))
        transport.silentUntilMs[writesNote ? 'notes' : 'all'] =
          transport.clock.monotonicMs() + (error.retryAfterMs ?? 0);
      throw error;
    },
  );
}

function buildRequest(
  { apiUrl }: GitLabTransport,
  endpoint: string,
  { method, headers, body, searchParams, prefixUrl = apiUrl }: SentOptions,
  signal: AbortSignal,
): HttpRequest & { readonly method: string } {
  const url = new URL(`${prefixUrl.replace(/\/*$/, '/')}${endpoint}`);
  if (!url.href.startsWith(apiUrl)) throw new Error('a request would leave the GitLab API');
  url.search = searchParams ?? '';
  if (body !== undefined && typeof body !== 'string') throw new Error('only JSON bodies are sent to GitLab');
  return {
    method: sendable(method),
    url: url.href,
    headers: { accept: 'application/json', 'user-agent': 'drydock', ...headers },
    ...(body === undefined ? {} : { body }),
    signal,
    maxBytes: maxAnswerBytes,
  };
}

function sendable(method: string | undefined): 'GET' | 'POST' | 'PUT' | 'DELETE' {
  if (method === 'GET' || method === 'POST' || method === 'PUT' || method === 'DELETE') return method;
  throw new Error('a method that is not used with GitLab');
}

async function waitForTurn(transport: GitLabTransport, writesNote: boolean, signal: AbortSignal): Promise<void> {
  const { silentUntilMs, clock, notes } = transport;
  const waitMs = Math.max(silentUntilMs.all, writesNote ? silentUntilMs.notes : 0) - clock.monotonicMs();
  if (waitMs > 0)
    throw new TransientError('forge.rate_limited', 'GitLab asked to slow down', { retryAfterMs: Math.ceil(waitMs) });
  if (writesNote) await notes.takeTurn(signal);
}

function readBody({ status, headers, body }: HttpResponse): Record<string, unknown> | Record<string, unknown>[] | null {
  if (status === 204 || body.length === 0) return null;
  if (!/^application\/json\b/.test(headers['content-type'] ?? '')) throw badAnswer('not JSON');
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw badAnswer('no valid JSON'); // its own error would repeat the text
  }
  if (typeof parsed !== 'object' || parsed === null) throw badAnswer('neither an object nor a list');
  return parsed as Record<string, unknown> | Record<string, unknown>[]; // parser: checked by a schema next
}
