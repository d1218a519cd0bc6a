import type { Socket } from 'node:net';
import type { TcpToxic, TcpToxicEffect } from './tcp-toxic.ts';

/** More than this in hand, and the sender has to wait. */
const maxHeldBytes = 1024 * 1024;

/** The faults of one way, as they are now. */
export interface Toxics {
  current(): ReadonlySet<TcpToxic>;
  /** Resolves at the next change. */
  readonly changed: Promise<unknown>;
}

interface Piece {
  /** Null: the end. */
  readonly bytes: Buffer | null;
  readonly arrivedAtMs: number;
}

type Of<Kind extends TcpToxicEffect['kind']> = Extract<TcpToxicEffect, { kind: Kind }>;

/** One way of one connection: passes on what comes, as the faults of the moment let it. */
export class FaultyPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #toxics: Toxics;
  readonly #random: () => number;
  readonly #closed = new AbortController();
  readonly #pieces: Piece[] = [];
  readonly #passed = new Map<TcpToxic, number>();
  #heldBytes = 0;
  #arrived = Promise.withResolvers<unknown>();

  constructor(from: Socket, to: Socket, toxics: Toxics, random: () => number) {
    this.#from = from;
    this.#to = to;
    this.#toxics = toxics;
    this.#random = random;
    from.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    from.on('end', () => {
      this.#take(null);
    });
    from.once('close', () => {
      if (!from.readableEnded) this.#closed.abort(); // else what it sent, and its end, are still on their way
    });
    to.once('close', () => {
      this.#closed.abort();
    });
    void this.#run();
  }

  #take(bytes: Buffer | null): void {
    this.#pieces.push({ bytes, arrivedAtMs: performance.now() });
    this.#heldBytes += bytes?.length ?? 0;
    if (this.#heldBytes > maxHeldBytes) this.#from.pause();
    this.#arrived.resolve(null);
  }

  async #run(): Promise<void> {
    while (!this.#isClosed()) {
      const piece = this.#pieces[0];
      if (piece === undefined) {
        this.#arrived = Promise.withResolvers();
        await this.#until(this.#arrived.promise);
        continue;
      }
      if (piece.bytes === null) {
        await this.#end(piece);
        return;
      }
      await this.#pass(piece.bytes, piece);
      this.#pieces.shift();
      this.#heldBytes -= piece.bytes.length;
      if (this.#heldBytes <= maxHeldBytes) this.#from.resume();
    }
  }

  async #end(piece: Piece): Promise<void> {
    await this.#lifted();
    await this.#delayed(piece);
    const slow = this.#find('slow-close');
    if (slow !== undefined) await this.#sleep(slow.delayMs);
    this.#to.end();
  }

  async #pass(bytes: Buffer, piece: Piece): Promise<void> {
    await this.#delayed(piece);
    let rest = bytes;
    while (rest.length > 0 && !this.#isClosed()) {
      await this.#lifted();
      const slicer = this.#find('slicer');
      const bandwidth = this.#find('bandwidth');
      // A tenth of a second's worth at a time, so that a slow link trickles.
      const tenth = bandwidth === undefined ? Infinity : Math.max(1, Math.floor(bandwidth.bytesPerSecond / 10));
      const part = rest.subarray(0, Math.min(slicer?.bytes ?? Infinity, tenth, rest.length));
      rest = rest.subarray(part.length);
      if (!this.#write(part)) return;
      if (slicer !== undefined) await this.#sleep(slicer.pauseMs);
      if (bandwidth !== undefined) await this.#sleep((1000 * part.length) / bandwidth.bytesPerSecond);
      if (this.#to.writableNeedDrain) await this.#until(new Promise((done) => this.#to.once('drain', done)));
    }
  }

  /** False: this was the end of the connection. */
  #write(part: Buffer): boolean {
    const reset = this.#spent('reset', part, ({ afterBytes }) => afterBytes);
    const limit = this.#spent('limit', part, ({ bytes }) => bytes);
    const allowed = part.subarray(0, Math.max(0, Math.min(reset, limit)));
    if (!this.#isClosed() && allowed.length > 0) this.#to.write(allowed);
    if (Math.min(reset, limit) >= part.length && reset > 0) return true;
    if (reset <= limit) {
      this.#from.resetAndDestroy();
      this.#to.resetAndDestroy();
    } else {
      this.#from.destroySoon();
      this.#to.end();
    }
    return false;
  }

  /** How much of this part may still pass by the toxics of this kind. */
  #spent<Kind extends 'reset' | 'limit'>(kind: Kind, part: Buffer, budget: (toxic: Of<Kind>) => number): number {
    const toxic = this.#find(kind);
    if (toxic === undefined) return Infinity;
    const before = this.#passed.get(toxic) ?? 0;
    this.#passed.set(toxic, before + part.length);
    return Math.max(0, budget(toxic) - before);
  }

  async #delayed({ arrivedAtMs }: Piece): Promise<void> {
    const latency = this.#find('latency');
    if (latency === undefined) return;
    const jitterMs = (2 * this.#random() - 1) * latency.jitterMs;
    await this.#sleep(arrivedAtMs + latency.delayMs + jitterMs - performance.now());
  }

  /** Waits while there is a black hole, and closes both sides if that is its way. */
  async #lifted(): Promise<void> {
    for (let hole = this.#find('black-hole'); hole !== undefined; hole = this.#find('black-hole')) {
      if (this.#isClosed()) return;
      const changed = this.#toxics.changed;
      if (hole.closeAfterMs === null) {
        await this.#until(changed);
        continue;
      }
      await Promise.race([changed, this.#sleep(hole.closeAfterMs)]);
      if (this.#find('black-hole') !== hole) continue;
      this.#from.destroy();
      this.#to.destroy();
    }
  }

  #find<Kind extends TcpToxicEffect['kind']>(kind: Kind): (TcpToxic & Of<Kind>) | undefined {
    for (const toxic of this.#toxics.current()) if (isOf(toxic, kind)) return toxic;
    return undefined;
  }

  #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  #until(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isClosed()) resolve();
      this.#closed.signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
      void work.then(() => {
        resolve();
      });
    });
  }

  async #sleep(ms: number): Promise<void> {
    if (ms <= 0) return;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const timer = setTimeout(resolve, ms);
    await this.#until(promise);
    clearTimeout(timer);
  }
}

function isOf<Kind extends TcpToxicEffect['kind']>(toxic: TcpToxic, kind: Kind): toxic is TcpToxic & Of<Kind> {
  return toxic.kind === kind;
}
