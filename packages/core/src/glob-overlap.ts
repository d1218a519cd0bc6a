/**
 * Whether two globs have a path in common, without any path at hand. Both are read as automata over names, and each pair
 * of names as automata over letters; a walk over pairs of places finds a common path or shows that there is none, in
 * time that grows with the product of both lengths, and with how many alternatives both have. There is an end to it.
 */
import { matchesLetter, readGlob, type GlobSegment, type GlobToken } from './path-glob.ts';

/** A glob that is read once and compared with many. */
export type Glob = ReturnType<typeof readGlob>;

/** Far more than patterns need that a person wrote; some milliseconds. */
const maxSteps = 20_000;

/**
 * Whether some path of names that are not empty matches both globs, as `compileGlob` reads them. Two that cannot be told
 * apart in 20,000 steps count as overlapping.
 */
export function globsOverlap(left: Glob, right: Glob): boolean {
  const walk = { stepsLeft: maxSteps };
  return left.some((one) => right.some((other) => sequencesMeet(one, other, segments, walk)));
}

/** How much of a walk may still be done. */
interface Walk {
  stepsLeft: number;
}

/** How one kind of sequence is walked. */
interface Alphabet<Part> {
  /** Takes any number of items, also none. */
  readonly isWildcard: (part: Part) => boolean;
  /** Whether one item suits both. */
  readonly meet: (left: Part, right: Part, walk: Walk) => boolean;
}

const letters: Alphabet<GlobToken> = { isWildcard: (token) => token.kind === 'star', meet: tokensMeet };

const segments: Alphabet<GlobSegment> = { isWildcard: (segment) => segment === 'globstar', meet: namesMeet };

/** Whether both take some sequence of one item or more. */
function sequencesMeet<Part>(
  left: readonly Part[],
  right: readonly Part[],
  alphabet: Alphabet<Part>,
  walk: Walk,
): boolean {
  const { isWildcard, meet } = alphabet;
  const width = right.length + 1;
  const open: { readonly at: number; readonly to: number; readonly isBegun: boolean }[] = [
    { at: 0, to: 0, isBegun: false },
  ];
  const seen = new Set<number>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    walk.stepsLeft -= 1;
    if (walk.stepsLeft < 0) return true;
    const { at, to, isBegun } = next;
    const key = (at * width + to) * 2 + (isBegun ? 1 : 0);
    if (seen.has(key)) continue;
    seen.add(key);
    if (isBegun && at === left.length && to === right.length) return true;
    const one = left[at];
    const other = right[to];
    const isOneWild = one !== undefined && isWildcard(one);
    const isOtherWild = other !== undefined && isWildcard(other);
    if (isOneWild) open.push({ at: at + 1, to, isBegun });
    if (isOtherWild) open.push({ at, to: to + 1, isBegun });
    if (one === undefined || other === undefined) continue;
    if (!isOneWild && !isOtherWild && !meet(one, other, walk)) continue;
    if (isOneWild !== isOtherWild && !meet(one, other, walk)) continue;
    open.push({ at: isOneWild ? at : at + 1, to: isOtherWild ? to : to + 1, isBegun: true });
  }
  return false;
}

function namesMeet(left: GlobSegment, right: GlobSegment, walk: Walk): boolean {
  const anyName: readonly GlobToken[] = [{ kind: 'star' }];
  return sequencesMeet(left === 'globstar' ? anyName : left, right === 'globstar' ? anyName : right, letters, walk);
}

function tokensMeet(left: GlobToken, right: GlobToken): boolean {
  return lettersToTry(left, right).some((letter) => matchesLetter(left, letter) && matchesLetter(right, letter));
}

/** One letter of each kind that the two tell apart: where a range begins, and right after its end. */
function lettersToTry(...tokens: readonly GlobToken[]): readonly string[] {
  const borders = tokens.flatMap((token): (string | null)[] => {
    if (token.kind === 'letter') return [token.letter];
    return token.kind === 'class' ? token.ranges.flatMap(([from, to]) => [from, nextLetter(to)]) : [];
  });
  // No name holds a slash: what begins with it is told by the letter after it.
  return ['\u0001', '0', ...borders].filter((letter) => letter !== null).filter((letter) => letter !== '/');
}

/** The next one as strings are ordered, by UTF-16: what takes two units stands before U+E000. */
function nextLetter(letter: string): string | null {
  const point = letter.codePointAt(0) ?? 0;
  if (point === 0xffff) return null;
  if (point === 0xd7ff) return String.fromCodePoint(0x10000);
  return String.fromCodePoint(point === 0x10ffff ? 0xe000 : point + 1);
}
