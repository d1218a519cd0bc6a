/** A whole answer of a model's server, as it was relayed. */
export interface StoredAnswer {
  readonly body: Buffer;
}

/**
 * Answers that were paid for, by the key of their call (`answer-key.ts`: 64 lower-case hexadecimal digits). A cache:
 * it may forget anything at any time, and whoever asks goes on without it when it fails.
 */
export interface AnswerStore {
  /** Null: not known, or no longer. */
  get(key: string): Promise<StoredAnswer | null>;
  /** The newest answer of a key counts. One that is too large is not kept. */
  put(key: string, answer: StoredAnswer): Promise<void>;
}

/** Larger answers are relayed and not kept. A long turn has some hundred kilobytes. */
export const maxStoredAnswerBytes = 4 * 1024 * 1024;
