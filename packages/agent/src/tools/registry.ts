import type { ToolDescription } from '../loop/model.ts';
import { blame } from './blame.ts';
import { finishReview } from './finish-review.ts';
import { listFiles } from './list-files.ts';
import { log } from './log.ts';
import { readFile } from './read-file.ts';
import { reportFinding } from './report-finding.ts';
import { search } from './search.ts';
import { showDiff } from './show-diff.ts';
import type { Tool } from './tool.ts';

/** What the model can do. Sorted by name and never changed: every request begins with these bytes, and is cached by them. */
export const reviewTools: readonly Tool[] = Object.freeze(
  [blame, finishReview, listFiles, log, readFile, reportFinding, search, showDiff].sort((left, right) =>
    left.description.name < right.description.name ? -1 : 1,
  ),
);

/** The tools as the model is told of them. */
export const toolDescriptions: readonly ToolDescription[] = Object.freeze(reviewTools.map((tool) => tool.description));
