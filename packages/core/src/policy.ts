import { z } from 'zod';
import { Category, Severity, compareSeverity } from './finding.ts';
import { Role } from './merge-request.ts';

const Budget = z.strictObject({
  usdPerRun: z.number().positive().default(2).describe('Money one attempt may cost, for models with a known price'),
  usdPerDay: z.number().positive().default(50).describe('Money all attempts of a UTC day may cost together'),
  tokensPerRun: z.int().positive().default(3_000_000).describe('Tokens of all kinds one attempt may use'),
  tokensPerDay: z.int().positive().default(100_000_000).describe('Tokens of all kinds a UTC day may use'),
  maxTurns: z.int().positive().default(40).describe('Model replies in one attempt'),
  maxOutputTokensPerTurn: z.int().positive().default(16_000).describe('Cap on one model reply'),
  deadlineSeconds: z.int().min(10).default(900).describe('Time one attempt may take'),
});

/** What the operator allows. `.drydock.yaml` of the target branch can only narrow it. */
export const ReviewPolicy = z.strictObject({
  v: z.literal(1).default(1),
  enabled: z.boolean().default(true).describe('Review at all'),
  drafts: z.enum(['skip', 'review']).default('skip').describe('What to do with draft merge requests'),
  skipLabels: z
    .array(z.string())
    .default(['drydock:skip'])
    .describe('A merge request with one of these labels is left alone'),
  triggerLabels: z
    .array(z.string())
    .default(['drydock:review'])
    .describe('Adding one of these labels asks for a review, also of a draft or a fork'),
  botAuthors: z
    .array(z.string())
    .default([])
    .describe('User names of bots whose merge requests are reviewed; other bots are skipped'),
  forks: z
    .enum(['members', 'review', 'skip'])
    .default('members')
    .describe('Merge requests from forks: only those of members with the command role, all, or none'),
  commandRole: Role.default('developer').describe('Least role of who may start a review by comment'),
  minSeverity: Severity.default('low').describe('Milder findings are held back and counted in the summary'),
  minConfidence: z
    .number()
    .min(0)
    .max(1)
    .default(0.4)
    .describe('Less certain findings are held back and counted in the summary'),
  maxComments: z
    .int()
    .min(0)
    .max(200)
    .default(20)
    .describe('Comments one review may post; the rest is held back and counted'),
  severityCaps: z
    .partialRecord(Category, Severity)
    .default({ documentation: 'low', maintainability: 'medium' })
    .describe('Highest severity a category may reach'),
  blockAt: Severity.nullable()
    .default(null)
    .describe('Findings of this severity or worse give the verdict "block"; null: never'),
  commitStatus: z.boolean().default(false).describe('Report the verdict as a commit status'),
  suggestions: z.boolean().default(true).describe('Offer replacement code'),
  resolveFixed: z.boolean().default(true).describe('Resolve own threads whose code is gone'),
  ignorePaths: z.array(z.string()).default([]).describe('Globs of files that are not reviewed'),
  onlyPaths: z.array(z.string()).default([]).describe('Globs of the only files that are reviewed; empty: all'),
  maxFiles: z
    .int()
    .positive()
    .default(300)
    .describe('Changed files one review looks at; the rest is left out and said so'),
  maxChangedLines: z
    .int()
    .positive()
    .default(20_000)
    .describe('Changed lines one review looks at; the rest is left out and said so'),
  model: z.string().default('claude-sonnet-5-5').describe('The model that reviews'),
  fallbackModels: z
    .array(z.string())
    .default([])
    .describe('Other models that the gateway lets an agent ask, the preferred first'),
  budget: Budget.prefault({}),
});
export type ReviewPolicy = z.infer<typeof ReviewPolicy>;

/** `.drydock.yaml` in the root of the target branch. Every key can only make a review smaller. */
export const RepositoryConfig = z.strictObject({
  v: z.literal(1).default(1),
  enabled: z.boolean().optional().describe('false switches reviews of this repository off'),
  drafts: z.literal('skip').optional(),
  skipLabels: z.array(z.string()).max(50).optional().describe('Further labels that switch the review off'),
  minSeverity: Severity.optional().describe('Raises the threshold'),
  minConfidence: z.number().min(0).max(1).optional().describe('Raises the threshold'),
  maxComments: z.int().min(0).optional().describe('Lowers the cap'),
  suggestions: z.literal(false).optional(),
  ignorePaths: z.array(z.string().max(500)).max(200).optional().describe('Further globs that are not reviewed'),
  maxUsdPerRun: z.number().positive().optional().describe('Lowers the budget'),
  failOn: Severity.optional().describe('Findings of this severity or worse fail `drydock review`'),
});
export type RepositoryConfig = z.infer<typeof RepositoryConfig>;

/** The policy with the repository's wishes applied, none of which can widen it. `failOn` is the command line's alone. */
export function narrowPolicy(policy: ReviewPolicy, wishes: RepositoryConfig): ReviewPolicy {
  const raised = wishes.minSeverity;
  return {
    ...policy,
    enabled: policy.enabled && wishes.enabled !== false,
    drafts: wishes.drafts ?? policy.drafts,
    skipLabels: [...policy.skipLabels, ...(wishes.skipLabels ?? [])],
    minSeverity: raised !== undefined && compareSeverity(raised, policy.minSeverity) > 0 ? raised : policy.minSeverity,
    minConfidence: Math.max(policy.minConfidence, wishes.minConfidence ?? 0),
    maxComments: Math.min(policy.maxComments, wishes.maxComments ?? policy.maxComments),
    suggestions: policy.suggestions && wishes.suggestions !== false,
    ignorePaths: [...policy.ignorePaths, ...(wishes.ignorePaths ?? [])],
    budget: {
      ...policy.budget,
      usdPerRun: Math.min(policy.budget.usdPerRun, wishes.maxUsdPerRun ?? policy.budget.usdPerRun),
    },
  };
}

/** What a review says as a whole. Computed from severities, never by the model. */
export const Verdict = z.enum(['clean', 'comment', 'block']);
export type Verdict = z.infer<typeof Verdict>;

/** The verdict over the findings that stand. */
export function verdictOf(severities: readonly Severity[], blockAt: Severity | null): Verdict {
  if (severities.length === 0) return 'clean';
  return blockAt !== null && severities.some((severity) => compareSeverity(severity, blockAt) >= 0)
    ? 'block'
    : 'comment';
}
