import { patternsOverlap } from './project-pattern.ts';
import type { PolicyClaim } from './read-policy-object.ts';
import { comparePlaces, type PolicyReason } from './resolve-policy.ts';

/** Two policies may take the same project, and this one goes behind. */
export interface PolicyOverlap {
  /** Of the policy that goes behind. */
  readonly pattern: string;
  readonly winner: string;
  readonly winnerPattern: string;
  readonly reason: PolicyReason;
}

/** Whether nothing that anybody wrote decides who goes first: then it is a conflict, and not an order of layers. */
export function isConflict({ reason }: PolicyOverlap): boolean {
  return reason === 'age' || reason === 'name';
}

/**
 * Where policies go behind others, by their names, told before any project is seen. Numeric ids and paths may name the
 * same project too; that cannot be told here, and the id goes first unless precedence says otherwise.
 */
export function findOverlaps(policies: readonly PolicyClaim[]): ReadonlyMap<string, readonly PolicyOverlap[]> {
  const overlaps = new Map<string, PolicyOverlap[]>(policies.map(({ name }) => [name, []]));
  policies.forEach((one, index) => {
    for (const other of policies.slice(index + 1)) {
      if (!sharesForge(one, other)) continue;
      for (const [pattern, otherPattern] of pairs(one.projects, other.projects)) {
        if (!patternsOverlap(pattern, otherPattern)) continue;
        const places = [
          { policy: one, pattern },
          { policy: other, pattern: otherPattern },
        ] as const;
        const { order, reason } = comparePlaces(...places);
        const [winner, loser] = order < 0 ? places : ([places[1], places[0]] as const);
        overlaps.get(loser.policy.name)?.push({
          pattern: loser.pattern,
          winner: winner.policy.name,
          winnerPattern: winner.pattern,
          reason,
        });
      }
    }
  });
  return overlaps;
}

function sharesForge(one: PolicyClaim, other: PolicyClaim): boolean {
  if (one.forges.length === 0 || other.forges.length === 0) return true;
  return one.forges.some((forge) => other.forges.includes(forge));
}

function pairs<Item>(left: readonly Item[], right: readonly Item[]): readonly (readonly [Item, Item])[] {
  return left.flatMap((one) => right.map((other) => [one, other] as const));
}
