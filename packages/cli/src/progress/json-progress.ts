import type { ReviewProgress } from '@drydock/standalone/review';
import type { ProgressPlace, ProgressView } from './progress-place.ts';

/** One JSON object a line: `v`, `atMs` (since the epoch), `kind`, and what belongs to it. For programs: stable. */
export class JsonProgress implements ProgressView {
  readonly #place: ProgressPlace;

  constructor(place: ProgressPlace) {
    this.#place = place;
  }

  show(progress: ReviewProgress): void {
    const { out, clock } = this.#place;
    const { kind, ...facts } =
      progress.kind === 'agent' ? { ...progress.entry.event, usage: progress.entry.usage } : progress;
    const atMs = progress.kind === 'agent' ? progress.entry.atMs : clock.nowMs();
    out.write(`${JSON.stringify({ v: 1, atMs, kind, ...facts })}\n`);
  }

  [Symbol.dispose](): void {
    // Every line is written whole.
  }
}
