import type { IncomingMessage } from 'node:http';
import type { ClaudeRefusal } from './claude-error.ts';
import { errorTypeOf, invalidRequest } from './claude-error.ts';

/** Bytes the API takes. */
const maxBodyBytes = 32 * 1024 * 1024;

/** A JSON body, or why it is none. `text` seeds the ids of the answer. */
export type ReadBody =
  | { readonly kind: 'ok'; readonly json: unknown; readonly text: string }
  | { readonly kind: 'refused'; readonly refusal: ClaudeRefusal };

/** Reads a body up to the API's limit and parses it as strictly as the API does. */
export async function readClaudeBody(request: IncomingMessage): Promise<ReadBody> {
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    return refuse("The request's Content-Encoding is not supported.");
  }
  if (!/^application\/json(;|$)/.test(request.headers['content-type'] ?? '')) {
    return refuse('The content-type header must be application/json.');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > maxBodyBytes) {
      request.resume(); // the rest is dropped, so that the client gets to read the answer
      const message = 'Request exceeds the maximum size';
      return { kind: 'refused', refusal: { status: 413, type: errorTypeOf(413), message, isViolation: false } };
    }
    chunks.push(chunk);
  }
  return parseBody(Buffer.concat(chunks));
}

function parseBody(bytes: Buffer): ReadBody {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const json: unknown = JSON.parse(text);
    if (/\\u[dD][89a-fA-F]/.test(text) && !isWellFormed(json)) {
      return refuse('The request body is not valid JSON: no low surrogate in string');
    }
    return { kind: 'ok', json, text };
  } catch {
    return refuse('The request body is not valid JSON');
  }
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (Array.isArray(value)) return value.every(isWellFormed);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWellFormed(inner));
}

function refuse(message: string): ReadBody {
  return { kind: 'refused', refusal: invalidRequest(message) };
}
