import type { MergeRequestRef, NumericId } from '@drydock/core';
import { writeMark, type SummaryMark } from './marker.ts';
import { readOwnNotes, type OwnNotes } from './own-notes.ts';
import type { PublishPorts } from './publish-ports.ts';
import { writeAndLook } from './write-and-look.ts';

/**
 * Makes the summary note say this, whatever was there: edits the oldest, deletes others, creates one where there is
 * none. `notes` is what stands now.
 */
export async function putSummary(
  ports: PublishPorts,
  ref: MergeRequestRef,
  summary: { readonly notes: OwnNotes; readonly text: string; readonly mark: SummaryMark },
  signal: AbortSignal,
): Promise<NumericId> {
  const { forge, markerKeys, clock } = ports;
  const body = `${summary.text}\n\n${writeMark(markerKeys, ref, 'summary', summary.mark)}`;
  const [oldest, ...others] = summary.notes.summaries;
  for (const { thread } of others) if (!thread.hasReplies) await removeNote(ports, ref, thread.note.id, signal);
  const findWritten = async () => {
    const { summaries } = await readOwnNotes(ports, ref, signal);
    return summaries.find(({ thread }) => isSameBody(thread.note.body, body))?.thread.note.id ?? null;
  };
  if (oldest !== undefined && isSameBody(oldest.thread.note.body, body)) return oldest.thread.note.id;
  if (oldest === undefined)
    return writeAndLook(clock, signal, { write: () => forge.createNote(ref, body, signal), look: findWritten });
  return writeAndLook(clock, signal, {
    write: async () => {
      await forge.editNote(ref, oldest.thread.note.id, body, signal);
      return oldest.thread.note.id;
    },
    look: findWritten,
  });
}

async function removeNote(
  ports: PublishPorts,
  ref: MergeRequestRef,
  noteId: NumericId,
  signal: AbortSignal,
): Promise<void> {
  await writeAndLook(ports.clock, signal, {
    write: async () => {
      await ports.forge.deleteNote(ref, noteId, signal);
      return true;
    },
    look: async () => {
      const { summaries } = await readOwnNotes(ports, ref, signal);
      return summaries.some(({ thread }) => thread.note.id === noteId) ? null : true;
    },
  });
}

/** The text of a summary note as people read it, with the markers of the findings in it kept. */
export function summaryText(body: string): string {
  return body.replace(/\n*<!-- drydock:summary:[^>]*-->\s*$/, '').trimEnd();
}

/** Forges cut white space at the end. */
function isSameBody(left: string, right: string): boolean {
  return left.trim() === right.trim();
}
