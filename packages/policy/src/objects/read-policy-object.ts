import { ForgeId } from '@drydock/core';
import { z } from 'zod';
import { ProjectPattern } from './project-pattern.ts';
import { ReviewPolicyObject, type PolicySpec } from './review-policy-object.ts';

/** The metadata of an object that the API server keeps, as far as we read it. */
const KeptMetadata = z.object({
  name: z.string(),
  uid: z.string().default(''),
  generation: z.int().default(0),
  creationTimestamp: z.iso.datetime({ offset: true }).default('1970-01-01T00:00:00Z'),
});

/** What every policy has, whether it can be applied or not: what it is for, and its place among others. */
export interface PolicyClaim {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly createdAtMs: number;
  /** Empty: all. */
  readonly forges: readonly string[];
  readonly projects: readonly string[];
  readonly precedence: number;
}

/** A policy object as it was read. `invalid`: it is not applied, and what it is for is held back. */
export type ReadPolicy = PolicyClaim &
  (
    | { readonly kind: 'valid'; readonly spec: PolicySpec }
    | { readonly kind: 'invalid'; readonly problems: readonly string[] }
  );

const maxProblems = 5;
const highestPrecedence = 1000;

/**
 * Reads an object as the API server gave it. One that our schema refuses though the server took it (its CRD is older or
 * newer than we are) keeps its claim, and what cannot be read of that counts as the widest: better nothing is reviewed
 * than by a policy that was not meant. Null: it has not even a name.
 */
export function readPolicyObject(object: unknown): ReadPolicy | null {
  const kept = z.object({ metadata: KeptMetadata }).safeParse(object);
  if (!kept.success) return null;
  const { name, uid, generation, creationTimestamp } = kept.data.metadata;
  const identity = { name, uid, generation, createdAtMs: Date.parse(creationTimestamp) };
  const parsed = ReviewPolicyObject.safeParse(object);
  if (parsed.success) {
    const { spec } = parsed.data;
    const { forges, projects, precedence } = spec;
    return { ...identity, forges, projects, precedence, kind: 'valid', spec };
  }
  return { ...identity, ...Claim.parse(object).spec, kind: 'invalid', problems: problemsOf(parsed.error) };
}

/** The parts of a spec that make a claim, each read on its own. */
const Claim = z.object({
  spec: z
    .object({
      forges: z.array(ForgeId).default([]).catch([]),
      projects: z.array(ProjectPattern).min(1).catch(['*']),
      precedence: z.int().default(0).catch(highestPrecedence),
    })
    .catch({ forges: [], projects: ['*'], precedence: highestPrecedence }),
});

/** In words, by the path of each. They repeat no value. */
function problemsOf({ issues }: z.ZodError): readonly string[] {
  const told = issues.slice(0, maxProblems).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  return issues.length > maxProblems ? [...told, `and ${String(issues.length - maxProblems)} more`] : told;
}
