import { ToolError } from '@drydock/core';
import { z } from 'zod';
import { readTextAsset } from '../read-text-asset.ts';
import { ToolFolder, ToolRef } from '../workspace/repo-path.ts';
import { CappedLines } from './cap-text.ts';
import { defineTool } from './tool.ts';
import { visibleLine } from './visible-text.ts';

/** Names what is there. */
export const listFiles = defineTool({
  name: 'list_files',
  description: readTextAsset(new URL('list-files.md', import.meta.url)),
  input: z.strictObject({ path: ToolFolder.optional(), ref: ToolRef }),
  target: ({ path }) => path ?? '.',
  run: async ({ path, ref }, { workspace, signal }) => {
    const folder = path ?? null;
    const { files, isCut } = await workspace.list(ref, folder, signal);
    if (files.length === 0) throw new ToolError('tool.not_found', `There is no folder ${folder ?? '.'} with files.`);
    const lines = new CappedLines();
    for (const file of files) lines.add(visibleLine(file.path));
    if (lines.isFull || isCut) {
      lines.notice(`only the first ${lines.count} files are listed; give a path to see those of one folder`);
    }
    return lines.toString();
  },
});
