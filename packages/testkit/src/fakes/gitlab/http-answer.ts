import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** An answer before it is written. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | Readable;
}

/** An answer of JSON; text stays as it is. */
export function answerJson(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  const isText = typeof body === 'string';
  const bytes = Buffer.from(isText ? body : JSON.stringify(body));
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json';
  return { status, headers: { 'Content-Type': type, ...headers }, body: bytes };
}

/** Writes an answer to its end. */
export async function writeAnswer(response: ServerResponse, answer: HttpAnswer): Promise<void> {
  if (Buffer.isBuffer(answer.body)) {
    response.writeHead(answer.status, { ...answer.headers, 'Content-Length': String(answer.body.length) });
    response.end(answer.body);
    return;
  }
  response.writeHead(answer.status, answer.headers);
  await pipeline(answer.body, response).catch(() => undefined); // the client went away
}

/** Reads a request to its end; null when it is longer than allowed. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A stream's bytes. */
export async function collect(body: Buffer | Readable): Promise<Buffer> {
  if (Buffer.isBuffer(body)) return body;
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
