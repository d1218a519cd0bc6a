import type { Readable } from 'node:stream';

const lineFeed = 10;

/** Takes a stream apart into lines and counted bytes. Every method rejects when the stream ends first. */
export class ByteQueue {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    const chunks: AsyncIterable<Buffer> = stream;
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next line without its line feed; null when what comes next is `other`, which is then taken instead. */
  async readLine(maxBytes: number, other: Buffer): Promise<string | null> {
    for (;;) {
      if (startsWith(this.#rest, other)) {
        this.#rest = this.#rest.subarray(other.length);
        return null;
      }
      // Until it differs from `other`, a line feed may be one inside it.
      const end = startsWith(other, this.#rest) ? -1 : this.#rest.indexOf(lineFeed);
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      if (this.#rest.length > maxBytes + other.length) throw new Error('a line is too long');
      await this.#pull();
    }
  }

  /** Exactly that many bytes, as a buffer of their own. */
  async readExactly(bytes: number): Promise<Buffer> {
    const result = Buffer.allocUnsafe(bytes);
    for (let filled = 0; filled < bytes;) {
      if (this.#rest.length === 0) await this.#pull();
      const taken = this.#rest.copy(result, filled);
      filled += taken;
      this.#rest = this.#rest.subarray(taken);
    }
    return result;
  }

  async #pull(): Promise<void> {
    const next = await this.#chunks.next();
    if (next.done === true) throw new Error('the stream ended');
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
  }
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.length >= start.length && bytes.compare(start, 0, start.length, 0, start.length) === 0;
}
