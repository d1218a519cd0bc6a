import { ToolError } from '@drydock/core';
import { z } from 'zod';
import { readTextAsset } from '../read-text-asset.ts';
import { ToolPath } from '../workspace/repo-path.ts';
import { CappedLines } from './cap-text.ts';
import { commitColumns } from './log.ts';
import { linesOf } from './read-file.ts';
import { defineTool } from './tool.ts';
import { visibleLine } from './visible-text.ts';

const maxLines = 500;
const LineNumber = z.int().min(1).max(10_000_000);

/** Who changed these lines last. */
export const blame = defineTool({
  name: 'blame',
  description: readTextAsset(new URL('blame.md', import.meta.url)),
  input: z.strictObject({
    path: ToolPath,
    startLine: LineNumber.describe('First line, from 1'),
    endLine: LineNumber.describe(`Last line, included; at most ${maxLines} lines at once`),
  }),
  target: ({ path, startLine, endLine }) => `${path}:${startLine}-${endLine}`,
  run: async ({ path, startLine, endLine }, { workspace, signal }) => {
    if (endLine < startLine || endLine - startLine >= maxLines) {
      throw new ToolError('tool.bad_input', `Not run: ask for 1 to ${maxLines} lines.`);
    }
    const content = linesOf(await workspace.read('head', path, signal), path);
    if (endLine > content.length) throw new ToolError('tool.not_found', `${path} has ${content.length} lines.`);
    const lines = new CappedLines();
    for (const blamed of await workspace.blame(path, startLine, endLine, signal)) {
      lines.add(
        `${String(blamed.line).padStart(6)}\t${commitColumns(blamed)}\t${visibleLine(content[blamed.line - 1] ?? '')}`,
      );
    }
    if (lines.isFull) lines.notice('more lines are not shown; ask for fewer');
    return lines.toString();
  },
});
