import { patternsOverlap } from './project-pattern.ts';
import type { PolicyClaim } from './read-policy-object.ts';
import { comparePlaces, patternsOf, type PolicyPlace, type PolicyReason } from './resolve-policy.ts';

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

/** After so many comparisons somebody else has a turn. */
const pairsAtOnce = 50;

/**
 * Where policies go behind others, by their names, told before any project is seen. Numeric ids and paths may name the
 * same project too; that cannot be told here, and the id goes first unless precedence says otherwise. Many policies take
 * seconds; `rest` is waited for now and then, so that a process can do its other work meanwhile.
 */
export async function findOverlaps(
  policies: readonly PolicyClaim[],
  rest: () => Promise<void> = () => Promise.resolve(),
): Promise<ReadonlyMap<string, readonly PolicyOverlap[]>> {
  const overlaps = new Map<string, PolicyOverlap[]>(policies.map(({ name }) => [name, []]));
  let compared = 0;
  for (const [one, other] of mayMeet(policies)) {
    compared += 1;
    if (compared % pairsAtOnce === 0) await rest();
    if (!sharesForge(one.policy, other.policy) || !patternsOverlap(one.pattern, other.pattern)) continue;
    const { order, reason } = comparePlaces(one, other);
    const [winner, loser] = order < 0 ? [one, other] : [other, one];
    overlaps.get(loser.policy.name)?.push({
      pattern: loser.pattern.text,
      winner: winner.policy.name,
      winnerPattern: winner.pattern.text,
      reason,
    });
  }
  return overlaps;
}

/** Pairs of places of different policies of which one may begin as the other does: the rest has nothing in common. */
function* mayMeet(policies: readonly PolicyClaim[]): Generator<readonly [PolicyPlace, PolicyPlace]> {
  const places = policies.flatMap((policy) => patternsOf(policy).map((pattern) => ({ policy, pattern })));
  const byStart = places.toSorted(
    (left, right) =>
      compareText(left.pattern.start, right.pattern.start) || compareText(left.policy.name, right.policy.name),
  );
  for (const [index, one] of byStart.entries()) {
    for (let next = index + 1; next < byStart.length; next += 1) {
      const other = byStart[next];
      if (other === undefined || !other.pattern.start.startsWith(one.pattern.start)) break;
      if (other.policy !== one.policy) yield [one, other];
    }
  }
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

function sharesForge(one: PolicyClaim, other: PolicyClaim): boolean {
  if (one.forges.length === 0 || other.forges.length === 0) return true;
  return one.forges.some((forge) => other.forges.includes(forge));
}
