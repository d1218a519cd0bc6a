/**
 * A Messages call of an agent: checked, rebuilt, paid for, sent with our key, and its answer passed through byte for
 * byte. Nothing of the agent's headers goes upstream but betas of the allow-list.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import {
  DrydockError,
  StaleError,
  TerminalError,
  TransientError,
  type Clock,
  type Log,
  type Secret,
  type TokenUsage,
} from '@drydock/core';
import type { HttpClient, HttpStream } from '@drydock/http';
import type { RunStore, StoredRun } from '../runs/run-store.ts';
import { callUpstream, type ModelRetries } from './call-upstream.ts';
import { MessagesRequest, describeRequestProblem } from './messages-request.ts';
import { modelErrorEvent } from './model-error.ts';
import { priceOf, type CallTokens, type ModelPrices } from './model-prices.ts';
import { reserveCall, type CallOutcome } from './reserve-call.ts';
import { StreamUsage, usageOfMessage } from './stream-usage.ts';

/** Where models are and what of them agents may use. */
export interface ModelSettings {
  /** Such as `https://api.anthropic.com`: the Messages endpoint is below `/v1/messages`. */
  readonly baseUrl: string;
  /** Null: the server wants none. */
  readonly apiKey: Secret | null;
  readonly prices: ModelPrices;
  /** Models beside the one of the run's policy. */
  readonly allowedModels: readonly string[];
  readonly allowedBetas: readonly string[];
  readonly retries: ModelRetries;
  readonly callTimeoutMs: number;
  readonly maxAnswerBytes: number;
}

/** What the proxy needs of the world. */
export interface ModelPorts {
  readonly http: HttpClient;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly createId: () => string;
  readonly log: Log;
  /** Told what a call came to. `outcome` is `answered` or the code of its error. */
  readonly onCall: (call: {
    readonly model: string;
    readonly outcome: string;
    readonly tokens: TokenUsage | null;
  }) => void;
}

/** One call as it came. */
export interface AgentCall {
  readonly run: StoredRun;
  /** The body, read and parsed. */
  readonly body: unknown;
  /** Its `anthropic-beta` header. */
  readonly beta: string;
  /** Ends when the agent leaves, its run is revoked or its time is over. */
  readonly signal: AbortSignal;
}

/**
 * Answers a call. Throws a `DrydockError` while nothing is sent; later troubles become an error event of the stream or
 * a broken connection.
 */
export async function proxyMessages(
  ports: ModelPorts,
  settings: ModelSettings,
  call: AgentCall,
  response: ServerResponse,
): Promise<void> {
  const request = checkedRequest(call, settings);
  const json = JSON.stringify(request);
  const price = priceOf(request.model, settings.prices);
  const reserved = await reserveCall(ports.store, call.run, {
    id: ports.createId(),
    nowMs: ports.clock.nowMs(),
    price,
    promptBytes: Buffer.byteLength(json),
    maxOutputTokens: request.max_tokens,
  });
  let outcome: CallOutcome = { kind: 'unknown' };
  let failure: DrydockError | null = null;
  try {
    const upstream = await openAnswer(ports, settings, call, request, json);
    const relayed = request.stream === true ? relayStream : relayMessage;
    ({ outcome, failure } = await relayed(upstream, response, call.signal));
    if (failure !== null && !response.headersSent) throw failure;
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    failure = error;
    if (outcome.kind === 'unknown') outcome = unansweredOutcome(error, request, call.signal);
    throw error;
  } finally {
    await settle(ports, call.run, reserved.settle(outcome));
    const tokens = outcome.kind === 'answered' ? outcome.tokens : null;
    ports.onCall({
      model: request.model,
      outcome: failure?.code ?? 'answered',
      tokens: tokens === null ? null : counted(tokens),
    });
  }
}

function checkedRequest({ run, body }: AgentCall, settings: ModelSettings): MessagesRequest {
  const parsed = MessagesRequest.safeParse(body, { reportInput: false });
  if (!parsed.success) throw new TerminalError('request.malformed', describeRequestProblem(parsed.error));
  const { policy } = run.record.context;
  const request = parsed.data;
  if (request.model !== policy.model && !settings.allowedModels.includes(request.model)) {
    throw new TerminalError('model.not_allowed', 'this run may not use that model');
  }
  return { ...request, max_tokens: Math.min(request.max_tokens, policy.budget.maxOutputTokensPerTurn) };
}

