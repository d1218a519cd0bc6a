/**
 * Suggested changes in comments, and what a file becomes when a person applies one.
 * @see https://docs.gitlab.com/user/project/merge_requests/reviews/suggestions/
 */
import type { GitLabNote } from './gitlab-state.ts';
import { parseMarkdown } from './markdown-blocks.ts';

/** One suggestion as written, relative to the line of its note. */
export interface SuggestionFence {
  readonly linesAbove: number;
  readonly linesBelow: number;
  /** The new lines; none deletes the old ones. */
  readonly lines: readonly string[];
}

/** A file after a suggestion was applied. */
export interface AppliedSuggestion {
  readonly path: string;
  /** 1-based, inclusive, in the file before. */
  readonly startLine: number;
  readonly endLine: number;
  readonly content: string;
}

const maxLines = 100;

/** The suggestions of a comment, in order. */
export function parseSuggestions(body: string): readonly SuggestionFence[] {
  return parseMarkdown(body.replaceAll('\r', ''))
    .filter((block) => block.kind === 'code' && block.info !== null)
    .flatMap((block) => {
      const range = /^suggestion(?::(?:-(\d+))?(?:\+(\d+))?)?$/.exec(block.info ?? '');
      if (range === null) return [];
      const lines = block.startLine + 1 === block.endLine ? [] : block.text.split('\n');
      return [{ linesAbove: Number(range[1] ?? 0), linesBelow: Number(range[2] ?? 0), lines }];
    });
}

/** Applies a suggestion of a note to its file; throws where GitLab has no button for it. */
export function applySuggestion(note: GitLabNote, fence: SuggestionFence, before: string): AppliedSuggestion {
  const { position } = note;
  const line = position?.new_line ?? null;
  const path = position?.new_path ?? null;
  if (line === null || path === null) throw new Error('a suggestion needs a line of the new side');
  if (note.isOutdated) throw new Error('the line of this suggestion is gone');
  if (fence.linesAbove > maxLines || fence.linesBelow > maxLines)
    throw new Error('a suggestion over 100 lines each way');
  const lines = before.split(/(?<=\n)/);
  const startLine = Math.max(1, line - fence.linesAbove);
  const endLine = line + fence.linesBelow;
  if (endLine > lines.length) throw new Error('a suggestion beyond the end of the file');
  // GitLab takes the last replaced line's ending, and knows the line feed alone between the new ones.
  const ending = /\r?\n?$/.exec(lines[endLine - 1] ?? '')?.[0] ?? '';
  const text = fence.lines.join('\n');
  const after = text.trim() === '' ? '' : text + ending;
  const content = [...lines.slice(0, startLine - 1), after, ...lines.slice(endLine)].join('');
  if (content === before) throw new Error('a suggestion that changes nothing');
  return { path, startLine, endLine, content };
}
