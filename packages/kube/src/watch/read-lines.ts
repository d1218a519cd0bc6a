import { StringDecoder } from 'node:string_decoder';

/** The lines of a body that may never end. Throws a `RangeError` for a line of more characters than `maxLength`. */
export async function* readLines(body: AsyncIterable<Buffer>, maxLength: number): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of body) {
    const pieces = decoder.write(chunk).split('\n');
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) {
        const line = parts.join('');
        parts = [];
        length = 0;
        if (line !== '') yield line;
      }
      length += piece.length;
      if (length > maxLength) throw new RangeError('a line is too long');
      parts.push(piece);
    }
  }
  // What is left had no end: it broke off, and whoever reads on reads it again.
}
