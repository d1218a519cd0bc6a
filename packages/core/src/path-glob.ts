/**
 * Globs over paths of a repository, as policies and `.drydock.yaml` hold them. Such a pattern may come from anybody who
 * can write to a target branch, so matching must not be a trap: no regular expression is made of it, and the time for
 * one path grows with the product of both lengths at most.
 */

/** Tells whether a path matches. */
export type PathMatcher = (path: string) => boolean;

/** What one letter of a name may be; a star is any number of them. */
export type GlobToken =
  | { readonly kind: 'star' | 'any' }
  | { readonly kind: 'letter'; readonly letter: string }
  | { readonly kind: 'class'; readonly isNegated: boolean; readonly ranges: readonly (readonly [string, string])[] };
/** What one name of a path may be; a globstar is any number of names. */
export type GlobSegment = 'globstar' | readonly GlobToken[];

const maxAlternatives = 64;

/**
 * Compiles one glob: `*` and `?` within a name, `**` for any folders, `[a-z]`, `[!a-z]`, `{one,other}`, and `\` before
 * a character that stands for itself. Names that begin with a dot are no exception. `docs/**` is all that is in `docs`.
 * Of a pattern with more than 64 alternatives the first 64 count.
 */
export function compileGlob(pattern: string): PathMatcher {
  const glob = readGlob(pattern);
  return (path) => matchesGlob(glob, path);
}

/** Whether a path matches a glob that was read before. */
export function matchesGlob(glob: readonly (readonly GlobSegment[])[], path: string): boolean {
  const names = path.split('/');
  return glob.some((segments) => matchesSequence(segments, names, isGlobstar, matchesName));
}

/** A glob as it is matched: a path matches when it matches one of these. */
export function readGlob(pattern: string): readonly (readonly GlobSegment[])[] {
  return expandBraces(pattern).map(readSegments);
}

/** Whether any of the globs matches. */
export function anyGlob(patterns: readonly string[]): PathMatcher {
  const matchers = patterns.map(compileGlob);
  return (path) => matchers.some((matches) => matches(path));
}

/**
 * Wildcard matching with one place to come back to: the last wildcard. An earlier one need never take more, because
 * whatever it gave up the later one can take.
 */
function matchesSequence<Part, Item>(
  parts: readonly Part[],
  items: readonly Item[],
  isWildcard: (part: Part) => boolean,
  matches: (part: Part, item: Item) => boolean,
): boolean {
  let [part, item] = [0, 0];
  let retry: { part: number; item: number } | null = null;
  while (item < items.length) {
    const current = parts[part];
    const wanted = items[item];
    if (current !== undefined && isWildcard(current)) {
      retry = { part, item };
      part += 1;
    } else if (current !== undefined && wanted !== undefined && matches(current, wanted)) {
      part += 1;
      item += 1;
    } else if (retry !== null) {
      retry = { part: retry.part, item: retry.item + 1 };
      part = retry.part + 1;
      item = retry.item;
    } else return false;
  }
  return parts.slice(part).every(isWildcard);
}

function isGlobstar(segment: GlobSegment): boolean {
  return segment === 'globstar';
}

function matchesName(segment: GlobSegment, name: string): boolean {
  if (segment === 'globstar') return true;
  return matchesSequence(segment, Array.from(name), (token) => token.kind === 'star', matchesLetter);
}

/** Whether a token that is no star is this letter. */
export function matchesLetter(token: GlobToken, letter: string): boolean {
  switch (token.kind) {
    case 'star':
    case 'any':
      return true;
    case 'letter':
      return token.letter === letter;
    case 'class':
      return token.ranges.some(([from, to]) => from <= letter && letter <= to) !== token.isNegated;
  }
}

function readSegments(text: string): GlobSegment[] {
  const segments = text.replace(/^\.\//, '').split('/').map(readSegment);
  // At the end, folders alone are nothing: there must be a name in them.
  return segments.at(-1) === 'globstar' ? [...segments, [{ kind: 'star' }]] : segments;
}

function readSegment(text: string): GlobSegment {
  if (text === '**') return 'globstar';
  const letters = Array.from(text);
  const tokens: GlobToken[] = [];
  for (let at = 0; at < letters.length; at += 1) {
    const letter = letters[at] ?? '';
    const set = letter === '[' ? readClass(letters, at) : null;
    if (set !== null) {
      tokens.push(set.token);
      at = set.end;
    } else if (letter === '\\' && at + 1 < letters.length) {
      at += 1;
      tokens.push({ kind: 'letter', letter: letters[at] ?? '' });
    } else if (letter === '*') {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else tokens.push(letter === '?' ? { kind: 'any' } : { kind: 'letter', letter });
  }
  return tokens;
}

/** A class from its opening bracket on; null when it has no end: then the bracket is a plain letter. */
function readClass(
  letters: readonly string[],
  open: number,
): { readonly token: GlobToken; readonly end: number } | null {
  const isNegated = letters[open + 1] === '!' || letters[open + 1] === '^';
  const start = isNegated ? open + 2 : open + 1;
  const end = letters.indexOf(']', start + 1); // a bracket right at the start is one of the letters
  if (end < 0) return null;
  const ranges: [string, string][] = [];
  for (let at = start; at < end; at += 1) {
    const from = letters[at] ?? '';
    const isRange = letters[at + 1] === '-' && at + 2 < end;
    ranges.push([from, isRange ? (letters[at + 2] ?? from) : from]);
    if (isRange) at += 2;
  }
  return { token: { kind: 'class', isNegated, ranges }, end };
}

/** One pattern for each choice of alternatives. Braces without a comma or an end stand for themselves. */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const open = [pattern];
  for (let next = open.pop(); next !== undefined && done.length < maxAlternatives; next = open.pop()) {
    const group = firstGroup(next);
    if (group === null) done.push(next);
    else {
      const { before, choices, after } = group;
      open.push(...choices.map((choice) => before + choice + after).reverse());
      open.splice(0, open.length - maxAlternatives);
    }
  }
  return done;
}

/** The first innermost group: its choices hold no further one. */
function firstGroup(
  pattern: string,
): { readonly before: string; readonly choices: readonly string[]; readonly after: string } | null {
  let start: number | null = null;
  let commas: number[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const letter = pattern[at];
    if (letter === '\\') at += 1;
    else if (letter === '{') [start, commas] = [at, []];
    else if (letter === ',' && start !== null) commas.push(at);
    else if (letter === '}' && start !== null && commas.length > 0) {
      const ends = [...commas, at];
      const begins = [start, ...commas];
      const choices = ends.map((end, index) => pattern.slice((begins[index] ?? 0) + 1, end));
      return { before: pattern.slice(0, start), choices, after: pattern.slice(at + 1) };
    } else if (letter === '}') start = null;
  }
  return null;
}
