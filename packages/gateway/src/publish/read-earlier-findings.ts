import type { EarlierFinding, MergeRequestRef } from '@drydock/core';
import { readOwnNotes } from './own-notes.ts';
import type { PublishPorts } from './publish-ports.ts';

const maxFindings = 500;

/** What we said before about this merge request, newest first, so that an agent does not say it again. */
export async function readEarlierFindings(
  ports: Pick<PublishPorts, 'forge' | 'markerKeys'>,
  ref: MergeRequestRef,
  signal: AbortSignal,
): Promise<EarlierFinding[]> {
  const { threads, summaries } = await readOwnNotes(ports, ref, signal);
  const inThreads = threads.map(({ thread, mark: { path, side, severity, category, title } }) => {
    const line = thread.place?.kind === 'inline' ? thread.place.endLine : null;
    return { path, side, line, severity, category, title, isResolved: thread.isResolved };
  });
  const inSummary = (summaries[0]?.findings ?? []).map(({ path, side, severity, category, title }) => {
    return { path, side, line: null, severity, category, title, isResolved: false };
  });
  return [...inSummary, ...inThreads.reverse()].slice(0, maxFindings);
}
