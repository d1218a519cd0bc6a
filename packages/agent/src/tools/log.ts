import { z } from 'zod';
import { readTextAsset } from '../read-text-asset.ts';
import { ToolPath } from '../workspace/repo-path.ts';
import type { LoggedCommit } from '../workspace/workspace.ts';
import { CappedLines } from './cap-text.ts';
import { defineTool } from './tool.ts';
import { visibleLine } from './visible-text.ts';

/** What happened before. */
export const log = defineTool({
  name: 'log',
  description: readTextAsset(new URL('log.md', import.meta.url)),
  input: z.strictObject({
    path: ToolPath.optional(),
    limit: z.int().min(1).max(100).default(20).describe('How many commits'),
  }),
  target: ({ path }) => path ?? '.',
  run: async ({ path, limit }, { workspace, signal }) => {
    const commits = await workspace.log(path ?? null, limit, signal);
    if (commits.length === 0) return '[no commit in the history that is here]';
    const lines = new CappedLines();
    for (const commit of commits) lines.add(`${commitColumns(commit)}\t${visibleLine(commit.subject)}`);
    return lines.toString();
  },
});

/** Short id, UTC date and author: what is shown of a commit. Names are the committer's word and prove nothing. */
export function commitColumns(facts: Omit<LoggedCommit, 'subject'>): string {
  const author = visibleLine(facts.author).slice(0, 100);
  return [facts.commit.slice(0, 12), utcDate(facts.authoredAtMs), author].join('\t');
}

/** A commit may claim any number as its time, also one that is no date. */
function utcDate(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString().slice(0, 10);
}
