/**
 * The book of a load that is offered and not asked for: each request is due at its own time, whatever became of those
 * before it, and its latency counts from then. A server that stands still is thus charged for all who came meanwhile,
 * also for those that found no connection free; a load that waits for answers would leave them out ("coordinated
 * omission"). It has no clock: times are handed in, in milliseconds since the start.
 */
export class OpenLoop {
  readonly latenciesMs: number[] = [];
  readonly #settings: { readonly count: number; readonly perSecond: number };
  #free: number;
  #begun = 0;

  constructor(settings: { readonly count: number; readonly perSecond: number; readonly connections: number }) {
    this.#settings = settings;
    this.#free = settings.connections;
  }

  /** When the next one is due; null: all are begun. */
  get nextDueMs(): number | null {
    return this.#begun < this.#settings.count ? this.#dueMs(this.#begun) : null;
  }

  get isOver(): boolean {
    return this.latenciesMs.length === this.#settings.count;
  }

  /** The numbers of those to send now: they are due, and each has a connection. */
  begin(nowMs: number): readonly number[] {
    const begun: number[] = [];
    while (this.#free > 0 && this.nextDueMs !== null && this.nextDueMs <= nowMs) {
      begun.push(this.#begun);
      this.#begun += 1;
      this.#free -= 1;
    }
    return begun;
  }

  /** One was answered, and its connection is free. */
  end(index: number, nowMs: number): void {
    this.#free += 1;
    this.latenciesMs.push(nowMs - this.#dueMs(index));
  }

  #dueMs(index: number): number {
    return (index * 1000) / this.#settings.perSecond;
  }
}
