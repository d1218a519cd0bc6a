/** Which deliveries a `MemoryTaskQueue` has seen. */
export class MemoryDeliveries {
  /** Until when each is known, oldest first. */
  readonly #untilMs = new Map<string, number>();

  /** Whether one of them was seen; forgets what is old. */
  isKnown(keys: readonly string[], nowMs: number): boolean {
    for (const [key, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) break;
      this.#untilMs.delete(key);
    }
    return keys.some((key) => this.#untilMs.has(key));
  }

  remember(keys: readonly string[], untilMs: number): void {
    for (const key of keys) this.#untilMs.set(key, untilMs);
  }
}
