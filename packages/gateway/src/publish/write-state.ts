import {
  unreachable,
  type MergeRequestRef,
  type ReviewPolicy,
  type StateRequest,
  type StateWritten,
} from '@drydock/core';
import type { CommitStatus } from '@drydock/forge';
import { putCommitStatus } from './commit-status.ts';
import type { SummaryMark } from './marker.ts';
import { readOwnNotes } from './own-notes.ts';
import type { PublishPorts } from './publish-ports.ts';
import { renderState } from './render-summary.ts';
import { putSummary, summaryText } from './summary-note.ts';

/**
 * Shows a state in the summary note and, where the policy wants it, as a commit status. `absent`: there is no note, and
 * none was asked for. Repeating it changes nothing.
 */
export async function writeState(
  ports: PublishPorts,
  ref: MergeRequestRef,
  { state, createNote, commitStatus }: StateRequest,
  policy: ReviewPolicy,
  signal: AbortSignal,
): Promise<StateWritten['kind']> {
  const notes = await readOwnNotes(ports, ref, signal);
  const current = notes.summaries[0];
  if (current === undefined && !createNote) return 'absent';
  if (current !== undefined && isWrongAbout(current.mark, state)) return 'unchanged';
  const baseSha = await baseOf(ports, ref, state.headSha, current?.mark ?? null, signal);
  const mark = { state: state.kind, headSha: state.headSha, baseSha, posted: current?.mark.posted ?? [] };
  const isReview = current?.mark.state === 'done' || current?.mark.state === 'partial';
  const body = current?.thread.note.body ?? null;
  const text = renderState(state, body === null ? null : summaryText(body), isReview);
  const isUnchanged = body !== null && summaryText(body) === text && isSameMark(current?.mark ?? null, mark);
  if (!isUnchanged || notes.summaries.length > 1) await putSummary(ports, ref, { notes, text, mark }, signal);
  ports.reach?.('state.written');
  if ((commitStatus ?? policy.commitStatus) && state.headSha !== null)
    await putCommitStatus(ports, ref, state.headSha, statusOf(state), signal);
  return isUnchanged ? 'unchanged' : 'written';
}

/** The merge base that goes with a head; the head itself while the forge has none: then a later base is a moved one. */
async function baseOf(
  { forge }: PublishPorts,
  ref: MergeRequestRef,
  headSha: string | null,
  before: SummaryMark | null,
  signal: AbortSignal,
): Promise<string | null> {
  if (headSha === null) return null;
  if (before?.headSha === headSha && before.baseSha !== null && before.baseSha !== headSha) return before.baseSha;
  const head = await forge.readHead(ref, signal);
  return head.headSha === headSha ? (head.diffRefs?.baseSha ?? headSha) : headSha;
}

/** Who did not hear that publishing went well takes it for a failure. It looks again, and need not be told. */
function isWrongAbout(mark: SummaryMark, state: StateRequest['state']): boolean {
  const isReviewed = (mark.state === 'done' || mark.state === 'partial') && mark.headSha === state.headSha;
  return isReviewed && state.kind === 'failed' && state.willRetry;
}

function isSameMark(left: SummaryMark | null, right: SummaryMark): boolean {
  return (
    left !== null &&
    JSON.stringify([left.state, left.headSha, left.baseSha]) ===
      JSON.stringify([right.state, right.headSha, right.baseSha])
  );
}

function statusOf(state: StateRequest['state']): Pick<CommitStatus, 'state' | 'description'> {
  switch (state.kind) {
    case 'reviewing':
      return { state: 'pending', description: 'Reviewing' };
    case 'skipped':
      return { state: 'success', description: `Skipped: ${state.why}` };
    case 'over-budget':
      return { state: 'failed', description: `Over budget: ${state.why}` };
    case 'failed':
      return { state: state.willRetry ? 'pending' : 'failed', description: `Failed: ${state.why}` };
    default:
      return unreachable(state);
  }
}
