import { z } from 'zod';
import { Finding } from './finding.ts';
import { Sha } from './merge-request.ts';

/** A changed file that the review did not look at, or not wholly, and why. */
export const NotRead = z.strictObject({ path: z.string().max(4096), why: z.string().max(300) });
export type NotRead = z.infer<typeof NotRead>;

/** What an agent hands in at the end of a review: claims, to be checked again. */
export const ReviewResult = z.strictObject({
  kind: z.literal('review'),
  headSha: Sha,
  /** Null: everything that was to be read was read. Else why the review is partial. */
  partial: z.string().max(500).nullable(),
  /** What ended it early, such as `budget.run_spent`; null: nothing did. */
  partialCode: z.string().max(100).nullable().default(null),
  summary: z.string().max(8000),
  findings: z.array(Finding).max(500),
  /** Changed files in all, those left out included. */
  changedFiles: z.int().min(0),
  notRead: z.array(NotRead).max(2000),
  turns: z.int().min(0),
  /** Milliseconds by stage: checkout, diff, review, submit … */
  stagesMs: z.record(z.string(), z.number().min(0)),
});
export type ReviewResult = z.infer<typeof ReviewResult>;

/** An attempt that could not review. `class` says what to do about it, as the error classes do. */
export const FailedResult = z.strictObject({
  kind: z.literal('failed'),
  class: z.enum(['transient', 'terminal', 'blocked']),
  code: z.string().max(100),
  /** For the summary note: no code, no model text, no secret. */
  message: z.string().max(1000),
  retryAfterMs: z.int().min(0).nullable(),
});
export type FailedResult = z.infer<typeof FailedResult>;

/** The one result of an attempt. Stored before it is answered; the same result again gets the same answer, another one 409. */
export const AgentResult = z.strictObject({
  v: z.literal(1),
  result: z.discriminatedUnion('kind', [ReviewResult, FailedResult]),
});
export type AgentResult = z.infer<typeof AgentResult>;
