import { z } from 'zod';

/** The operator's name for a configured forge instance, and the last part of its webhook's path. */
export const ForgeId = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'lower-case letters, digits and dashes');
export type ForgeId = z.infer<typeof ForgeId>;

/** A forge's numeric id, kept as text because it may pass 2^53. */
export const NumericId = z.string().regex(/^[1-9]\d{0,19}$/);
export type NumericId = z.infer<typeof NumericId>;

/** A full commit id: 40 hex digits, or 64 in a SHA-256 repository. */
export const Sha = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
export type Sha = z.infer<typeof Sha>;

/** Which merge request: paths of projects change, these do not. */
export const MergeRequestRef = z.strictObject({ forge: ForgeId, projectId: NumericId, iid: z.int().min(1) });
export type MergeRequestRef = z.infer<typeof MergeRequestRef>;

/** Head: source branch tip. Base: merge base. Start: target branch tip when the diff was made. */
export const DiffRefs = z.strictObject({ baseSha: Sha, startSha: Sha, headSha: Sha });
export type DiffRefs = z.infer<typeof DiffRefs>;

const roles = ['none', 'guest', 'reporter', 'developer', 'maintainer', 'owner'] as const;

/** What a user may do in a project, weakest first. */
export const Role = z.enum(roles);
export type Role = z.infer<typeof Role>;

/** Whether `role` is `minimum` or more. */
export function hasRole(role: Role, minimum: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(minimum);
}

/** A forge's user as far as decisions need it. */
export const ForgeUser = z.strictObject({ id: NumericId, username: z.string(), isBot: z.boolean() });
export type ForgeUser = z.infer<typeof ForgeUser>;

/** Which state the last review of this merge request was left in, read from the bot's own summary note. */
export const ReviewedState = z.strictObject({
  headSha: Sha,
  baseSha: Sha,
  state: z.enum(['reviewing', 'done', 'partial', 'skipped', 'failed', 'over-budget']),
});
export type ReviewedState = z.infer<typeof ReviewedState>;

/** What is true of a merge request now, as the gateway read it from the forge. */
export const MergeRequest = z.strictObject({
  v: z.literal(1),
  ref: MergeRequestRef,
  projectPath: z.string(),
  webUrl: z.string(),
  title: z.string(),
  description: z.string(),
  state: z.enum(['opened', 'closed', 'merged', 'locked']),
  isDraft: z.boolean(),
  labels: z.array(z.string()),
  /** Our own bot is among its reviewers. */
  isReviewRequested: z.boolean(),
  author: ForgeUser,
  /** The author's role in the target project; asked only when the source is a fork, else null. */
  authorRole: Role.nullable(),
  sourceBranch: z.string(),
  targetBranch: z.string(),
  isFromFork: z.boolean(),
  /** Null: the source branch is empty or gone. */
  headSha: Sha.nullable(),
  /** Null: the forge has not prepared the newest version yet (some seconds after creation or push). */
  diffRefs: DiffRefs.nullable(),
  /** Null: never reviewed by us. */
  reviewed: ReviewedState.nullable(),
});
export type MergeRequest = z.infer<typeof MergeRequest>;
