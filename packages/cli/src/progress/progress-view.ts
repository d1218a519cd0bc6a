import type { Clock } from '@drydock/core';
import type { ReviewProgress } from '@drydock/standalone/review';
import { JsonProgress } from './json-progress.ts';
import { LineProgress } from './line-progress.ts';
import { LiveProgress } from './live-progress.ts';

/** Shows a review while it runs. Dispose of it before anything else is written to the terminal: then it is silent. */
export interface ProgressView extends Disposable {
  show(progress: ReviewProgress): void;
}

/** Where progress is shown: standard error, so that a report on standard output stays whole. */
export interface ProgressPlace {
  readonly out: NodeJS.WriteStream;
  readonly clock: Pick<Clock, 'monotonicMs' | 'nowMs'>;
  readonly isColoured: boolean;
}

/** `live` is one line that moves; `lines` one line a stage, for logs; `json` one object a line, for programs. */
export type ProgressForm = 'live' | 'lines' | 'json' | 'none';

/** The view of that form. */
export function progressView(form: ProgressForm, place: ProgressPlace): ProgressView {
  switch (form) {
    case 'live':
      return new LiveProgress(place);
    case 'lines':
      return new LineProgress(place);
    case 'json':
      return new JsonProgress(place);
    case 'none':
      return { show: () => undefined, [Symbol.dispose]: () => undefined };
  }
}
