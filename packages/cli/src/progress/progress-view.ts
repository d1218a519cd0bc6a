import { JsonProgress } from './json-progress.ts';
import { LineProgress } from './line-progress.ts';
import { LiveProgress } from './live-progress.ts';
import type { ProgressPlace, ProgressView } from './progress-place.ts';

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
