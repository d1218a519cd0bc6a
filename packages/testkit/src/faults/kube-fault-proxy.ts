import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { createInterface } from 'node:readline';
import type { KubeFault, KubeProxyRequest, KubeWatchChange } from './kube-fault.ts';

/** A real API server made faulty: requests go through to it, but for those that a test has plans for. */
export interface KubeFaultProxy extends AsyncDisposable {
  /** `http://127.0.0.1:…`; whoever asks here is, to the server, the one whose credentials the proxy was given. */
  readonly url: string;
  /** All requests until now, in order. */
  readonly requests: readonly KubeProxyRequest[];
  /** Watches that are open now. */
  readonly watches: number;
  /** The fault meets the next `times` requests that match (default: all), until what is answered takes it back. */
  add(match: (request: KubeProxyRequest) => boolean, fault: KubeFault, times?: number): () => void;
  /** Takes all faults back. */
  clear(): void;
  /** Ends all connections by a reset. */
  resetAll(): void;
  /** Stops listening, as a server that is down; until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** The server behind, and who the proxy is to it. */
export interface KubeFaultProxyOptions {
  readonly server: string;
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key'>;
}

/** Starts a proxy on a free port of loopback. */
export async function startKubeFaultProxy(options: KubeFaultProxyOptions): Promise<KubeFaultProxy> {
  const proxy = new FaultProxy(options);
  await proxy.up();
  return proxy;
}

interface Plan {
  readonly match: (request: KubeProxyRequest) => boolean;
  readonly fault: KubeFault;
  left: number;
}

class FaultProxy implements KubeFaultProxy {
  readonly requests: KubeProxyRequest[] = [];
  watches = 0;
  readonly #options: KubeFaultProxyOptions;
  readonly #agent: Agent;
  readonly #plans = new Set<Plan>();
  readonly #lists = new Map<string, string>();
  #server: Server | null = null;
  #port = 0;

  constructor(options: KubeFaultProxyOptions) {
    this.#options = options;
    this.#agent = new HttpsAgent({ keepAlive: true, ...options.tls });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  add(match: Plan['match'], fault: KubeFault, times = Number.POSITIVE_INFINITY): () => void {
    const plan = { match, fault, left: times };
    this.#plans.add(plan);
    return () => {
      this.#plans.delete(plan);
    };
  }

  clear(): void {
    this.#plans.clear();
  }

  async up(): Promise<void> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.resetAndDestroy());
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    this.#port = address.port;
    this.#server = server;
  }

  readonly #sockets = new Set<IncomingMessage['socket']>();

  async down(): Promise<void> {
    const closed = this.#server === null ? null : once(this.#server, 'close');
    this.#server?.close();
    this.#server = null;
    this.resetAll();
    await closed;
  }

  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    this.#agent.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const facts = describe(request.method ?? '', request.url ?? '');
    this.requests.push(facts);
    const body = await readBody(request);
    const fault = this.#takeFault(facts);
    switch (fault?.kind) {
      case 'answer': {
        answerStatus(response, fault);
        return;
      }
      case 'reset':
        request.socket.resetAndDestroy();
        return;
      case 'hang':
        return;
      case 'delay':
        await later(fault.ms);
        break;
      case 'execute-then':
        (await this.#forward(request, body)).resume();
        if (fault.status === null) request.socket.resetAndDestroy();
        else answerStatus(response, { kind: 'answer', status: fault.status });
        return;
      case 'stale': {
        const kept = this.#lists.get(facts.url);
        if (kept === undefined) break;
        response.writeHead(200, { 'content-type': 'application/json' }).end(kept);
        return;
      }
      case 'watch':
      case undefined:
    }
    const answer = await this.#forward(request, body);
    if (facts.verb === 'watch' && answer.statusCode === 200)
      return this.#relayWatch(answer, response, fault?.kind === 'watch' ? fault.change : () => 'pass');
    const text = await readBody(answer);
    if (facts.verb === 'list' && answer.statusCode === 200) this.#lists.set(facts.url, text);
    const { connection: _connection, 'transfer-encoding': _encoding, ...headers } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text);
  }

  #takeFault(request: KubeProxyRequest): KubeFault | undefined {
    const plan = [...this.#plans].find(({ match, left }) => left > 0 && match(request));
    if (plan === undefined) return undefined;
    plan.left -= 1;
    return plan.fault;
  }

  async #forward(request: IncomingMessage, body: string): Promise<IncomingMessage> {
    // Who asked may have left while a fault held it back; a connection made now would outlive the proxy.
    if (request.socket.destroyed) throw new Error('nobody waits for the answer');
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const sent = httpsRequest(new URL(request.url ?? '/', this.#options.server), {
      agent: this.#agent,
      method: request.method ?? 'GET',
      headers,
    });
    sent.end(body);
    const leave = () => sent.destroy();
    request.socket.once('close', leave);
    sent.on('close', () => request.socket.off('close', leave));
    const answered = Promise.withResolvers<IncomingMessage>();
    sent.on('response', answered.resolve);
    sent.on('error', answered.reject);
    const answer = await answered.promise;
    answer.on('error', () => undefined);
    return answer;
  }

  async #relayWatch(answer: IncomingMessage, response: ServerResponse, change: KubeWatchChange): Promise<void> {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.watches += 1;
    response.on('close', () => answer.destroy());
    try {
      let index = 0;
      for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
        const what = change(line, index);
        index += 1;
        if (what === 'pass') response.write(`${line}\n`);
        else if (typeof what === 'object') response.write(`${what.line}\n`);
        else if (what === 'break') {
          response.write(line.slice(0, line.length / 2));
          await later(5);
          response.socket?.resetAndDestroy();
          return;
        } else if (what === 'stall') {
          await once(response, 'close');
          return;
        } else if (what === 'cut') break;
      }
      response.end();
    } finally {
      this.watches -= 1;
      answer.destroy();
    }
  }
}

function describe(method: string, url: string): KubeProxyRequest {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const parts = pathname.split('/').slice(1);
  const inGroup = parts.slice(parts[0] === 'api' ? 2 : 3);
  const [resource = '', name] = inGroup[0] === 'namespaces' && inGroup.length > 2 ? inGroup.slice(2) : inGroup;
  const isList = method === 'GET' && name === undefined;
  const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
  const verb = isList ? (searchParams.get('watch') === 'true' ? 'watch' : 'list') : (verbs[method] ?? 'get');
  return { method, url, verb, resource };
}

function answerStatus(response: ServerResponse, fault: Extract<KubeFault, { kind: 'answer' }>): void {
  const { status, reason = '', message = '', retryAfterSeconds, body } = fault;
  const details = retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } };
  const text =
    body ??
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status, ...details });
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  });
  response.end(text);
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref(); // who asked may have left long ago
  });
}
