import type { ReviewProgress } from '@drydock/standalone/review';
import picocolors from 'picocolors';
import { fitColumns } from '../report/fit-columns.ts';
import { visibleLine } from '../report/visible-text.ts';
import { durationText, stageName, usageText } from './progress-words.ts';
import type { ProgressPlace, ProgressView } from './progress-place.ts';
import { nothingYet, tallyOf, type ReviewTally } from './review-tally.ts';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;
const clearLine = '\r\u001b[2K';

/** One line at the foot of the terminal that tells where the review stands, and goes when it has ended. */
export class LiveProgress implements ProgressView {
  readonly #place: ProgressPlace;
  readonly #startMs: number;
  readonly #timer: NodeJS.Timeout;
  #tally: ReviewTally = nothingYet;
  #frame = 0;
  #isOver = false;

  constructor(place: ProgressPlace) {
    this.#place = place;
    this.#startMs = place.clock.monotonicMs();
    this.#timer = setInterval(() => {
      this.#draw();
    }, frameMs);
    this.#timer.unref();
  }

  show(progress: ReviewProgress): void {
    if (this.#isOver) return;
    this.#tally = tallyOf(this.#tally, progress);
    if (progress.kind === 'change') this.#say(progress.told);
    else if (progress.kind === 'note') this.#say(progress.text);
    else if (progress.entry.event.kind === 'log' && progress.entry.event.level !== 'info') {
      this.#say(progress.entry.event.text);
    }
    this.#draw();
  }

  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#place.out.write(clearLine);
  }

  /** A line that stays. */
  #say(text: string): void {
    this.#place.out.write(`${clearLine}${visibleLine(text)}\n`);
  }

  #draw(): void {
    const { out, isColoured, clock } = this.#place;
    const { stage, turns, findings, target, usage } = this.#tally;
    const parts = [
      stage === null ? 'starting' : stageName(stage),
      ...(turns > 0 ? [`turn ${String(turns)}`] : []),
      ...(findings > 0 ? [`${String(findings)} found`] : []),
      ...(usage !== null && usage.calls + usage.reusedCalls > 0 ? [usageText(usage)] : []),
      durationText(clock.monotonicMs() - this.#startMs),
      ...(target === null ? [] : [target]),
    ];
    this.#frame = (this.#frame + 1) % frames.length;
    const line = fitColumns(visibleLine(`${frames[this.#frame] ?? ''} ${parts.join(' · ')}`), (out.columns || 80) - 1);
    out.write(clearLine + picocolors.createColors(isColoured).dim(line));
  }
}
