import type { Forge, ForgeThread } from '@drydock/forge';
import type { MergeRequestRef } from '@drydock/core';
import { readMark, readMarks, type FindingMark, type MarkerKeys, type SummaryMark } from './marker.ts';

/** A thread of ours and the finding it is about. */
export interface FindingThread {
  readonly thread: ForgeThread;
  readonly mark: FindingMark;
}

/** The note that tells the state, and the findings in it that have no thread. */
export interface SummaryNote {
  readonly thread: ForgeThread;
  readonly mark: SummaryMark;
  readonly findings: readonly FindingMark[];
}

/** What of ours stands on a merge request, oldest first. More than one of the same is a duplicate. */
export interface OwnNotes {
  readonly threads: readonly FindingThread[];
  readonly summaries: readonly SummaryNote[];
  /** Some of our own comments were signed with a key that we no longer have. */
  readonly hasUnreadable: boolean;
}

const anyMark = /<!-- drydock:finding:/;

/** Reads our own notes from the forge. What is not ours, or not signed by us, is not there. */
export async function readOwnNotes(
  ports: { readonly forge: Forge; readonly markerKeys: MarkerKeys },
  ref: MergeRequestRef,
  signal: AbortSignal,
): Promise<OwnNotes> {
  const found = [...(await ports.forge.listOwnThreads(ref, signal))].sort(byAge);
  const threads: FindingThread[] = [];
  const summaries: SummaryNote[] = [];
  let hasUnreadable = false;
  for (const thread of found) {
    const { body } = thread.note;
    const summary = readMark(ports.markerKeys, ref, 'summary', body);
    const mark = summary === null ? readMark(ports.markerKeys, ref, 'finding', body) : null;
    if (summary !== null) {
      const findings = readMarks(ports.markerKeys, ref, 'finding', body);
      summaries.push({ thread, mark: summary, findings });
    } else if (mark !== null) threads.push({ thread, mark });
    else hasUnreadable ||= anyMark.test(body);
  }
  return { threads, summaries, hasUnreadable };
}

/** Ids grow with time. */
function byAge(left: ForgeThread, right: ForgeThread): number {
  return Number(BigInt(left.note.id) - BigInt(right.note.id));
}
