import type { MergeRequestRef, ReviewedState } from '@drydock/core';
import { readOwnNotes } from './own-notes.ts';
import type { PublishPorts } from './publish-ports.ts';

/** The state that our summary note tells. Null: there is none, or it is about no commit. */
export async function readReviewed(
  ports: Pick<PublishPorts, 'forge' | 'markerKeys'>,
  ref: MergeRequestRef,
  signal: AbortSignal,
): Promise<ReviewedState | null> {
  const { summaries } = await readOwnNotes(ports, ref, signal);
  const mark = summaries[0]?.mark;
  if (mark === undefined || mark.headSha === null || mark.baseSha === null) return null;
  return { headSha: mark.headSha, baseSha: mark.baseSha, state: mark.state };
}
