/**
 * Makes a merge request show a review, whatever of it stands there already. The forge is the only memory: every call
 * begins by looking, writes what is missing, and reads back, so it may be repeated after any interruption and comes to
 * one comment for each finding.
 *
 *   check    launch and head are still wanted; before every write again
 *   look     own threads by marker
 *   judge    claims against the repository, and against what people turned down
 *   post     what is missing, by file and line: on the line, else the file, else in the summary
 *   tidy     read back, delete own duplicates, resolve threads whose code is gone, reopen what came back
 *   tell     the summary note, the commit status
 */
import { TransientError, type Publication } from '@drydock/core';
import type { CheckedFindings } from './check-findings.ts';
import { codeIsGone, type LinesOf } from './code-is-gone.ts';
import { judgeReview, readFiles, secretsOf } from './judge-review.ts';
import { readOwnNotes, type OwnNotes } from './own-notes.ts';
import { knowFindings, planThreads, type ThreadPlan } from './plan-threads.ts';
import { postFindings } from './post-findings.ts';
import type { PublishPorts } from './publish-ports.ts';
import { assertWanted, type ReviewToPublish } from './review-to-publish.ts';
import { tellReview } from './tell-review.ts';
import { tidyThreads } from './tidy-threads.ts';

/**
 * Publishes a review, once, however often it is called. Throws a `StaleError` when it is no longer wanted, and a
 * `TransientError` when something is not known or not whole yet: call again.
 */
export async function publishReview(
  ports: PublishPorts,
  review: ReviewToPublish,
  signal: AbortSignal,
): Promise<Publication> {
  const publisher = { ports, review, signal, writes: 0, secrets: secretsOf(review) };
  await assertWanted(publisher);
  const before = await readOwnNotes(ports, review.mergeRequest.ref, signal);
  const linesOf = await readFiles(review, before);
  const checked = judgeReview(review, before, linesOf);
  ports.reach?.('publish.begun');
  const placed = await postFindings(publisher, checked.standing, plan(review, checked, before, linesOf).toPost);

  const after = await readOwnNotes(ports, review.mergeRequest.ref, signal);
  const threads = plan(review, checked, after, linesOf);
  const unplaced = checked.standing.filter((finding) => placed.get(finding.identity)?.kind === 'summary');
  const missing = threads.toPost.filter((finding) => !unplaced.includes(finding));
  if (missing.length > 0)
    throw new TransientError('forge.bad_answer', `${missing.length} comments do not stand on the merge request yet`);
  const resolved = await tidyThreads(publisher, threads);
  ports.reach?.('publish.tidied');
  return tellReview(publisher, { checked, threads, unplaced, notes: after, resolved });
}

function plan({ diff }: ReviewToPublish, checked: CheckedFindings, notes: OwnNotes, linesOf: LinesOf): ThreadPlan {
  return planThreads({
    findings: checked.standing,
    known: knowFindings(notes),
    isGone: (mark) => codeIsGone(mark, diff, linesOf),
    pathIsGone: (path) => linesOf('new', path) === null,
  });
}
