/** The proxy behind a server on loopback, between an agent's HTTP and a model that the test has started. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DrydockError, ReviewPolicy, Secret, silentLog, type Clock, type Log, type TaskContext } from '@drydock/core';
import { createHttpClient, type HttpClient } from '@drydock/http';
import { MemoryRunStore } from '../../runs/memory-run-store.ts';
import { aRunRecord } from '../../runs/run-builders.ts';
import type { RunStore } from '../../runs/run-store.ts';
import type { AnswerStore } from '../answer-store.ts';
import { defaultModelRetries } from '../call-upstream.ts';
import { modelErrorAnswer } from '../model-error.ts';
import { listPrices } from '../model-prices.ts';
import type { ModelSettings } from '../model-settings.ts';
import { proxyMessages, type ModelPorts } from '../proxy-messages.ts';

export const apiKey = 'sk-ant-the-key-of-the-gateway';
export const day = '2026-11-21';
const nowMs = Date.parse(`${day}T12:00:00Z`);

/** A clock whose sleeps end at once and are noted. */
export class QuickClock implements Clock {
  readonly sleeps: number[] = [];
  #elapsedMs = 0;
  nowMs = () => nowMs + this.#elapsedMs;
  monotonicMs = () => this.#elapsedMs;
  sleep = async (ms: number) => {
    this.sleeps.push(ms);
    this.#elapsedMs += ms;
  };
}

export const plainBody = {
  model: 'claude-sonnet-5-5',
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'hello' }],
  stream: true,
};
/** One run whose calls are proxied. */
export class TestProxy implements AsyncDisposable {
  readonly calls: { model: string; outcome: string }[] = [];
  readonly lookups: string[] = [];
  abort = new AbortController();
  readonly #http: HttpClient;
  readonly #server: Server;
  readonly #serving = new Set<Promise<void>>();
  clock: Clock;
  log: Log = silentLog;
  answers: AnswerStore | null = null;
  settings: ModelSettings;
  store: RunStore = new MemoryRunStore();
  run = aRunRecord();

  private constructor(baseUrl: string, clock: Clock) {
    this.clock = clock;
    this.#http = createHttpClient({
      upstream: 'model',
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      caPem: null,
      timeouts: { headersMs: 400, idleMs: 400 },
    });
    this.settings = {
      baseUrl,
      apiKey: new Secret(apiKey),
      prices: listPrices,
      allowedModels: ['claude-haiku-5-5', 'qwen3-coder'],
      allowedBetas: [],
      retries: defaultModelRetries,
      callTimeoutMs: 10_000,
      maxAnswerBytes: 4 * 1024 * 1024,
      installation: '',
    };
    this.#server = createServer((request, response) => {
      const serving = this.#serve(request, response)
        .catch(() => void response.destroy())
        .finally(() => this.#serving.delete(serving));
      this.#serving.add(serving);
    });
  }

  static async start({ baseUrl, clock }: { readonly baseUrl: string; readonly clock: Clock }): Promise<TestProxy> {
    const proxy = new TestProxy(baseUrl, clock);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    await proxy.startRun();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/`;
  }

  /** Another run from here on, in a store that knows no other. */
  async startRun(context: Partial<TaskContext> = {}): Promise<void> {
    this.store = new MemoryRunStore();
    this.run = aRunRecord({ context: { policy: ReviewPolicy.parse({}), ...context } });
    await this.store.start(this.run, 'hash');
  }

  post(body: object = plainBody, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.url, { method: 'POST', body: JSON.stringify(body), headers });
  }

  /** Whatever comes after an answer is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#serving);
  }

  async usage() {
    return (await this.store.get(this.run.runId))?.usage;
  }

  spent() {
    return this.store.dayUsage(day);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#http.close();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const run = await this.store.get(this.run.runId);
    if (run === null) throw new Error('no run');
    response.once('close', () => {
      if (!response.writableFinished) this.abort.abort();
    });
    try {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
      const beta = String(incoming.headers['anthropic-beta'] ?? '');
      await proxyMessages(this.#ports(), this.settings, { run, body, beta, signal: this.abort.signal }, response);
    } catch (error) {
      if (!(error instanceof DrydockError)) throw error;
      const answer = modelErrorAnswer(error);
      response.writeHead(answer.status, answer.headers).end(answer.body);
    }
  }

  #ports(): ModelPorts {
    return {
      http: this.#http,
      store: this.store,
      clock: this.clock,
      random: () => 1,
      createId: () => `call-${String(Math.random())}`,
      log: this.log,
      answers: this.answers,
      onLookup: (lookup) => this.lookups.push(lookup),
      onCall: ({ model, outcome }) => this.calls.push({ model, outcome }),
    };
  }
}
