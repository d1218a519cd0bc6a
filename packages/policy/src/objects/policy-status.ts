/** What a policy's status says, computed from all policies; who may write it does so when it differs. */
import { z } from 'zod';
import { ReviewPolicy } from '@drydock/core';
import { ineffectiveInPolicy } from '../find-ineffective.ts';
import { isConflict, type PolicyOverlap } from './find-overlaps.ts';
import type { ReadPolicy } from './read-policy-object.ts';

const conditionTypes = ['Accepted', 'Conflicted'] as const;

/** A condition as Kubernetes knows them. */
export const PolicyCondition = z.object({
  type: z.enum(conditionTypes).describe('What it tells of'),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().max(64).describe('Why, in one word for programs'),
  message: z.string().max(2000).describe('Why, in words for people'),
  observedGeneration: z.int().min(0).optional(),
  lastTransitionTime: z.iso.datetime().meta({ format: 'date-time', pattern: undefined }),
});
export type PolicyCondition = z.infer<typeof PolicyCondition>;

/** The status of a policy object. */
export const PolicyStatus = z.object({
  observedGeneration: z.int().min(0).optional().describe('The generation that all of this is about'),
  conditions: z
    .array(PolicyCondition)
    .max(8)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
  matchedProjects: z.int().min(0).optional().describe('Projects with known tasks to which it applies'),
  waiting: z.int().min(0).optional().describe('Tasks of these projects that wait'),
  running: z.int().min(0).optional().describe('Tasks of these projects that run'),
});
export type PolicyStatus = z.infer<typeof PolicyStatus>;

/** Tasks and projects to which a policy applies. */
export interface PolicyCounts {
  readonly matchedProjects: number;
  readonly waiting: number;
  readonly running: number;
}

const maxTold = 5;

/** The status that a policy should have; `before` is what it has, whose times stay where nothing else changed. */
export function policyStatus(
  policy: ReadPolicy,
  overlaps: readonly PolicyOverlap[],
  counts: PolicyCounts,
  before: PolicyStatus | null,
  nowMs: number,
): PolicyStatus {
  const conditions = [acceptedCondition(policy), conflictedCondition(overlaps)].map((condition): PolicyCondition => {
    const known = before?.conditions?.find(({ type }) => type === condition.type);
    const isSame = known?.status === condition.status;
    const lastTransitionTime = isSame ? known.lastTransitionTime : `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
    return { ...condition, observedGeneration: policy.generation, lastTransitionTime };
  });
  return { observedGeneration: policy.generation, conditions, ...counts };
}

type Said = Pick<PolicyCondition, 'type' | 'status' | 'reason' | 'message'>;

function acceptedCondition(policy: ReadPolicy): Said {
  const type = 'Accepted';
  if (policy.kind === 'invalid') {
    const problems = policy.problems.join('; ');
    const message = `Not applied, and reviews of its projects are held back: ${problems}`;
    return { type, status: 'False', reason: 'Invalid', message: shortened(message) };
  }
  const idle = ineffectiveInPolicy(ReviewPolicy.parse(policy.spec.review));
  if (idle.length === 0) return { type, status: 'True', reason: 'Valid', message: 'It applies to its projects.' };
  const told = list(idle.map(({ path, message }) => `${['spec', 'review', ...path].map(String).join('.')} ${message}`));
  return { type, status: 'True', reason: 'ValidWithWarnings', message: shortened(`It applies, but ${told}`) };
}

function conflictedCondition(overlaps: readonly PolicyOverlap[]): Said {
  const type = 'Conflicted';
  const conflicts = overlaps.filter(isConflict);
  if (conflicts.length > 0) {
    const message = `${list(conflicts.map(describeOverlap))}. Set spec.precedence to say which is meant.`;
    return { type, status: 'True', reason: 'Overlap', message: shortened(message) };
  }
  if (overlaps.length === 0) {
    return { type, status: 'False', reason: 'NoOverlap', message: 'No other policy goes before it.' };
  }
  return { type, status: 'False', reason: 'Overridden', message: shortened(list(overlaps.map(describeOverlap))) };
}

const reasonTexts: Readonly<Record<PolicyOverlap['reason'], string>> = {
  precedence: 'its precedence is higher',
  'closer-match': 'it matches more closely',
  forge: 'it names its forges',
  age: 'it is older',
  name: 'its name comes first in the alphabet',
};

function describeOverlap({ pattern, winner, winnerPattern, reason }: PolicyOverlap): string {
  return `policy ${winner} goes first for projects that match both ${pattern} and its ${winnerPattern}: ${reasonTexts[reason]}`;
}

function list(entries: readonly string[]): string {
  const told = entries.slice(0, maxTold);
  const more = entries.length - told.length;
  return more > 0 ? `${told.join('; ')}; and ${String(more)} more` : told.join('; ');
}

function shortened(message: string): string {
  return message.length > 2000 ? `${message.slice(0, 1999)}…` : message;
}
