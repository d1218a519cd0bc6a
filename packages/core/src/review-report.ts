import { z } from 'zod';
import { NotRead } from './agent-result.ts';
import { Category, RepoPath, Severity, Side } from './finding.ts';
import { DiffRefs } from './merge-request.ts';
import { Verdict } from './policy.ts';
import { RunUsage } from './usage.ts';

/**
 * A finding that stands: its code was found in the repository. Its words come from a model that read untrusted text:
 * secrets and invisible characters are taken out, but Markdown, HTML and the like in it are not made harmless.
 */
export const ReportedFinding = z.strictObject({
  /** The same for the same finding in the next review, also when lines moved above it. Hex. */
  identity: z.string().regex(/^[0-9a-f]{16,64}$/),
  /** On the finding's own side. */
  path: RepoPath,
  side: Side,
  /** 1-based, inclusive. */
  startLine: z.int().min(1),
  /** 1-based, inclusive, not before `startLine`. */
  endLine: z.int().min(1),
  severity: Severity,
  category: Category,
  /** 0 to 1. */
  confidence: z.number().min(0).max(1),
  title: z.string(),
  /** Paragraphs, lists, `code`, fences and **bold** of Markdown. */
  reason: z.string(),
  /** Replaces exactly those lines; no lines: they are deleted; null: none, or none that may be applied unseen. */
  suggestion: z.array(z.string()).nullable(),
  /** Null: found by the model. */
  rule: z.string().nullable(),
  /** Where a forge would show it: on its lines, on its file, or only in the summary. */
  placement: z.enum(['inline', 'file', 'summary']),
  /** The lines and some around them, of the finding's side, secrets taken out. No lines: a binary or empty file. */
  code: z.strictObject({ startLine: z.int().min(1), lines: z.array(z.string()) }),
  /** False: it stands on the merge request already. */
  isNew: z.boolean(),
});
export type ReportedFinding = z.infer<typeof ReportedFinding>;

/** A review as data, for whoever prints it: checked against the repository and the policy, as it would be published. */
export const ReviewReport = z.strictObject({
  v: z.literal(1),
  change: z.strictObject({
    kind: z.enum(['local', 'merge-request']),
    title: z.string(),
    projectPath: z.string(),
    sourceBranch: z.string(),
    targetBranch: z.string(),
    /** Null: it stands on no forge. */
    webUrl: z.string().nullable(),
    /** All zeros: there was nothing to compare. */
    diffRefs: DiffRefs,
  }),
  model: z.string(),
  /** Null: everything that was to be read was read. `code`: what ended it early, such as `budget.run_spent`; null: nothing did. */
  partial: z.strictObject({ why: z.string(), code: z.string().nullable() }).nullable(),
  verdict: Verdict,
  /** Findings this bad fail the review, by the repository's configuration or else the policy; null: none does. */
  failOn: Severity.nullable(),
  /** What the model says of the change as a whole. May be empty. */
  overview: z.string(),
  /** Worst and surest first. */
  findings: z.array(ReportedFinding),
  /** Findings that are not in `findings`, by why: below the threshold, over the cap, not confirmed by the code … */
  heldBack: z.record(z.string(), z.int().min(0)),
  /** Changed files in all, those left out included. */
  changedFiles: z.int().min(0),
  notRead: z.array(NotRead),
  turns: z.int().min(0),
  usage: RunUsage,
});
export type ReviewReport = z.infer<typeof ReviewReport>;
