import type { IncomingMessage } from 'node:http';

/** The whole body, or why there is none. */
export type Body =
  { readonly kind: 'read'; readonly bytes: Buffer } | { readonly kind: 'too-large' } | { readonly kind: 'broken' };

/** Reads a request's raw bytes up to a cap. `broken`: the sender went away, or ended early. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve({ kind: 'too-large' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) resolve({ kind: 'too-large' });
      else chunks.push(chunk);
    });
    request.on('end', () => {
      const [only] = chunks;
      resolve({ kind: 'read', bytes: chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks) });
    });
    request.on('close', () => {
      resolve({ kind: 'broken' });
    });
    request.on('error', () => {
      resolve({ kind: 'broken' });
    });
  });
}
