import { visibleLine } from '../tools/visible-text.ts';

/** What a quote was found to be. Line numbers are 1-based and inclusive. */
export type QuoteCheck =
  /** It stands there; `code` is the exact text of those lines, whatever the quote left out of white space. */
  | { readonly kind: 'confirmed'; readonly code: string }
  | { readonly kind: 'elsewhere'; readonly starts: readonly number[]; readonly lineCount: number }
  | { readonly kind: 'differs'; readonly standing: readonly string[] }
  | { readonly kind: 'no-such-lines'; readonly lineCount: number }
  | { readonly kind: 'blank' };

const maxStarts = 5;

/**
 * Whether quoted code stands at these lines of a file. Hidden characters match as the model was shown them; white space
 * at the end of a line does not matter, all else does.
 */
export function checkQuote(
  lines: readonly string[],
  {
    startLine,
    endLine,
    quotedCode,
  }: { readonly startLine: number; readonly endLine: number; readonly quotedCode: string },
): QuoteCheck {
  const readings = readQuote(quotedCode);
  const [quote] = readings;
  if (quote.every((line) => line === '')) return { kind: 'blank' };
  if (startLine > lines.length || endLine > lines.length) return { kind: 'no-such-lines', lineCount: lines.length };
  const standing = lines.slice(startLine - 1, endLine);
  const comparableStanding = standing.map(comparable);
  if (readings.some((reading) => isSame(comparableStanding, reading))) {
    return { kind: 'confirmed', code: standing.join('\n') };
  }
  const starts = findQuote(lines, quote);
  return starts.length > 0
    ? { kind: 'elsewhere', starts, lineCount: quote.length }
    : { kind: 'differs', standing: standing.map(visibleLine) };
}

/** A line feed at the end of a quote may end its last line, or begin an empty one. */
function readQuote(quotedCode: string): readonly [readonly string[], ...(readonly string[])[]] {
  const whole = quotedCode.split('\n').map(comparable);
  return whole.length > 1 && quotedCode.endsWith('\n') ? [whole.slice(0, -1), whole] : [whole];
}

function comparable(line: string): string {
  return visibleLine(line).trimEnd();
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((line, index) => line === right[index]);
}

/** First lines of the places where the quote does stand. */
function findQuote(lines: readonly string[], quote: readonly string[]): readonly number[] {
  const code = lines.map(comparable);
  const starts: number[] = [];
  for (let start = 0; start + quote.length <= code.length && starts.length < maxStarts; start += 1) {
    if (quote.every((line, offset) => code[start + offset] === line)) starts.push(start + 1);
  }
  return starts;
}
