/** Who wants to hear that there may be something to do. */
export class WakeListeners {
  readonly #listeners = new Set<{ readonly listener: () => void }>();

  /** The same function may be added twice; each answer removes its own. */
  add(listener: () => void): () => void {
    const entry = { listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  wake(): void {
    for (const { listener } of [...this.#listeners]) listener();
  }
}
