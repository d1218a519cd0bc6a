/**
 * Decides what to do about a merge request from what is true now. The event that woke us only counts where a person
 * asked for a review; else the state of the merge request does, so lost, late and repeated events do no harm.
 *
 * | what is true                                            | decision                      |
 * | ------------------------------------------------------- | ----------------------------- |
 * | its project, as the forge names it, is not on the list  | skip `project-not-allowed`    |
 * | closed, merged, locked                                  | skip `closed`                 |
 * | switched off by policy; no commits                      | skip                          |
 * | a person with the role asked (comment, reviewer, CLI)   | run, whatever follows         |
 * | a label that says no                                    | skip `label`                  |
 * | a label that asks                                       | draft, bot and fork do not count |
 * | draft; author is a bot; fork of a stranger              | skip                          |
 * | this head was reviewed and its base did not move        | skip `head-already-reviewed`  |
 * | our note of it is gone, but the ledger has it as done   | skip `head-already-reviewed`  |
 * | what makes the review due is not one of the triggers    | skip `trigger-off`            |
 * | anything else                                           | run                           |
 *
 * A run waits while the forge has not prepared the diff of the newest head.
 */
import {
  hasRole,
  unreachable,
  type Command,
  type Member,
  type MergeRequest,
  type ProjectAllowList,
  type ReviewPolicy,
  type Sha,
  type Trigger,
} from '@drydock/core';
import type { PolicyTrigger } from '@drydock/policy';

/** What the decision is made from. */
export interface ReviewFacts {
  readonly trigger: Trigger;
  readonly command: Command | null;
  /** Who gave the command, as the forge tells it now; null without a command. */
  readonly commander: Member | null;
  readonly mergeRequest: MergeRequest;
  /** The head whose review ended well last, by the ledger; null: none that it remembers. */
  readonly doneHeadSha: Sha | null;
  readonly policy: ReviewPolicy;
  /** What may make a review begin. */
  readonly triggers: readonly PolicyTrigger[];
  readonly isProjectAllowed: ProjectAllowList;
  /** How long the task has waited. */
  readonly ageMs: number;
}

/** Why a review is run. */
export type RunReason =
  'commanded' | 'review-requested' | 'first-review' | 'new-head' | 'base-moved' | 'not-finished-before';

/** Why there is none. */
export type SkipReason =
  | 'project-not-allowed'
  | 'closed'
  | 'switched-off'
  | 'no-commits'
  | 'label'
  | 'draft'
  | 'bot-author'
  | 'fork'
  | 'head-already-reviewed'
  | 'trigger-off'
  | 'command-not-allowed';

/**
 * `announce`: whether a note that stands already is edited to say so (`edit`), or one is written (`create`): only for
 * who may give orders, so that no stranger makes the bot speak. `isOverdue`: so long that it should count as a fault.
 */
export type Decision =
  | { readonly kind: 'run'; readonly reason: RunReason }
  | {
      readonly kind: 'wait';
      readonly reason: 'diff-not-prepared';
      readonly delayMs: number;
      readonly isOverdue: boolean;
    }
  | { readonly kind: 'skip'; readonly reason: SkipReason; readonly announce: 'silent' | 'edit' | 'create' };

const longestDiffDelayMs = 30_000;
const overdueDiffMs = 30 * 60_000;

/** The decision for one merge request. A skip is not told where the review of this very head stands already. */
export function decideReview(facts: ReviewFacts): Decision {
  const decision = decide(facts);
  return decision.kind === 'skip' && isReviewed(facts.mergeRequest) ? { ...decision, announce: 'silent' } : decision;
}

function decide(facts: ReviewFacts): Decision {
  const { mergeRequest, policy } = facts;
  const { projectId } = mergeRequest.ref;
  if (!facts.isProjectAllowed(projectId, mergeRequest.projectPath)) {
    return { kind: 'skip', reason: 'project-not-allowed', announce: 'silent' };
  }
  const order = orderOf(facts);
  const announce = order === null ? 'edit' : 'create';
  if (mergeRequest.state !== 'opened') return { kind: 'skip', reason: 'closed', announce };
  if (!policy.enabled) return { kind: 'skip', reason: 'switched-off', announce: order === null ? 'silent' : 'create' };
  if (mergeRequest.headSha === null) return { kind: 'skip', reason: 'no-commits', announce };
  if (order !== null) return runOnceDiffed(facts, order);

  const objection = objectionOf(mergeRequest, policy);
  if (objection !== null) return objection;

  const reason = reasonToRun(facts);
  if (reason !== null && !isTrigger(reason, facts)) return { kind: 'skip', reason: 'trigger-off', announce: 'silent' };
  if (reason !== null) return runOnceDiffed(facts, reason);
  return {
    kind: 'skip',
    reason: facts.command === null ? 'head-already-reviewed' : 'command-not-allowed',
    announce: 'silent',
  };
}

