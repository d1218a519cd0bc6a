import type { Clock } from '@drydock/core';
import type { ReviewProgress } from '@drydock/standalone/review';

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
