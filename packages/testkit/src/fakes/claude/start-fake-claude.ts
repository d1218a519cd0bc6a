/**
 * A fake of Anthropic's Messages API on loopback. It speaks the real protocol, refuses what the API refuses in its
 * wording, keeps a real prompt cache, and lets a script play the model. A malformed request is a violation: stopping
 * the fake then throws, so that no test passes on a request that the API would not have taken.
 */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Clock } from '@drydock/core';
import { systemClock, unreachable } from '@drydock/core';
import { continuedContent } from './check-claude-conversation.ts';
import { checkClaudeHeaders } from './check-claude-headers.ts';
import { checkCountRequest, checkMessagesRequest } from './check-claude-request.ts';
import type { CheckedRequest, ClaudeRules } from './check-claude-request.ts';
import { errorBody, errorTypeOf, invalidRequest } from './claude-error.ts';
import type { ClaudeRefusal } from './claude-error.ts';
import { hugeEvents, messageEvents } from './claude-events.ts';
import type { ClaudeFault } from './claude-fault.ts';
import { ClaudeMemory } from './claude-memory.ts';
import type { FakeClaudeModel } from './claude-models.ts';
import { defaultClaudeModels, modelInfo, modelPage } from './claude-models.ts';
import { ClaudePromptCache } from './claude-prompt-cache.ts';
import { ClaudeRateLimits } from './claude-rate-limits.ts';
import type { ClaudeScript } from './claude-reply.ts';
import type { ClaudeRequest } from './claude-request.ts';
import type { ClaudeUsage } from './claude-usage.ts';
import { callUsage, lastUsage, usageBody } from './claude-usage.ts';
import { readClaudeBody } from './read-claude-body.ts';
import { contentOf, renderReply } from './render-claude-reply.ts';
import { sendClaudeStream, sendHugeEvent, untilAborted } from './send-claude-stream.ts';

/** Settings of a fake Claude. */
export interface FakeClaudeOptions {
  readonly apiKey: string;
  readonly script: ClaudeScript;
  readonly models?: readonly FakeClaudeModel[];
  /** Wait before each answer. The default is none. */
  readonly latencyMs?: number;
  /** Wait between the events of a stream, so that people can watch it. The default is none. */
  readonly gapMs?: number;
  readonly clock?: Clock;
  /** Violations are recorded and refused, but do not make stopping throw. */
  readonly allowViolations?: boolean;
  /** Types of server-side tools that are let through. The default is none. */
  readonly allowedToolTypes?: readonly string[];
  /** 0: any free one. */
  readonly port?: number;
  /** false: nothing is recorded and streams go out in one write, for benchmarks. */
  readonly isRecording?: boolean;
}

/** A request that reached the fake, and what became of it. */
export interface ClaudeCall {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as it came; null when there was none. */
  readonly json: unknown;
  /** The checked body of a Messages request; null for anything else. */
  readonly request: ClaudeRequest | null;
  readonly requestId: string;
  readonly outcome:
    | { readonly kind: 'answered'; readonly usage: ClaudeUsage; readonly stopReason: string }
    | { readonly kind: 'refused'; readonly status: number; readonly message: string }
    | { readonly kind: 'fault'; readonly fault: ClaudeFault }
    | { readonly kind: 'served' };
}

/** A running fake Claude. */
export interface FakeClaude extends AsyncDisposable {
  /** For an SDK's `baseURL`; no path. */
  readonly url: string;
  readonly apiKey: string;
  /** All requests, oldest first. */
  readonly requests: readonly ClaudeCall[];
  /** What a correct client never does, in the words of the refusal. */
  readonly violations: readonly string[];
  /** Another model from the next request on; request counts go on. */
  setScript(script: ClaudeScript): void;
  /** Ends all connections. Throws if there were violations and they are not allowed. */
  stop(): Promise<void>;
}

/** Starts a fake Claude on a loopback port. */
export async function startFakeClaude(options: FakeClaudeOptions): Promise<FakeClaude> {
  const fake = new ClaudeServer(options);
  await fake.listen();
  return fake;
}

/** The fake of benchmarks: answers at once, in one write, and records nothing. It checks as strictly. */
export async function startInstantClaude(
  options: Pick<FakeClaudeOptions, 'apiKey' | 'script' | 'models'>,
): Promise<FakeClaude> {
  return startFakeClaude({ ...options, latencyMs: 0, isRecording: false });
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly url: URL;
  readonly signal: AbortSignal;
}

class ClaudeServer implements FakeClaude {
  readonly apiKey: string;
  readonly requests: ClaudeCall[] = [];
  readonly violations: string[] = [];
  readonly #options: FakeClaudeOptions;
  readonly #clock: Clock;
  readonly #models: readonly FakeClaudeModel[];
  readonly #cache = new ClaudePromptCache();
  readonly #limits = new ClaudeRateLimits();
  readonly #memory = new ClaudeMemory();
  readonly #stopping = new AbortController();
  readonly #server: Server;
  #script: ClaudeScript;
  #requestCount = 0;
  #messageCount = 0;

