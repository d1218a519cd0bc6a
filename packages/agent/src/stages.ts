import type { Clock, ProgressEvent } from '@drydock/core';

/** The parts of an attempt, in order. */
export type StageName = 'context' | 'checkout' | 'diff' | 'review' | 'submit';

/** Runs the parts of an attempt, tells of each and measures it. */
export class Stages {
  readonly #clock: Clock;
  readonly #onProgress: (event: ProgressEvent) => void;
  readonly #durations = new Map<StageName, number>();

  constructor(clock: Clock, onProgress: (event: ProgressEvent) => void) {
    this.#clock = clock;
    this.#onProgress = onProgress;
  }

  /** Milliseconds of the stages that have ended. */
  get durationsMs(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#durations);
  }

  async run<T>(stage: StageName, work: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    this.#onProgress({ kind: 'stage-started', stage });
    try {
      return await work();
    } finally {
      const durationMs = Math.round(this.#clock.monotonicMs() - startMs);
      this.#durations.set(stage, durationMs);
      this.#onProgress({ kind: 'stage-ended', stage, durationMs });
    }
  }
}
