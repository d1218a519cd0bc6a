/** Tokens of a text: a fixed four bytes each. No tokeniser, but deterministic and in the right order of magnitude. */
export function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** The part of a text that fits into so many tokens, never cutting a character. */
export function takeTokens(text: string, tokens: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= tokens * 4) return text;
  let end = tokens * 4;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1; // a UTF-8 continuation byte
  return bytes.subarray(0, end).toString('utf8');
}