  constructor(options: FakeClaudeOptions) {
    this.#options = options;
    this.apiKey = options.apiKey;
    this.#script = options.script;
    this.#clock = options.clock ?? systemClock;
    this.#models = options.models ?? defaultClaudeModels;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the fake Claude does not listen');
    return `http://127.0.0.1:${String(address.port)}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#options.port ?? 0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  setScript(script: ClaudeScript): void {
    this.#script = script;
  }

  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    if (this.violations.length > 0 && this.#options.allowViolations !== true) {
      throw new Error(`requests that Claude would have refused:\n${this.violations.join('\n')}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requestCount += 1;
    const requestId = `req_fake${String(this.#requestCount).padStart(20, '0')}`;
    const left = new AbortController();
    response.once('close', () => {
      left.abort();
    });
    response.on('error', () => undefined); // a client that left
    response.setHeader('request-id', requestId);
    response.setHeader('anthropic-organization-id', '00000000-0000-4000-8000-000000000000');
    const url = new URL(request.url ?? '/', 'http://fake');
    const signal = AbortSignal.any([left.signal, this.#stopping.signal]);
    const exchange = { request, response, requestId, url, signal };
    try {
      await this.#route(exchange);
    } catch (error) {
      this.violations.push(
        `${requestId}: the script failed: ${error instanceof Error ? error.message : String(error)}`,
      );
      if (response.headersSent) response.destroy();
      else this.#sendError(exchange, { status: 500, type: 'api_error', message: 'Internal server error' });
    }
  }

  async #route(exchange: Exchange): Promise<void> {
    const refusal = checkClaudeHeaders(exchange.request.headers, exchange.url, this.apiKey);
    if (refusal !== null) {
      this.#refuse(exchange, refusal, null);
      return;
    }
    const route = `${exchange.request.method ?? ''} ${exchange.url.pathname}`;
    if (route === 'POST /v1/messages') await this.#serveMessages(exchange);
    else if (route === 'POST /v1/messages/count_tokens') await this.#serveCount(exchange);
    else if (route === 'GET /v1/models')
      this.#serveJson(exchange, null, modelPage(this.#models, exchange.url.searchParams));
    else if (route.startsWith('GET /v1/models/')) this.#serveModel(exchange);
    else this.#refuse(exchange, { status: 404, type: errorTypeOf(404), message: 'Not found', isViolation: true }, null);
  }

  async #serveCount(exchange: Exchange): Promise<void> {
    const body = await readClaudeBody(exchange.request);
    const checked = body.kind === 'ok' ? checkCountRequest(body.json, this.#rules(exchange.request)) : body;
    const json = body.kind === 'ok' ? body.json : null;
    if (checked.kind === 'refused') this.#refuse(exchange, checked.refusal, json);
    else this.#serveJson(exchange, json, { input_tokens: checked.value });
  }

  #serveModel(exchange: Exchange): void {
    const id = decodeURIComponent(exchange.url.pathname.slice('/v1/models/'.length));
    const model = this.#models.find((known) => known.id === id);
    if (model !== undefined) this.#serveJson(exchange, null, modelInfo(model));
    else
      this.#refuse(
        exchange,
        { status: 404, type: errorTypeOf(404), message: `model: ${id}`, isViolation: false },
        null,
      );
  }

  async #serveMessages(exchange: Exchange): Promise<void> {
    const body = await readClaudeBody(exchange.request);
    const checked = body.kind === 'ok' ? checkMessagesRequest(body.json, this.#rules(exchange.request)) : body;
    if (body.kind === 'refused' || checked.kind === 'refused') {
      const refused = checked.kind === 'refused' ? checked.refusal : invalidRequest('invalid request');
      this.#refuse(exchange, refused, body.kind === 'ok' ? body.json : null);
      return;
    }
    this.#messageCount += 1;
    const { request } = checked.value;
    const place = {
      turn: request.messages.filter((message) => message.role === 'assistant').length + 1,
      requestCount: this.#messageCount,
    };
    const reply = await this.#script(request, place);
    await this.#wait(exchange.signal);
    if (exchange.signal.aborted) return;
    const { fault } = reply;
    if (fault !== undefined) {
      this.#record(exchange, body.json, request, { kind: 'fault', fault });
      if (await this.#failEarly(exchange, fault)) return;
    }
    await this.#answer(exchange, checked.value, reply, body);
  }

  async #answer(
    exchange: Exchange,
    checked: CheckedRequest,
    reply: Awaited<ReturnType<ClaudeScript>>,
    body: { readonly json: unknown; readonly text: string },
  ): Promise<void> {
    const { request, model, segments, inputTokens } = checked;
    const { fault } = reply;
    const nowMs = this.#clock.nowMs();
    const prompt = this.#cache.use(`${this.apiKey} ${model.id}`, segments, model.minCacheTokens, nowMs);
    const room = model.maxInputTokens - inputTokens;
    const rendered = renderReply(
      reply,
      request,
      room < request.max_tokens
        ? { tokens: room, cutReason: 'model_context_window_exceeded' }
        : { tokens: request.max_tokens, cutReason: 'max_tokens' },
      { seed: body.text, memory: this.#memory },
    );
    for (const block of rendered.blocks) if (block.kind === 'raw') this.#memory.noteBlockType(block.block.type);
    if (rendered.stopReason === 'pause_turn') {
      this.#memory.notePausedTurn([...continuedContent(request), ...contentOf(rendered.blocks)]);
    }
    this.#limits.count(prompt.uncached + prompt.written5m + prompt.written1h, rendered.outputTokens, nowMs);
    this.#setLimitHeaders(exchange.response);
    if (fault === undefined) {
      const usage = callUsage(prompt, rendered);
      this.#record(exchange, body.json, request, { kind: 'answered', usage, stopReason: rendered.stopReason });
    }
    const id = `msg_fake${String(this.#messageCount).padStart(20, '0')}`;
    const head = { id, type: 'message', role: 'assistant', model: model.id, container: null, diagnostics: null };
    const usage = usageBody(prompt, rendered);
    if (request.stream !== true) {
      const { stopReason: stop_reason, stopSequence: stop_sequence, stopDetails: stop_details } = rendered;
      const content = contentOf(rendered.blocks);
      this.#sendJson(exchange, 200, { ...head, content, stop_reason, stop_sequence, stop_details, usage });
      return;
    }
    exchange.response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
    });
    if (fault?.kind === 'huge' && fault.shape === 'event') {
      await sendHugeEvent(exchange.response, fault.bytes, exchange.signal);
      return;
    }
    const first = { ...usage, output_tokens: Math.min(1, rendered.outputTokens) };
    const events =
      fault?.kind === 'huge'
        ? hugeEvents(head, first, fault.bytes)
        : messageEvents(head, rendered, { first, last: lastUsage(prompt, rendered) });
    const gapMs = this.#options.gapMs ?? 0;
    await sendClaudeStream(exchange.response, events, {
      fault: fault ?? (gapMs > 0 ? { kind: 'slow', gapMs } : undefined),
      requestId: exchange.requestId,
      clock: this.#clock,
      signal: exchange.signal,
      inOneWrite: this.#options.isRecording === false,
    });
  }

  /** Whether the fault was one in place of an answer. */
  async #failEarly(exchange: Exchange, fault: ClaudeFault): Promise<boolean> {
    switch (fault.kind) {
      case 'hang':
        await untilAborted(exchange.signal);
        return true;
      case 'reset':
        exchange.response.destroy();
        return true;
      case 'status':
        this.#setLimitHeaders(exchange.response);
        for (const [name, value] of Object.entries(fault.headers ?? {})) exchange.response.setHeader(name, value);
        if (fault.html === undefined) this.#sendError(exchange, fault);
        else exchange.response.writeHead(fault.status, { 'content-type': 'text/html' }).end(fault.html);
        return true;
      case 'error-event':
      case 'cut':
      case 'silence':
      case 'slow':
      case 'malformed-event':
      case 'huge':
        return false;
      default:
        return unreachable(fault);
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { latencyMs = 0 } = this.#options;
    if (latencyMs > 0) await this.#clock.sleep(latencyMs, signal);
  }

  #rules({ headers }: IncomingMessage): ClaudeRules {
    return {
      models: this.#models,
      memory: this.#memory,
      apiVersion: String(headers['anthropic-version']),
      allowedToolTypes: this.#options.allowedToolTypes ?? [],
    };
  }

  #setLimitHeaders(response: ServerResponse): void {
    for (const [name, value] of Object.entries(this.#limits.headers(this.#clock.nowMs()))) {
      response.setHeader(name, value);
    }
  }

  #refuse(exchange: Exchange, refusal: ClaudeRefusal, json: unknown): void {
    const { status, message } = refusal;
    if (refusal.isViolation) this.violations.push(`${exchange.requestId} ${exchange.url.pathname}: ${message}`);
    this.#record(exchange, json, null, { kind: 'refused', status, message });
    exchange.response.setHeader('x-should-retry', 'false');
    if (status === 413) exchange.response.setHeader('connection', 'close');
    this.#sendError(exchange, refusal);
  }

  #serveJson(exchange: Exchange, json: unknown, answer: object): void {
    this.#record(exchange, json, null, { kind: 'served' });
    this.#sendJson(exchange, 200, answer);
  }

  #sendError(
    exchange: Exchange,
    error: { readonly status: number; readonly type: string; readonly message: string },
  ): void {
    this.#sendJson(exchange, error.status, errorBody(error, exchange.requestId));
  }

  #sendJson(exchange: Exchange, status: number, body: object): void {
    exchange.response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  #record(exchange: Exchange, json: unknown, request: ClaudeRequest | null, outcome: ClaudeCall['outcome']): void {
    if (this.#options.isRecording === false) return;
    const { method = '', headers } = exchange.request;
    const { requestId, url } = exchange;
    this.requests.push({ method, path: url.pathname, headers, json, request, requestId, outcome });
  }
}
