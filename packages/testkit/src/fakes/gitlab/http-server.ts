import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FaultList, GitLabFault } from './fault-list.ts';
import { isGitPath, serveGit } from './git-http.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { answerJson, collect, readBody, writeAnswer, type HttpAnswer } from './http-answer.ts';
import type { SelfSignedCertificate } from './self-signed-certificate.ts';
import type { ApiServer } from './serve-api.ts';

/** One request as it was answered; no headers, so no token. */
export interface RequestLogEntry {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Null while it is under way, and when the connection was broken instead. */
  status: number | null;
  /** Which scripted fault struck it. */
  readonly fault: GitLabFault['mode'] | null;
}

interface HttpParts {
  readonly world: GitLabWorld;
  readonly api: ApiServer;
  readonly faults: FaultList;
  readonly certificate: SelfSignedCertificate | null;
}

/** The listening half of the fake. */
export class GitLabHttpServer {
  readonly requests: RequestLogEntry[] = [];
  readonly #parts: HttpParts;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #closing = new AbortController();

  constructor(parts: HttpParts) {
    this.#parts = parts;
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      void this.#handle(request, response);
    };
    const { certificate } = parts;
    this.#server =
      certificate === null
        ? createHttpServer(handle)
        : createHttpsServer({ cert: certificate.certPem, key: certificate.keyPem }, handle);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Listens on loopback; port 0 takes any that is free. Gives the address. */
  async listen(port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    const { port: actualPort } = this.#server.address() as AddressInfo;
    return `${this.#parts.certificate === null ? 'http' : 'https'}://127.0.0.1:${actualPort}`;
  }

  /** Breaks every connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults, world } = this.#parts;
    const method = request.method ?? 'GET';
    const path = request.url ?? '/';
    const fault = faults.take(method, path);
    const entry: RequestLogEntry = { method, path: withoutSecrets(path), status: null, fault: fault?.mode ?? null };
    this.requests.push(entry);
    response.on('finish', () => {
      entry.status = response.statusCode;
    });
    response.on('error', () => undefined);
    if (entry.path !== path) world.violate(method, entry.path, 'a secret in the address');
    try {
      const body = await readBody(request, world.settings.maxBodyBytes);
      const execute = () => this.#answer(request, method, path, body);
      if (fault === null) await writeAnswer(response, await execute());
      else await this.#strike(fault, response, execute);
    } catch (error) {
      if (response.headersSent || response.destroyed || this.#closing.signal.aborted) {
        response.destroy();
        return;
      }
      world.violate(
        method,
        entry.path,
        `the fake itself failed: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      );
      await writeAnswer(response, answerJson(500, { message: '500 Internal Server Error' }));
    }
  }

  async #answer(request: IncomingMessage, method: string, path: string, body: Buffer | null): Promise<HttpAnswer> {
    const { world, api } = this.#parts;
    const url = new URL(path, world.url);
    if (body === null) {
      world.violate(method, url.pathname, 'request body over the limit');
      return answerJson(413, { error: 'Request Entity Too Large' }, { Connection: 'close' });
    }
    const parts = { method, url, headers: request.headers, body };
    if (api.owns(url.pathname)) return await api.serve(parts);
    if (isGitPath(url.pathname)) return await serveGit(world, parts);
    world.violate(method, url.pathname, 'no such page');
    return { status: 404, headers: { 'Content-Type': 'text/html' }, body: Buffer.from('<h1>404: Page not found</h1>') };
  }

  async #strike(fault: GitLabFault, response: ServerResponse, execute: () => Promise<HttpAnswer>): Promise<void> {
    const { signal } = this.#closing;
    if (fault.afterMs !== undefined) await this.#parts.world.clock.sleep(fault.afterMs, signal);
    if (signal.aborted) return;
    switch (fault.mode) {
      case 'slow':
        await writeAnswer(response, await execute());
        return;
      case 'execute-then-fail':
        await collect((await execute()).body);
        await this.#fail(fault, response);
        return;
      case 'fail-before':
        await this.#fail(fault, response);
        return;
      case 'cut-body':
        await cutAnswer(response, await execute());
        return;
      case 'hang':
        return; // until the client gives up or the server closes
      case 'redirect': {
        const headers = { Location: fault.location ?? 'http://127.0.0.1:9/' };
        await writeAnswer(response, { status: fault.status ?? 302, headers, body: Buffer.alloc(0) });
        return;
      }
      case 'rate-limit': {
        const seconds = fault.retryAfterSeconds ?? null;
        const headers: Record<string, string> = seconds === null ? {} : { 'Retry-After': String(seconds) };
        await writeAnswer(response, answerJson(fault.status ?? 429, 'Retry later\n', headers));
        return;
      }
      case 'html': {
        const body = Buffer.from('<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>');
        await writeAnswer(response, { status: fault.status ?? 502, headers: { 'Content-Type': 'text/html' }, body });
        return;
      }
      case 'huge-body': {
        const headers = { 'Content-Type': 'application/json' };
        const body = Readable.from(endlessJson(fault.bytes ?? 64 * 1024 * 1024));
        await writeAnswer(response, { status: fault.status ?? 200, headers, body });
      }
    }
  }

  async #fail(fault: GitLabFault, response: ServerResponse): Promise<void> {
    if (fault.status === null) response.destroy();
    else await writeAnswer(response, answerJson(fault.status ?? 500, { message: '500 Internal Server Error' }));
  }
}

async function cutAnswer(response: ServerResponse, answer: HttpAnswer): Promise<void> {
  const body = await collect(answer.body);
  response.writeHead(answer.status, { ...answer.headers, 'Content-Length': String(Math.max(body.length, 1)) });
  await new Promise<void>((resolve) => {
    response.write(body.subarray(0, Math.floor(body.length / 2)), () => {
      resolve();
    });
  });
  response.destroy();
}

function* endlessJson(bytes: number): Generator<Buffer> {
  yield Buffer.from('["');
  const chunk = Buffer.alloc(64 * 1024, 'a');
  for (let sent = 2; sent < bytes; sent += chunk.length) yield chunk;
  yield Buffer.from('"]');
}

function withoutSecrets(path: string): string {
  return path.replace(/((?:private_token|access_token|job_token)=)[^&]*/g, '$1[removed]').replace(/\/\/[^/@]*@/, '//');
}
