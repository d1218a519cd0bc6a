import type { NumericId, Side } from '@drydock/core';
import type { ForgeThread, ThreadPlace } from './forge.ts';
import type { GitLabDiscussion } from './gitlab-schema.ts';

type Note = GitLabDiscussion['notes'][number];
type Position = NonNullable<Note['position']>;

/** A discussion that `selfId` began; null for any other one, whatever its text says. */
export function toForgeThread(discussion: GitLabDiscussion, selfId: NumericId): ForgeThread | null {
  const [note, ...replies] = discussion.notes;
  if (note === undefined || note.system || note.author.id !== selfId) return null;
  const isResolved = note.resolvable === true && note.resolved === true;
  return {
    id: discussion.id,
    note: { id: note.id, body: note.body },
    hasReplies: replies.some((reply) => !reply.system && reply.author.id !== selfId),
    isResolved,
    resolvedBy: isResolved ? (note.resolved_by?.id === selfId ? 'us' : 'others') : null,
    place: placeOf(note.position ?? null),
  };
}

function placeOf(position: Position | null): ThreadPlace | null {
  if (position === null) return null;
  const { old_path, new_path, old_line, new_line, line_range } = position;
  const path = new_path ?? old_path;
  if (typeof path !== 'string') return null;
  if (position.position_type === 'file') return { kind: 'file', path };
  const side: Side = typeof new_line === 'number' ? 'new' : 'old';
  const endLine = side === 'new' ? new_line : old_line;
  if (typeof endLine !== 'number') return null;
  const start = line_range?.start;
  const startLine = (side === 'new' ? start?.new_line : start?.old_line) ?? endLine;
  return {
    kind: 'inline',
    path: side === 'old' ? (old_path ?? path) : path,
    side,
    startLine: Math.min(startLine, endLine),
    endLine,
  };
}
