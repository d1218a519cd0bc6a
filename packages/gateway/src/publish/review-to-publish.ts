import type { DiffRefs, FileDiff, MergeRequest, ReviewPolicy, ReviewResult, RunUsage, Side } from '@drydock/core';
import type { CheckedFinding } from './check-findings.ts';
import { writeMark } from './marker.ts';
import { assertHead, type PublishPorts } from './publish-ports.ts';
import { redactSecrets } from './redact-secrets.ts';

/** A review as an agent handed it in, and all that it is checked against. */
export interface ReviewToPublish {
  readonly mergeRequest: MergeRequest;
  /** Of the version that was reviewed. */
  readonly refs: DiffRefs;
  readonly diff: readonly FileDiff[];
  /** Lines of a file at the head or the merge base, without line feeds; null: not there, or no text. */
  readonly readLines: (side: Side, path: string) => Promise<readonly string[] | null>;
  readonly result: ReviewResult;
  readonly policy: ReviewPolicy;
  readonly usage: RunUsage;
  /** The launch, 1-based. */
  readonly attempt: number;
  /** Throws a `StaleError` once another launch has taken over. */
  readonly assertCurrent: () => Promise<void>;
}

/** The head is asked for again after so many comments. */
const headCheckEvery = 10;

/** One call of publishing. */
export interface Publisher {
  readonly ports: PublishPorts;
  readonly review: ReviewToPublish;
  readonly signal: AbortSignal;
  readonly secrets: readonly string[];
  writes: number;
}

/** Before each write: another launch or a new head may have come since the last one. */
export async function assertWanted(publisher: Publisher): Promise<void> {
  const { ports, review, signal } = publisher;
  await review.assertCurrent();
  if (publisher.writes % headCheckEvery === 0) {
    const { ref } = review.mergeRequest;
    const { isDiffCut } = await assertHead(ports.forge, ref, review.refs.headSha, signal);
    if (isDiffCut && publisher.writes === 0)
      ports.log.warn(
        { forge: ref.forge, projectId: ref.projectId, iid: ref.iid },
        'forge shows only a part of the diff',
      );
  }
  publisher.writes += 1;
}

/** The marker of a finding that this review publishes. */
export function findingMark({ ports, review, secrets }: Publisher, checked: CheckedFinding): string {
  const { finding, identity, path, codeHash, codeLines } = checked;
  const { category, severity, side } = finding;
  const title = redactSecrets(finding.title, secrets);
  const origin = { headSha: review.refs.headSha, attempt: review.attempt };
  const mark = { identity, path, side, category, severity, title, codeHash, codeLines, ...origin };
  return writeMark(ports.markerKeys, review.mergeRequest.ref, 'finding', mark);
}
