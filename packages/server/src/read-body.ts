import type { IncomingMessage } from 'node:http';

/** The whole body, or why there is none. */
export type Body =
  { readonly kind: 'read'; readonly bytes: Buffer } | { readonly kind: 'too-large' | 'broken' | 'overloaded' };

/** How many bytes of bodies may be held in memory, over all requests. */
export class ByteBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** False: there is no room for so many more. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * Reads a request's raw bytes up to a cap, and answers with what `use` makes of them. The budget is charged for them as
 * they come, not as announced: who announces much and sends little must not keep others out. After `use` they are
 * dropped, so that nobody holds them while waiting for a store. `broken`: the sender went away.
 */
export async function withBody<T>(
  request: IncomingMessage,
  { maxBytes, budget }: { readonly maxBytes: number; readonly budget: ByteBudget },
  use: (body: Body) => T,
): Promise<T> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return use({ kind: 'too-large' });
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const end = await new Promise<Body['kind']>((resolve) => {
      request.on('data', (chunk: Buffer) => {
        if (bytes + chunk.length > maxBytes) resolve('too-large');
        else if (!budget.take(chunk.length)) resolve('overloaded');
        else {
          bytes += chunk.length;
          chunks.push(chunk);
        }
      });
      request.once('end', () => {
        resolve('read');
      });
      for (const event of ['close', 'error'] as const) {
        request.once(event, () => {
          resolve('broken');
        });
      }
    });
    request.removeAllListeners('data');
    return use(end === 'read' ? { kind: 'read', bytes: joined(chunks) } : { kind: end });
  } finally {
    chunks.length = 0; // listeners that stay on the request would keep them
    budget.give(bytes);
  }
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}
