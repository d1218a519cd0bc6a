import { createHash } from 'node:crypto';

/** What the fake remembers of its own answers, to know them again when a conversation brings them back. */
export class ClaudeMemory {
  readonly #sentBlockTypes = new Set<string>();
  readonly #pausedTurns = new Set<string>();

  /** Notes a block of a type beyond text, thinking and tool use. */
  noteBlockType(type: string): void {
    this.#sentBlockTypes.add(type);
  }

  hasSentBlockType(type: string): boolean {
    return this.#sentBlockTypes.has(type);
  }

  /** Notes the content of an answer that stopped with `pause_turn`. */
  notePausedTurn(content: unknown): void {
    this.#pausedTurns.add(canonical(content));
  }

  /** Whether an assistant message is a paused turn that came back unchanged; breakpoints may have been added. */
  isPausedTurn(content: unknown): boolean {
    return this.#pausedTurns.has(canonical(content));
  }

  sign(thinking: string): string {
    return createHash('sha256').update(`fake-claude-thinking ${thinking}`).digest('base64');
  }

  isOwnSignature(thinking: string, signature: string): boolean {
    return this.sign(thinking) === signature;
  }
}

function canonical(content: unknown): string {
  return JSON.stringify(content, (key, value: unknown) => {
    if (key === 'cache_control') return undefined;
    const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isPlain
      ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
      : value;
  });
}
