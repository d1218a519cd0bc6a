import { StaleError, type Clock, type ProgressEvent, type ProgressReport } from '@drydock/core';

/** Where progress goes. */
export interface ProgressSink {
  report(report: ProgressReport, signal: AbortSignal): Promise<void>;
}

const idleMs = 60_000;
const gatherMs = 250;
const maxEventsPerReport = 200;
const maxWaiting = 2000;

/**
 * Sends what the agent does, in batches and in order. Nobody waits for it, and reports that fail are lost; but when the
 * gateway calls the run stale, `onStale` hears it, so that an agent nobody wants any more ends soon.
 */
export class ProgressReporter {
  readonly #sink: ProgressSink;
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #onStale: (error: StaleError) => void;
  readonly #closing = new AbortController();
  readonly #loop: Promise<void>;
  #waiting: ProgressEvent[] = [];
  #wake = new AbortController();

  constructor(
    sink: ProgressSink,
    clock: Clock,
    facts: { readonly stop: AbortSignal; readonly onStale: (error: StaleError) => void },
  ) {
    this.#sink = sink;
    this.#clock = clock;
    this.#stop = facts.stop;
    this.#onStale = facts.onStale;
    this.#loop = this.#run();
  }

  add(event: ProgressEvent): void {
    if (this.#closing.signal.aborted || this.#waiting.length >= maxWaiting) return;
    this.#waiting.push(event);
    this.#wake.abort();
  }

  /** Sends what is left. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake.abort();
    await this.#loop;
  }

  /** Runs until closed: sleeps until there is something, then gives more of it a moment to come. */
  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      await this.#clock.sleep(idleMs, this.#wake.signal);
      await this.#clock.sleep(this.#waiting.length === 0 ? 0 : gatherMs, closing);
      this.#wake = new AbortController();
      await this.#flush();
    }
    await this.#flush();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const events = this.#waiting.slice(0, maxEventsPerReport);
      this.#waiting = this.#waiting.slice(events.length);
      try {
        await this.#sink.report({ v: 1, events }, this.#stop);
      } catch (error) {
        if (error instanceof StaleError) this.#onStale(error);
      }
    }
  }
}
