import type { IncomingMessage } from 'node:http';
import { TerminalError } from '@drydock/core';
import type { z } from 'zod';

const maxDepth = 100;

/**
 * Reads a JSON body up to a cap. Throws `TerminalError` (`request.too_large`, `request.malformed`) for anything that is
 * no JSON, packed, larger, or nested so deep that later code could fall over it.
 */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  requireContent(request, 'application/json');
  requirePlain(request);
  const body = await readBody(request, maxBytes);
  if (nestsDeeperThan(body, maxDepth)) throw new TerminalError('request.malformed', 'the body nests too deep');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new TerminalError('request.malformed', 'the body is no JSON', { cause });
  }
}

/** Reads a body up to a cap, early if it says its length. Throws `TerminalError` (`request.too_large`, `request.malformed`). */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new TerminalError('request.too_large', `the body is larger than ${String(maxBytes)} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof TerminalError) throw cause;
    throw new TerminalError('request.malformed', 'the body broke off', { cause });
  }
  return Buffer.concat(chunks);
}

/** Lets only bodies of one content type through, whatever parameters it has. */
export function requireContent(request: IncomingMessage, type: string): void {
  const given = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (given !== type) throw new TerminalError('request.malformed', `the content type must be ${type}`);
}

function requirePlain(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new TerminalError('request.malformed', 'packed bodies are not taken here');
}

const quote = 0x22;
const backslash = 0x5c;

/** Told from the bytes, because what parses deep nesting may not be able to write it again. */
function nestsDeeperThan(json: Buffer, limit: number): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (isText) {
      if (byte === backslash) at += 1;
      else if (byte === quote) isText = false;
    } else if (byte === quote) isText = true;
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return false;
}

/** Reads a body by the schema of its route. Throws `TerminalError` (`request.malformed`) for any other shape. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body, { reportInput: false });
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.map(String).join('.').slice(0, 200) ?? '';
  throw new TerminalError('request.malformed', `the body has another shape than the protocol, at "${where}"`, {
    cause: parsed.error,
  });
}
