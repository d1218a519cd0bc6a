/**
 * A gateway for the tests of the agent: the routes of the protocol and no others, real git over real HTTP behind one of
 * them, and a model's server behind another. It refuses what the real one refuses and remembers what it was sent.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AgentResult, ProgressReport, agentRoutes, type ProgressEvent, type TaskContext } from '@drydock/core';

/** What the gateway serves. */
export interface TestGatewayOptions {
  readonly gitDir: string;
  readonly context: TaskContext;
  /** Of the run. */
  readonly token?: string;
  /** Where model calls go. Default: they are refused. */
  readonly model?: { readonly url: string; readonly apiKey: string };
  /** Answers in place of the real answer, by `METHOD /path`; null: the real one. */
  readonly fault?: (route: string, count: number) => TestFault | null;
}

/** An answer that is none. */
export type TestFault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' };

/** A running gateway. */
export interface TestGateway extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly results: readonly AgentResult[];
  readonly events: readonly ProgressEvent[];
  /** `METHOD /path?query` of every request, in order. */
  readonly requests: readonly string[];
  /** What no correct agent does. */
  readonly violations: readonly string[];
}

const defaultToken = 'ddrun_test-token-0123456789-abcdefghij';
const maxBodyBytes = 64 << 20;

/** Serves what a partial clone asks for, and reads no settings of the machine. */
const backendSettings = {
  'uploadpack.allowFilter': 'true',
  'uploadpack.allowAnySHA1InWant': 'true',
  'safe.directory': '*',
};
const backendEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_HTTP_EXPORT_ALL: '1',
  REMOTE_ADDR: '127.0.0.1',
  GIT_CONFIG_COUNT: String(Object.keys(backendSettings).length),
  ...Object.fromEntries(
    Object.entries(backendSettings).flatMap(([name, value], at) => [
      [`GIT_CONFIG_KEY_${at}`, name],
      [`GIT_CONFIG_VALUE_${at}`, value],
    ]),
  ),
};

/** Starts a gateway on loopback. */
export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const gateway = new TestGatewayServer(options);
  await gateway.listen();
  return gateway;
}

class TestGatewayServer implements TestGateway {
  readonly token: string;
  readonly results: AgentResult[] = [];
  readonly events: ProgressEvent[] = [];
  readonly requests: string[] = [];
  readonly violations: string[] = [];
  readonly #options: TestGatewayOptions;
  readonly #server: Server;
  readonly #counts = new Map<string, number>();

  constructor(options: TestGatewayOptions) {
    this.#options = options;
    this.token = options.token ?? defaultToken;
    this.#server = createServer((incoming, response) => {
      this.#serve(incoming, response).catch((error: unknown) => {
        this.violations.push(`the test gateway failed: ${String(error)}`);
        response.destroy();
      });
    });
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the test gateway does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://gateway');
    const route = `${incoming.method ?? ''} ${url.pathname}`;
    this.requests.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
    if ((incoming.url ?? '').includes(this.token)) this.violations.push('the token stands in a URL');
    const count = (this.#counts.get(route) ?? 0) + 1;
    this.#counts.set(route, count);
    const isAuthorized =
      incoming.headers.authorization === `Bearer ${this.token}` || incoming.headers['x-api-key'] === this.token;
    if (!isAuthorized) {
      send(response, 401, { error: { class: 'stale', code: 'run.unknown', message: 'unknown', retryAfterMs: null } });
      return;
    }
    const fault = this.#options.fault?.(route, count) ?? null;
    if (fault !== null) fail(response, fault);
    else await this.#answer(route, url, incoming, response);
  }

  async #answer(route: string, url: URL, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (route) {
      case `GET ${agentRoutes.context}`:
        send(response, 200, this.#options.context);
        return;
      case `GET ${agentRoutes.git}/info/refs`:
      case `POST ${agentRoutes.git}/git-upload-pack`:
        await this.#serveGit(url, incoming, response);
        return;
      case `POST ${agentRoutes.anthropic}/v1/messages`:
        await this.#forward(incoming, response);
        return;
      case `POST ${agentRoutes.progress}`:
        this.events.push(...ProgressReport.parse(JSON.parse(await readBody(incoming))).events);
        response.writeHead(204).end();
        return;
      case `PUT ${agentRoutes.result}`:
        this.#keep(await readBody(incoming), response);
        return;
      default:
        this.violations.push(`no such route: ${route}`);
        send(response, 404, {
          error: { class: 'terminal', code: 'request.not_found', message: '', retryAfterMs: null },
        });
    }
  }

  #keep(body: string, response: ServerResponse): void {
    const result = AgentResult.parse(JSON.parse(body));
    const [known] = this.results;
    if (known === undefined) this.results.push(result);
    else if (JSON.stringify(known) !== JSON.stringify(result)) this.violations.push('a second, other result');
    send(response, 200, { v: 1, stored: true });
  }

  async #serveGit(url: URL, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers } = incoming;
    const child = spawn('git', ['http-backend'], {
      env: {
        ...backendEnvironment,
        GIT_PROJECT_ROOT: this.#options.gitDir,
        PATH_INFO: url.pathname.slice(agentRoutes.git.length),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: incoming.method ?? '',
        CONTENT_TYPE: headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => undefined); // it may answer before it has read all
    incoming.pipe(child.stdin);
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
    const output = Buffer.concat(chunks);
    const end = output.indexOf('\r\n\r\n');
    const lines = output.toString('latin1', 0, end).split('\r\n');
    const answered = new Map(lines.map((line) => [line.split(': ')[0] ?? '', line.replace(/^[^:]*: /, '')]));
    const status = Number(answered.get('Status')?.slice(0, 3) ?? 200);
    answered.delete('Status');
    response.writeHead(status, Object.fromEntries(answered)).end(output.subarray(end + 4));
  }

  async #forward(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { model } = this.#options;
    const body = await readBody(incoming);
    if (model === undefined) {
      this.violations.push('a model call without a model');
      send(response, 404, {});
      return;
    }
    const upstream = request(`${model.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-api-key': model.apiKey },
    });
    upstream.end(body);
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', () => response.destroy());
      answer.on('aborted', () => response.destroy());
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error('a body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, fault: TestFault): void {
  if (fault.kind === 'reset') response.destroy();
  else if (fault.kind === 'status') response.writeHead(fault.status, { ...fault.headers }).end(fault.body);
}
