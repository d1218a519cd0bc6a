import { count } from '../report/report-words.ts';
import { visibleLine } from '../report/visible-text.ts';
import type { ReviewProgress } from '@drydock/standalone/review';
import { durationText, stageName, usageText } from './progress-words.ts';
import type { ProgressPlace, ProgressView } from './progress-place.ts';
import { nothingYet, tallyOf, type ReviewTally } from './review-tally.ts';

/** One line for each stage that has ended: for logs of pipelines, where nothing can be overwritten. */
export class LineProgress implements ProgressView {
  readonly #place: ProgressPlace;
  #tally: ReviewTally = nothingYet;

  constructor(place: ProgressPlace) {
    this.#place = place;
  }

  show(progress: ReviewProgress): void {
    this.#tally = tallyOf(this.#tally, progress);
    const line = this.#lineOf(progress);
    if (line !== null) this.#place.out.write(`drydock: ${visibleLine(line)}\n`);
  }

  #lineOf(progress: ReviewProgress): string | null {
    switch (progress.kind) {
      case 'change':
        return progress.told;
      case 'note':
        return `${progress.level === 'error' ? 'error' : 'note'}: ${progress.text}`;
      case 'agent': {
        const { event } = progress.entry;
        if (event.kind === 'log') return event.level === 'info' ? null : `note: ${event.text}`;
        if (event.kind !== 'stage-ended') return null;
        const took = `${stageName(event.stage)}: ${durationText(event.durationMs)}`;
        return event.stage === 'review' ? `${took}${this.#reviewed()}` : took;
      }
    }
  }

  #reviewed(): string {
    const { turns, findings, usage } = this.#tally;
    const what = `, ${count(turns, 'turn')}, ${count(findings, 'finding')} before checking`;
    return usage === null ? what : `${what}, ${usageText(usage)}`;
  }

  [Symbol.dispose](): void {
    // Every line is written whole.
  }
}
