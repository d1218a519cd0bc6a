import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';

/** How long requests to a server of this process are in hand, from their head to the last byte of the answer. */
export class ServingTime implements Disposable {
  totalMs = 0;
  readonly #port: number;
  readonly #startsMs = new WeakMap<object, number>();

  constructor(port: number) {
    this.#port = port;
    subscribe('http.server.request.start', this.#begin);
    subscribe('http.server.response.finish', this.#end);
  }

  readonly #begin = (message: unknown): void => {
    const { request } = message as { readonly request: IncomingMessage };
    if (request.socket.localPort === this.#port) this.#startsMs.set(request, performance.now());
  };

  readonly #end = (message: unknown): void => {
    const { request } = message as { readonly request: IncomingMessage };
    const startMs = this.#startsMs.get(request);
    if (startMs !== undefined) this.totalMs += performance.now() - startMs;
  };

  [Symbol.dispose](): void {
    unsubscribe('http.server.request.start', this.#begin);
    unsubscribe('http.server.response.finish', this.#end);
  }
}
