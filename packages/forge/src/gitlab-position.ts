import { createHash } from 'node:crypto';
import { type DiffPoint, type DiffRefs, type Placement, unreachable } from '@drydock/core';

/** One end of a comment over several lines. */
interface GitLabRangeEnd {
  readonly line_code: string;
  readonly type: 'new' | 'old';
  readonly old_line: number | null;
  readonly new_line: number | null;
}

/** Where GitLab is to put a diff note, in the words and types of its JSON schema, which refuses any other key. */
export interface GitLabPosition {
  readonly position_type: 'text' | 'file';
  readonly base_sha: string;
  readonly start_sha: string;
  readonly head_sha: string;
  /** Both paths always, also of new and deleted files, where they are the same. */
  readonly old_path: string;
  readonly new_path: string;
  /** 1-based. An added line has only the new number, a removed one only the old, an unchanged one needs both. */
  readonly old_line?: number;
  readonly new_line?: number;
  readonly line_range?: { readonly start: GitLabRangeEnd; readonly end: GitLabRangeEnd };
}

/**
 * GitLab's position of a placement; a comment over several lines stands on the last. `refs` are those of the merge
 * request's version, never computed.
 *
 * @see https://docs.gitlab.com/api/discussions/#create-a-new-thread-in-the-merge-request-diff
 */
export function toGitLabPosition(placement: Exclude<Placement, { kind: 'summary' }>, refs: DiffRefs): GitLabPosition {
  const { oldPath, newPath, kind } = placement;
  const place = {
    base_sha: refs.baseSha,
    start_sha: refs.startSha,
    head_sha: refs.headSha,
    old_path: oldPath,
    new_path: newPath,
  };
  switch (kind) {
    case 'file':
      return { position_type: 'file', ...place };
    case 'inline': {
      const { start, end } = placement;
      const numbers = {
        ...(end.oldLine === null ? {} : { old_line: end.oldLine }),
        ...(end.newLine === null ? {} : { new_line: end.newLine }),
      };
      if (isSameRow(start, end)) return { position_type: 'text', ...place, ...numbers };
      const range = { start: rangeEnd(newPath, start), end: rangeEnd(newPath, end) };
      return { position_type: 'text', ...place, ...numbers, line_range: range };
    }
    default:
      return unreachable(kind);
  }
}

/**
 * GitLab's name of a diff row: the hash of the file's path and both counters, of which one is the next line's on rows
 * that stand on one side only.
 */
export function lineCode(newPath: string, point: Pick<DiffPoint, 'oldCounter' | 'newCounter'>): string {
  const pathHash = createHash('sha1').update(newPath).digest('hex');
  return `${pathHash}_${point.oldCounter}_${point.newCounter}`;
}

function rangeEnd(newPath: string, point: DiffPoint): GitLabRangeEnd {
  return {
    line_code: lineCode(newPath, point),
    type: point.kind === 'added' ? 'new' : 'old',
    old_line: point.oldLine,
    new_line: point.newLine,
  };
}

function isSameRow(left: DiffPoint, right: DiffPoint): boolean {
  return left.oldCounter === right.oldCounter && left.newCounter === right.newCounter;
}
