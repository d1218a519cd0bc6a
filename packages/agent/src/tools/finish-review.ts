import { NotRead, ToolError } from '@drydock/core';
import { z } from 'zod';
import { readTextAsset } from '../read-text-asset.ts';
import type { ReviewedFile } from '../review-session.ts';
import { defineTool } from './tool.ts';
import { unspell, visibleLine } from './visible-text.ts';

const maxNamed = 30;

/** Ends the loop. */
export const finishReview = defineTool({
  name: 'finish_review',
  description: readTextAsset(new URL('finish-review.md', import.meta.url)),
  input: z.strictObject({
    summary: z.string().trim().min(1).max(8000),
    notRead: z.array(NotRead).max(500).default([]),
  }),
  target: () => '',
  run: async ({ summary, notRead: told }, { review }) => {
    const notRead = told.map(({ path, why }) => ({ path: unspell(path), why }));
    const named = new Set(notRead.map(({ path }) => path));
    const forgotten = review.unopened().filter(({ diff }) => !named.has(diff.newPath));
    if (forgotten.length > 0 && review.remindOnce()) throw new ToolError('tool.refused', reminder(forgotten));
    review.finish({ summary, notRead });
    return 'finished';
  },
});

function reminder(forgotten: readonly ReviewedFile[]): string {
  const paths = forgotten.slice(0, maxNamed).map(({ diff }) => visibleLine(diff.newPath));
  const rest = forgotten.length > paths.length ? `\n[and ${forgotten.length - paths.length} more]` : '';
  return `Not finished yet, these changed files were never opened:\n${paths.join('\n')}${rest}\nLook at them with show_diff, or name them in notRead with the reason, and call finish_review again.`;
}
