import { TransientError, widenPlacement, type Placement } from '@drydock/core';
import type { CheckedFinding } from './check-findings.ts';
import { readOwnNotes } from './own-notes.ts';
import { renderComment } from './render-comment.ts';
import { assertWanted, findingMark, type Publisher } from './review-to-publish.ts';
import { writeAndLook } from './write-and-look.ts';

/** Gives where each finding was placed in the end; those with a thread from before are not among them. */
export async function postFindings(
  publisher: Publisher,
  standing: readonly CheckedFinding[],
  toPost: readonly CheckedFinding[],
): Promise<ReadonlyMap<string, Placement>> {
  const placed = new Map<string, Placement>();
  for (const finding of standing)
    if (finding.placement.kind === 'summary') placed.set(finding.identity, finding.placement);
  const { reach } = publisher.ports;
  for (const finding of toPost) {
    reach?.('publish.posting');
    placed.set(finding.identity, await post(publisher, finding));
    reach?.('publish.posted');
  }
  return placed;
}

/** Posts on the line, or wherever else the forge takes it. */
async function post(publisher: Publisher, finding: CheckedFinding): Promise<Placement> {
  const { log } = publisher.ports;
  const { iid, projectId } = publisher.review.mergeRequest.ref;
  let placement = finding.placement;
  while (placement.kind !== 'summary') {
    const outcome = await tryToPost(publisher, finding, placement);
    if (outcome.kind === 'created') return placement;
    log.warn({ projectId, iid, place: placement.kind, reason: outcome.why }, 'forge refused the place of a comment');
    placement = widenPlacement(placement);
  }
  return placement;
}

async function tryToPost(publisher: Publisher, finding: CheckedFinding, placement: Placement) {
  const { ports, review, signal, secrets } = publisher;
  const { ref } = review.mergeRequest;
  const body = `${renderComment({ ...finding, placement }, secrets)}\n\n${findingMark(publisher, finding)}`;
  try {
    return await writeAndLook(ports.clock, signal, {
      write: async () => {
        await assertWanted(publisher);
        return ports.forge.createThread(ref, { placement, refs: review.refs, body }, signal);
      },
      look: async () => {
        const { threads } = await readOwnNotes(ports, ref, signal);
        const found = threads.find(({ mark }) => mark.identity === finding.identity);
        return found === undefined ? null : { kind: 'created' as const, noteId: found.thread.note.id };
      },
    });
  } catch (error) {
    // Some positions make GitLab fail instead of refusing them. If it fails for the whole file as well, it is down.
    const isFailure = error instanceof TransientError && error.code === 'forge.unavailable';
    if (isFailure && placement.kind === 'inline') return { kind: 'refused' as const, why: error.message };
    throw error;
  }
}
