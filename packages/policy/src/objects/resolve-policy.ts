/**
 * Which policy applies to a project. Of those that match it, the first by:
 *
 *   1. the higher `precedence`
 *   2. the closer match: a numeric id, then a path, then the glob with more before its first sign, then `*`
 *   3. naming the project's forge, rather than being for all forges
 *   4. the older object
 *   5. the name, in the order of the alphabet
 *
 * When none matches, the default policy applies. When the first one is invalid, none does: its projects are held back.
 * So what applies never depends on the order in which objects are seen.
 */
import { matchesProject, readPattern, type PolicyProject, type ReadPattern } from './project-pattern.ts';
import type { PolicyClaim, ReadPolicy } from './read-policy-object.ts';

/** Which part of the rule put one policy before another. */
export type PolicyReason = 'precedence' | 'closer-match' | 'forge' | 'age' | 'name';

/** What applies to a project. `default`: no object is for it. `held`: the one that is cannot be applied. */
export type PolicyResolution =
  | { readonly kind: 'object'; readonly policy: Extract<ReadPolicy, { kind: 'valid' }> }
  | { readonly kind: 'held'; readonly policy: Extract<ReadPolicy, { kind: 'invalid' }> }
  | { readonly kind: 'default' };

/** The policy for a project, of all objects. */
export function resolvePolicy(policies: readonly ReadPolicy[], project: PolicyProject): PolicyResolution {
  const wanted = { ...project, projectPath: project.projectPath.toLowerCase() };
  const first = policies
    .flatMap((policy) => {
      const pattern = closestPattern(policy, wanted);
      return pattern === null ? [] : [{ policy, pattern }];
    })
    .sort((left, right) => comparePlaces(left, right).order)[0];
  if (first === undefined) return { kind: 'default' };
  const { policy } = first;
  return policy.kind === 'valid' ? { kind: 'object', policy } : { kind: 'held', policy };
}

/** A policy, and the pattern by which it takes a project. */
export interface PolicyPlace {
  readonly policy: PolicyClaim;
  readonly pattern: ReadPattern;
}

/** A negative `order`: the left one goes first, for this reason. */
export function comparePlaces(
  left: PolicyPlace,
  right: PolicyPlace,
): { readonly order: number; readonly reason: PolicyReason } {
  const [one, other] = [left.policy, right.policy];
  const steps: readonly (readonly [PolicyReason, number])[] = [
    ['precedence', other.precedence - one.precedence],
    ['closer-match', right.pattern.specificity - left.pattern.specificity],
    ['forge', Number(other.forges.length > 0) - Number(one.forges.length > 0)],
    ['age', one.createdAtMs - other.createdAtMs],
  ];
  const [reason, order] = steps.find(([, difference]) => difference !== 0) ?? [
    'name',
    one.name < other.name ? -1 : Number(one.name > other.name),
  ];
  return { order, reason };
}

/** A claim is asked for each project and each decision, and never changes. */
const known = new WeakMap<PolicyClaim, readonly ReadPattern[]>();

/** The patterns of a policy, the closest first. */
export function patternsOf(policy: PolicyClaim): readonly ReadPattern[] {
  const before = known.get(policy);
  if (before !== undefined) return before;
  const patterns = policy.projects.map(readPattern).sort((left, right) => right.specificity - left.specificity);
  known.set(policy, patterns);
  return patterns;
}

function closestPattern(policy: PolicyClaim, project: PolicyProject): ReadPattern | null {
  if (policy.forges.length > 0 && !policy.forges.includes(project.forge)) return null;
  return patternsOf(policy).find((pattern) => matchesProject(pattern, project)) ?? null;
}