function orderOf({ trigger, triggers, command, commander, mergeRequest, policy }: ReviewFacts): RunReason | null {
  if (trigger === 'manual') return 'commanded';
  const isRequest = trigger === 'review-requested' && triggers.includes('review-requested');
  if (isRequest && mergeRequest.isReviewRequested) return 'review-requested';
  if (!triggers.includes('commanded')) return null;
  // Two bots that answer each other would never end.
  if (command === null || commander === null || commander.isSelf || commander.isBot) return null;
  return hasRole(commander.role, policy.commandRole) ? 'commanded' : null;
}

function isLabeled(mergeRequest: MergeRequest, labels: readonly string[]): boolean {
  return mergeRequest.labels.some((label) => labels.includes(label));
}

/** By the state of the merge request, as all else: which event told of it only counts for who came in the middle. */
function isTrigger(reason: RunReason, { trigger, triggers, mergeRequest, policy }: ReviewFacts): boolean {
  if (triggers.includes('labeled') && isLabeled(mergeRequest, policy.triggerLabels)) return true;
  switch (reason) {
    case 'first-review':
      return triggers.includes('opened') || (trigger === 'pushed' && triggers.includes('pushed'));
    case 'new-head':
      return triggers.includes('pushed');
    case 'base-moved':
      return triggers.includes('retargeted');
    case 'commanded':
    case 'review-requested':
    case 'not-finished-before':
      return true;
    default:
      return unreachable(reason);
  }
}

function objectionOf(mergeRequest: MergeRequest, policy: ReviewPolicy): Decision | null {
  if (isLabeled(mergeRequest, policy.skipLabels)) return { kind: 'skip', reason: 'label', announce: 'edit' };
  if (isLabeled(mergeRequest, policy.triggerLabels)) return null;
  if (mergeRequest.isDraft && policy.drafts === 'skip') return { kind: 'skip', reason: 'draft', announce: 'edit' };
  if (mergeRequest.author.isBot && !policy.botAuthors.includes(mergeRequest.author.username)) {
    return { kind: 'skip', reason: 'bot-author', announce: 'silent' };
  }
  if (mergeRequest.isFromFork && !isForkWelcome(mergeRequest, policy))
    return { kind: 'skip', reason: 'fork', announce: 'edit' };
  return null;
}

function isForkWelcome(mergeRequest: MergeRequest, policy: ReviewPolicy): boolean {
  if (policy.forks !== 'members') return policy.forks === 'review';
  return mergeRequest.authorRole !== null && hasRole(mergeRequest.authorRole, policy.commandRole);
}

function reasonToRun({ trigger, mergeRequest, doneHeadSha }: ReviewFacts): RunReason | null {
  const { reviewed, headSha, diffRefs } = mergeRequest;
  // An event that comes again must not be paid again, even if somebody has deleted our note.
  if (reviewed?.headSha !== headSha && doneHeadSha === headSha) return null;
  if (reviewed === null) return 'first-review';
  if (reviewed.headSha !== headSha) return 'new-head';
  // Of several events only the last one is told: what became of the base shows in the diff. A diff that is yet to be
  // made after a change of the target is worth waiting for.
  if (diffRefs === null ? trigger === 'retargeted' : diffRefs.baseSha !== reviewed.baseSha) return 'base-moved';
  return isReviewed(mergeRequest) ? null : 'not-finished-before';
}

/** Whether the review of its very head stands, whole or in part. */
export function isReviewed({ reviewed, headSha }: MergeRequest): boolean {
  if (reviewed === null || reviewed.headSha !== headSha) return false;
  return reviewed.state === 'done' || reviewed.state === 'partial';
}

/** The forge needs seconds to prepare a new version: ask again after a delay that grows with the wait. */
function runOnceDiffed({ mergeRequest, ageMs }: ReviewFacts, reason: RunReason): Decision {
  if (mergeRequest.diffRefs?.headSha === mergeRequest.headSha) return { kind: 'run', reason };
  const delayMs = Math.min(longestDiffDelayMs, Math.max(1000, ageMs));
  return { kind: 'wait', reason: 'diff-not-prepared', delayMs, isOverdue: ageMs > overdueDiffMs };
}

/** A skip in words for the summary note and the CLI. */
export const skipTexts: Readonly<Record<SkipReason, string>> = {
  'project-not-allowed': 'this project is not one of those that are reviewed',
  closed: 'the merge request is not open',
  'switched-off': 'reviews are switched off by policy',
  'no-commits': 'there are no commits to review',
  label: 'a label asks for no review',
  draft: 'it is a draft; mark it as ready, or comment `/drydock review`',
  'bot-author': 'its author is a bot',
  fork: 'it comes from a fork of someone who is not a member; a member can comment `/drydock review`',
  'head-already-reviewed': 'this head was reviewed already',
  'trigger-off': 'the policy of this project begins no review by this; comment `/drydock review`',
  'command-not-allowed': 'the person who asked may not start reviews',
};