async function openAnswer(
  ports: ModelPorts,
  settings: ModelSettings,
  { run, beta, signal }: AgentCall,
  request: MessagesRequest,
  json: string,
): Promise<HttpStream> {
  const isStreamed = request.stream === true;
  const upstream = await callUpstream(
    {
      ...ports,
      onFailure: (error, delayMs) => {
        const facts = { runId: run.record.runId, model: request.model, code: error.code };
        if (error.kind === 'blocked') ports.log.error({ ...facts, err: error }, 'model refuses our credential');
        else if (delayMs !== null) ports.log.warn({ ...facts, delayMs }, 'model call will be repeated');
      },
    },
    {
      method: 'POST',
      url: `${settings.baseUrl.replace(/\/+$/, '')}/v1/messages`,
      headers: upstreamHeaders(settings, beta),
      body: json,
      signal,
      timeoutMs: settings.callTimeoutMs,
      maxBytes: settings.maxAnswerBytes,
    },
    { isStreamed, retries: settings.retries },
  );
  const type = (upstream.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== (isStreamed ? 'text/event-stream' : 'application/json')) {
    await leave(upstream);
    throw new TransientError('model.bad_answer', 'what answers at the address of the model does not speak Messages');
  }
  return upstream;
}

/** Closes the connection of an answer that nobody wants: a body ends when its loop is left. */
async function leave({ body }: HttpStream): Promise<void> {
  const chunks = body[Symbol.asyncIterator]();
  await chunks.next().catch(() => undefined);
  await chunks.return?.();
}

function upstreamHeaders({ apiKey, allowedBetas }: ModelSettings, beta: string): Record<string, string> {
  const betas = beta
    .split(',')
    .map((name) => name.trim())
    .filter((name) => allowedBetas.includes(name));
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'anthropic-version': '2023-06-01',
    'user-agent': 'drydock-gateway',
    ...(apiKey === null ? {} : { 'x-api-key': apiKey.reveal() }),
    ...(betas.length === 0 ? {} : { 'anthropic-beta': betas.join(',') }),
  };
}

interface Relayed {
  readonly outcome: CallOutcome;
  readonly failure: DrydockError | null;
}

async function relayStream(upstream: HttpStream, response: ServerResponse, signal: AbortSignal): Promise<Relayed> {
  response.writeHead(200, answerHeaders(upstream, 'text/event-stream; charset=utf-8'));
  response.flushHeaders();
  const usage = new StreamUsage();
  const relayed = (failure: DrydockError | null): Relayed => ({
    outcome: { kind: 'answered', tokens: usage.tokens, isFinal: usage.isFinal, isAbandoned: signal.aborted },
    failure,
  });
  try {
    for await (const chunk of upstream.body) {
      usage.feed(chunk);
      if (!response.write(chunk)) await once(response, 'drain', { signal });
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

async function relayMessage(upstream: HttpStream, response: ServerResponse, signal: AbortSignal): Promise<Relayed> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of upstream.body) chunks.push(chunk);
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    return { outcome: { kind: 'answered', tokens: null, isFinal: false, isAbandoned: signal.aborted }, failure: error };
  }
  const body = Buffer.concat(chunks);
  response.writeHead(200, { ...answerHeaders(upstream, 'application/json'), 'content-length': body.length }).end(body);
  return {
    outcome: { kind: 'answered', tokens: usageOfMessage(body), isFinal: true, isAbandoned: false },
    failure: null,
  };
}

function answerHeaders({ headers }: HttpStream, contentType: string): Record<string, string> {
  const requestId = headers['request-id'];
  return {
    'content-type': contentType,
    'cache-control': 'no-store',
    ...(requestId !== undefined && /^[\w-]{1,100}$/.test(requestId) ? { 'request-id': requestId } : {}),
  };
}

/** Whether the model may have worked on a call that failed before an answer: then it stays paid. */
function unansweredOutcome(error: DrydockError, request: MessagesRequest, signal: AbortSignal): CallOutcome {
  const isTimeout = error.code === 'model.timeout' && request.stream !== true;
  return signal.aborted || isTimeout ? { kind: 'unknown' } : { kind: 'unanswered' };
}

function reasonOf(signal: AbortSignal): DrydockError {
  const reason: unknown = signal.reason;
  return reason instanceof DrydockError ? reason : new StaleError('aborted', 'the agent left');
}

async function settle({ log }: ModelPorts, run: StoredRun, settling: Promise<void>): Promise<void> {
  try {
    await settling;
  } catch (err) {
    if (!(err instanceof DrydockError)) throw err;
    // The whole reservation stays paid, which is the safe side.
    log.warn({ runId: run.record.runId, err }, 'usage could not be recorded');
  }
}

function counted({ input, output, cacheRead, cacheWrite }: CallTokens): TokenUsage {
  return { input, output, cacheRead, cacheWrite };
}
