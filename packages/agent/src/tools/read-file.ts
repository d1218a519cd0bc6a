import { ToolError, unreachable } from '@drydock/core';
import { z } from 'zod';
import { readTextAsset } from '../read-text-asset.ts';
import { sideOf, ToolPath, ToolRef } from '../workspace/repo-path.ts';
import type { PathContent } from '../workspace/workspace.ts';
import { CappedLines } from './cap-text.ts';
import { defineTool } from './tool.ts';
import { visibleLine } from './visible-text.ts';

const LineNumber = z.int().min(1).max(10_000_000);

/** Reads a file, or a part of it. */
export const readFile = defineTool({
  name: 'read_file',
  description: readTextAsset(new URL('read-file.md', import.meta.url)),
  input: z.strictObject({
    path: ToolPath,
    startLine: LineNumber.default(1).describe('First line, from 1'),
    endLine: LineNumber.optional().describe('Last line, included'),
    ref: ToolRef,
  }),
  target: ({ path }) => path,
  run: async ({ path, startLine, endLine, ref }, { workspace, review, signal }) => {
    const content = await workspace.read(ref, path, signal);
    review.noteOpened(path, sideOf(ref));
    return showLines(content, path, { startLine, endLine: endLine ?? Infinity });
  },
});

function showLines(
  content: PathContent,
  path: string,
  range: { readonly startLine: number; readonly endLine: number },
): string {
  const lines = linesOf(content, path);
  if (lines.length === 0) return '[an empty file]';
  if (range.endLine < range.startLine) throw new ToolError('tool.bad_input', 'Not run: endLine is before startLine.');
  if (range.startLine > lines.length) throw new ToolError('tool.not_found', `${path} has ${lines.length} lines.`);
  const shown = new CappedLines();
  const last = Math.min(range.endLine, lines.length);
  for (let number = range.startLine; number <= last && !shown.isFull; number += 1) {
    shown.add(`${String(number).padStart(6)}\t${visibleLine(lines[number - 1] ?? '')}`);
  }
  const end = range.startLine + shown.count - 1;
  if (end < last) shown.notice(`line ${end} of ${lines.length}; go on from startLine ${end + 1}`);
  if (content.kind === 'symlink') shown.notice('a symbolic link: this is its target, which is not followed');
  return shown.toString();
}

/** The text of a path. Throws `ToolError` where there is none. */
export function linesOf(content: PathContent, path: string): readonly string[] {
  switch (content.kind) {
    case 'text':
      return content.lines;
    case 'symlink':
      return [content.target];
    case 'submodule':
      throw new ToolError('tool.refused', `${path} is a submodule; it is not fetched.`);
    case 'binary':
      throw new ToolError('tool.refused', `${path} is no text.`);
    case 'too-large':
      throw new ToolError('tool.too_large', `${path} is too large to be read.`);
    case 'folder':
      throw new ToolError('tool.not_found', `${path} is a folder; use list_files.`);
    case 'absent':
      throw new ToolError('tool.not_found', `There is no file ${path} at that commit.`);
    default:
      return unreachable(content);
  }
}
