import { ToolError, compileGlob } from '@drydock/core';
import { RE2JS, RE2JSException } from 're2js';
import { z } from 'zod';
import { readTextAsset } from '../read-text-asset.ts';
import { ToolRef } from '../workspace/repo-path.ts';
import type { Ref } from '../workspace/workspace.ts';
import { CappedLines, type TextCap } from './cap-text.ts';
import { defineTool, type ToolContext } from './tool.ts';
import { visibleLine } from './visible-text.ts';

const cap: TextCap = { maxLines: 200, maxBytes: 60_000, maxLineChars: 500 };
const maxFiles = 5000;
const maxChars = 64_000_000;
/** Further characters of a line are not searched: nobody wrote them by hand. */
const maxLineChars = 4000;
const timeMs = 15_000;
/** How many lines are searched between two looks at the time. */
const linesPerLook = 50;
const advice = 'narrow the search by a glob';

/** Finds text. The engine is linear in the text, whatever the pattern. */
export const search = defineTool({
  name: 'search',
  description: readTextAsset(new URL('search.md', import.meta.url)),
  input: z.strictObject({
    pattern: z.string().min(1).max(500).describe('Regular expression, RE2 syntax'),
    glob: z.string().min(1).max(500).optional().describe('Which files, such as src/**/*.ts'),
    ref: ToolRef,
  }),
  target: ({ pattern }) => pattern,
  run: async ({ pattern, glob, ref }, context) => {
    const isMatch = compilePattern(pattern);
    const { files, isCut } = await context.workspace.list(ref, null, context.signal);
    const isWanted = glob === undefined ? () => true : compileGlob(glob);
    const paths = files.filter((file) => file.kind === 'file' && isWanted(file.path)).map((file) => file.path);
    const found = new CappedLines(cap);
    const end = await searchFiles({ isMatch, ref, paths: paths.slice(0, maxFiles), found }, context);
    if (end !== null) found.notice(end);
    else if (isCut || paths.length > maxFiles)
      found.notice(`only the first ${maxFiles} files were searched; ${advice}`);
    return found.count === 0 && end === null ? '[nothing found]' : found.toString();
  },
});

interface Search {
  readonly isMatch: (line: string) => boolean;
  readonly ref: Ref;
  readonly paths: readonly string[];
  readonly found: CappedLines;
}

/** Why the search ended before all was searched, or null. */
async function searchFiles(
  { isMatch, ref, paths, found }: Search,
  { workspace, clock, signal }: ToolContext,
): Promise<string | null> {
  const endMs = clock.monotonicMs() + timeMs;
  let chars = 0;
  for await (const { path, lines } of workspace.readTexts(ref, paths, signal)) {
    for (const [index, line] of lines.entries()) {
      chars += line.length + 1;
      if (index % linesPerLook === 0 && clock.monotonicMs() > endMs) return `the search took too long; ${advice}`;
      if (!isMatch(line.slice(0, maxLineChars))) continue;
      const isRoom = found.add(`${visibleLine(path)}:${index + 1}:${visibleLine(line.slice(0, maxLineChars))}`);
      if (!isRoom) return `more was found than can be shown; ${advice}`;
    }
    if (chars > maxChars) return `there is more text than one search may read; ${advice}`;
  }
  return null;
}

function compilePattern(pattern: string): (line: string) => boolean {
  try {
    const regex = RE2JS.compile(pattern);
    return (line) => regex.test(line);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new ToolError('tool.bad_input', `Not run, the pattern is no RE2: ${error.message.slice(0, 200)}`);
  }
}
