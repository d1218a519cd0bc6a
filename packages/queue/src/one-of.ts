/** The one of these words that it is. Throws when it is none. */
export function oneOf<Word extends string>(words: readonly Word[], text: unknown): Word {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new Error(`none of ${words.join(', ')}`);
  return found;
}
