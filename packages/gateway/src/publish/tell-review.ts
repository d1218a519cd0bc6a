import { verdictOf, type Publication, type PublishedComment } from '@drydock/core';
import type { CheckedFinding, CheckedFindings } from './check-findings.ts';
import { putCommitStatus } from './commit-status.ts';
import { shortIdentity, withoutMarks } from './marker.ts';
import type { FindingThread, OwnNotes } from './own-notes.ts';
import type { ThreadPlan } from './plan-threads.ts';
import { lineReference, renderInSummary } from './render-comment.ts';
import { renderReview, type SummaryRow } from './render-summary.ts';
import { assertWanted, findingMark, type Publisher } from './review-to-publish.ts';
import { putSummary } from './summary-note.ts';

/** What publishing came to, threads included. */
export interface Outcome {
  readonly checked: CheckedFindings;
  readonly threads: ThreadPlan;
  readonly unplaced: readonly CheckedFinding[];
  readonly notes: OwnNotes;
  readonly resolved: number;
}

/** A finding as it stands, with what the table needs to show of it. */
interface StandingComment {
  readonly comment: PublishedComment;
  readonly title: string;
}

/** Says it as a whole: the summary note, the commit status, and the answer to whoever asked for publishing. */
export async function tellReview(publisher: Publisher, outcome: Outcome): Promise<Publication> {
  const { ports, review, signal, secrets } = publisher;
  const { mergeRequest, refs, policy, result, attempt, usage } = review;
  const { checked, threads, unplaced, notes } = outcome;
  const standing = [
    ...threads.standing.map((entry) => standingComment(publisher, entry.checked, entry.thread)),
    ...unplaced.map((finding) => summaryComment(publisher, finding)),
    ...threads.stillOpen.map((thread) => earlierComment(publisher, thread)),
  ];
  const verdict = verdictOf(
    [...checked.severities, ...threads.stillOpen.map(({ mark }) => mark.severity)],
    policy.blockAt,
  );
  const state = result.partial === null ? ('done' as const) : ('partial' as const);
  const text = renderReview({
    headSha: refs.headSha,
    attempt,
    verdict,
    rows: standing.map(toRow),
    sections: unplaced.map((finding) => `${renderInSummary(finding, secrets)}\n\n${findingMark(publisher, finding)}`),
    fixed: threads.fixed,
    heldBack: checked.heldBack,
    overview: result.summary,
    partial: result.partial,
    changedFiles: result.changedFiles,
    notRead: result.notRead,
    turns: result.turns,
    usage,
    secrets,
  });
  await assertWanted(publisher);
  const mark = { state, headSha: refs.headSha, baseSha: refs.baseSha, posted: postedOf(notes) };
  const summaryId = await putSummary(ports, mergeRequest.ref, { notes, text, mark }, signal);
  ports.reach?.('publish.summary-written');
  if (policy.commitStatus) {
    const status = {
      state: verdict === 'block' ? ('failed' as const) : ('success' as const),
      description: headlineOf(standing),
    };
    await putCommitStatus(ports, mergeRequest.ref, refs.headSha, status, signal);
  }
  return {
    v: 1,
    headSha: refs.headSha,
    state,
    verdict,
    comments: standing.map(({ comment }) => comment),
    resolved: outcome.resolved,
    heldBack: { ...checked.heldBack },
    usage,
    summaryUrl: ports.forge.noteUrl(mergeRequest.webUrl, summaryId),
  };
}

/** Everything that ever had a thread, as far as the note remembers. */
function postedOf({ threads, summaries }: OwnNotes): string[] {
  const before = summaries.flatMap(({ mark }) => mark.posted);
  return [...new Set([...before, ...threads.map(({ mark }) => shortIdentity(mark.identity))])].slice(-2000);
}

function standingComment(publisher: Publisher, checked: CheckedFinding, found: FindingThread): StandingComment {
  const { review } = publisher;
  const { finding, path } = checked;
  const { side, startLine, endLine, severity, category } = finding;
  const isNew = found.mark.headSha === review.refs.headSha && found.mark.attempt === review.attempt;
  const body = withoutMarks(found.thread.note.body);
  const placement = found.thread.place?.kind ?? 'summary';
  const url = urlOf(publisher, found);
  return {
    comment: { path, side, startLine, endLine, severity, category, body, placement, isNew, url },
    title: finding.title,
  };
}

function summaryComment({ secrets }: Publisher, checked: CheckedFinding): StandingComment {
  const { finding, path } = checked;
  const { side, startLine, endLine, severity, category, title } = finding;
  const body = renderInSummary(checked, secrets);
  const at = { path, side, startLine, endLine };
  return { comment: { ...at, severity, category, body, placement: 'summary', isNew: true, url: null }, title };
}

/** Not found again, but neither gone nor turned down. */
function earlierComment(publisher: Publisher, found: FindingThread): StandingComment {
  const { mark, thread } = found;
  const { path, side, severity, category, title } = mark;
  const inline = thread.place?.kind === 'inline' ? thread.place : { startLine: 1, endLine: 1 };
  const body = withoutMarks(thread.note.body);
  const placement = thread.place?.kind ?? 'summary';
  const at = { path, side, startLine: inline.startLine, endLine: inline.endLine };
  const url = urlOf(publisher, found);
  return { comment: { ...at, severity, category, body, placement, isNew: false, url }, title };
}

function urlOf({ ports, review }: Publisher, { thread }: FindingThread): string {
  return ports.forge.noteUrl(review.mergeRequest.webUrl, thread.note.id);
}

function toRow({ comment, title }: StandingComment): SummaryRow {
  const { severity, path, startLine, endLine, placement, url, isNew } = comment;
  const where = placement === 'file' ? path : lineReference(path, startLine, endLine);
  return { severity, where, title, url, isEarlier: !isNew };
}

function headlineOf(standing: readonly StandingComment[]): string {
  return standing.length === 0 ? 'No findings' : `${standing.length} finding${standing.length === 1 ? '' : 's'}`;
}
