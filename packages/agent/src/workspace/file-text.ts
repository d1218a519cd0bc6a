/** As git decides it: a NUL among the first bytes. */
const probeBytes = 8000;

/** Whether git would call this content binary. */
export function isBinary(content: Buffer): boolean {
  return content.subarray(0, probeBytes).includes(0);
}

/**
 * Lines as git and the forges count them: only a line feed ends one, and the last may lack it. Bytes that are no UTF-8
 * are replaced, which changes no line's number.
 */
export function toLines(content: Buffer): readonly string[] {
  if (content.length === 0) return [];
  const lines = content.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
