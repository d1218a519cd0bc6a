/** The globs of a flag or a variable, which stand between commas; those within `{one,other}` and after `\` part nothing. */
export function globList(text: string): string[] {
  const globs: string[] = [];
  let [glob, depth] = ['', 0];
  for (const [letter] of text.matchAll(/\\?[^]/gu)) {
    if (letter === '{') depth += 1;
    if (letter === '}') depth = Math.max(0, depth - 1);
    if (letter === ',' && depth === 0) {
      globs.push(glob);
      glob = '';
    } else glob += letter;
  }
  return [...globs, glob].map((each) => each.trim()).filter((each) => each !== '');
}
