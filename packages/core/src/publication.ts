import { z } from 'zod';
import { Category, Severity, Side } from './finding.ts';
import { Sha } from './merge-request.ts';
import { Verdict } from './policy.ts';
import { RunUsage } from './usage.ts';

/** What the summary note of a merge request tells. */
export const ReviewState = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('reviewing'), headSha: Sha, attempt: z.int().min(1) }),
  z.strictObject({ kind: z.literal('skipped'), headSha: Sha.nullable(), why: z.string().max(500) }),
  z.strictObject({
    kind: z.literal('failed'),
    headSha: Sha.nullable(),
    why: z.string().max(1000),
    willRetry: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('over-budget'), headSha: Sha.nullable(), why: z.string().max(500) }),
]);
export type ReviewState = z.infer<typeof ReviewState>;

/** A finding as it stands on the merge request. */
export const PublishedComment = z.strictObject({
  path: z.string(),
  side: Side,
  /** 1-based, inclusive. */
  startLine: z.int().min(1),
  /** 1-based, inclusive. */
  endLine: z.int().min(1),
  severity: Severity,
  category: Category,
  /** The Markdown that was posted, without its hidden marker. */
  body: z.string(),
  placement: z.enum(['inline', 'file', 'summary']),
  /** False: it stood there from an earlier review and was not repeated. */
  isNew: z.boolean(),
  /** Null for a finding in the summary. */
  url: z.string().nullable(),
});
export type PublishedComment = z.infer<typeof PublishedComment>;

/** What publishing a review came to. */
export const Publication = z.strictObject({
  v: z.literal(1),
  headSha: Sha,
  state: z.enum(['done', 'partial']),
  verdict: Verdict,
  comments: z.array(PublishedComment),
  /** Own threads that were resolved because their code is gone. */
  resolved: z.int().min(0),
  /** Findings not posted, by why: under the threshold, over the cap, not confirmed by the code, declined by a person … */
  heldBack: z.record(z.string(), z.int().min(0)),
  usage: RunUsage,
  summaryUrl: z.string().nullable(),
});
export type Publication = z.infer<typeof Publication>;
