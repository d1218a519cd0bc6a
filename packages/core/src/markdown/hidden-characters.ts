/**
 * Characters that a reader cannot see but a program obeys: controls, direction marks, zero-width ones, tags, variation
 * selectors, blank letters. Line feed and tab are not among them.
 */
const hidden =
  /[\p{Cf}\p{Co}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}-\u{180f}\u{2028}\u{2029}\u{2800}\u{3164}\u{fe00}-\u{fe0f}\u{ffa0}\u{e0100}-\u{e01ef}]|(?![\n\t])\p{Cc}/u;
const runs = new RegExp(`(?:${hidden.source})+`, 'gu');

/** Whether a text has characters that are not shown. */
export function hasHiddenCharacters(text: string): boolean {
  return hidden.test(text) || !text.isWellFormed();
}

/** Each run of hidden characters as its first code point, such as `‹U+202E›` or `‹U+E0041 and 11 more›`. */
export function showHiddenCharacters(text: string): string {
  return text.toWellFormed().replace(runs, (run) => {
    const [first = '', ...more] = run;
    const name = `U+${(first.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
    return more.length === 0 ? `‹${name}›` : `‹${name} and ${more.length} more›`;
  });
}

/** The text as it reads. */
export function dropHiddenCharacters(text: string): string {
  return text.toWellFormed().replace(runs, '');
}
