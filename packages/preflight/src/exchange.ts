import type { PreflightReport } from '@drydock/core';

/** What is asked for, and by whom. */
export interface Exchange {
  readonly gatewayUrl: URL;
  readonly runId: string;
  /** The pod's projected token. */
  readonly identity: string;
  readonly preflight: PreflightReport;
}

/** `refused`: there is no token for this pod. `misunderstood`: the gateway does not take such a request at all. */
export type Exchanged =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'refused' | 'misunderstood' | 'unreachable'; readonly why: string };

/** Times in milliseconds. */
export interface ExchangeTimes {
  readonly callMs: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** No call begins later than this. */
  readonly patienceMs: number;
}

export const exchangeTimes: ExchangeTimes = {
  callMs: 10_000,
  firstPauseMs: 250,
  longestPauseMs: 4000,
  patienceMs: 30_000,
};

const route = '/run/v1/exchange';
const maxAnswerBytes = 64 * 1024;

/** Asks for the run token, again and again while the gateway cannot be reached or says that it cannot answer now. */
export async function exchange(wanted: Exchange, times: ExchangeTimes = exchangeTimes): Promise<Exchanged> {
  const startMs = performance.now();
  for (let pauseMs = times.firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, times.longestPauseMs)) {
    const done = await tryExchange(wanted, times.callMs);
    if (done.kind !== 'unreachable' || performance.now() - startMs + pauseMs > times.patienceMs) return done;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function tryExchange({ gatewayUrl, runId, identity, preflight }: Exchange, callMs: number): Promise<Exchanged> {
  const body = JSON.stringify({ v: 1, runId, preflight });
  try {
    const { status, text } = await post(new URL(gatewayUrl.href.replace(/\/*$/, route)), identity, body, callMs);
    return readAnswer(status, parseJson(text));
  } catch (error) {
    return { kind: 'unreachable', why: codeOf(error) };
  }
}

async function post(url: URL, identity: string, body: string, callMs: number) {
  // TLS takes longer to load than all the rest, and is seldom used: within a cluster the way is short and closed.
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  return new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const call = request(url, {
      method: 'POST',
      agent: false,
      signal: AbortSignal.timeout(callMs),
      headers: {
        authorization: `Bearer ${identity}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    call.on('error', reject);
    call.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > maxAnswerBytes) response.destroy(new Error('the answer is too large'));
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    call.end(body);
  });
}

function readAnswer(status: number, answer: unknown): Exchanged {
  if (status === 200) {
    const token = valueOf(answer, 'token');
    if (typeof token === 'string' && /^[\x21-\x7e]{32,200}$/.test(token)) return { kind: 'token', token };
    return { kind: 'misunderstood', why: 'the gateway sent no token' };
  }
  const code = valueOf(valueOf(answer, 'error'), 'code');
  const why = `the gateway answered ${String(status)}${typeof code === 'string' ? ` ${code.slice(0, 100)}` : ''}`;
  if (status === 401) return { kind: 'refused', why };
  // 424: it needs a person, such as one who gives it the right to review tokens; the run waits for that elsewhere.
  const mayPass = status >= 500 || status === 408 || status === 424 || status === 429;
  return { kind: mayPass ? 'unreachable' : 'misunderstood', why };
}

function valueOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A code such as `ECONNREFUSED`; messages may hold what nobody should read. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no answer';
}
