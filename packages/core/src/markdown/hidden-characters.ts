/**
 * Characters that a reader cannot see but a program obeys: controls, direction marks, zero-width ones, tags, variation
 * selectors, blank letters. Line feed and tab are not among them.
 */
const hidden = /[\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u{2800}]|(?![\n\t])\p{Cc}/u;
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
