import { ToolError } from '@drydock/core';
import { z } from 'zod';
import { renderFileDiff, renderOverview } from '../diff/render-diff.ts';
import { readTextAsset } from '../read-text-asset.ts';
import { ToolPath } from '../workspace/repo-path.ts';
import { defineTool } from './tool.ts';

/** What the merge request changes. */
export const showDiff = defineTool({
  name: 'show_diff',
  description: readTextAsset(new URL('show-diff.md', import.meta.url)),
  input: z.strictObject({ path: ToolPath.optional() }),
  target: ({ path }) => path ?? '.',
  run: async ({ path }, { review }) => {
    if (path === undefined) return renderOverview(review.files);
    const file = review.fileAt(path, 'new');
    if (file === undefined) throw new ToolError('tool.not_found', `${path} is not changed by this merge request.`);
    if (file.leftOut !== null)
      throw new ToolError('tool.refused', `${path} is left out of this review: ${file.leftOut}.`);
    review.noteOpened(path, 'new');
    return renderFileDiff(file.diff);
  },
});
