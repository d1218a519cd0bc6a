/** Bounds of one tool result. */
export interface TextCap {
  readonly maxLines: number;
  readonly maxBytes: number;
  /** Longer lines are cut, in characters. */
  readonly maxLineChars: number;
}

/** What a result may hold unless a tool says otherwise. */
const defaultCap: TextCap = { maxLines: 2000, maxBytes: 100_000, maxLineChars: 2000 };

/**
 * Collects lines up to a cap and says what is missing. Notices stand in square brackets on lines of their own, after
 * everything else.
 */
export class CappedLines {
  readonly #cap: TextCap;
  readonly #lines: string[] = [];
  readonly #notices: string[] = [];
  #bytes = 0;
  #isFull = false;

  constructor(cap: TextCap = defaultCap) {
    this.#cap = cap;
  }

  /** Adds a line. False: there was no room for it, nor will there be for others. */
  add(line: string): boolean {
    if (this.#isFull) return false;
    const cut = cutLine(line, this.#cap.maxLineChars);
    const bytes = Buffer.byteLength(cut) + 1;
    this.#isFull = this.#lines.length >= this.#cap.maxLines || this.#bytes + bytes > this.#cap.maxBytes;
    if (this.#isFull) return false;
    this.#lines.push(cut);
    this.#bytes += bytes;
    return true;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  get count(): number {
    return this.#lines.length;
  }

  /** Says something about the lines. */
  notice(text: string): void {
    this.#notices.push(`[${text}]`);
  }

  toString(): string {
    return [...this.#lines, ...this.#notices].join('\n');
  }
}

function cutLine(line: string, maxChars: number): string {
  if (line.length <= maxChars) return line;
  const code = line.charCodeAt(maxChars - 1);
  const end = code >= 0xd800 && code <= 0xdbff ? maxChars - 1 : maxChars; // never half a character
  return `${line.slice(0, end)} […${line.length - end} more characters]`;
}
