import type { TaskId } from '@drydock/core';

/** Who wants to hear that there may be something to do, with any task or with one that they hold. */
export class WakeListeners {
  readonly #listeners = new Set<{ readonly listener: () => void }>();
  readonly #byTask = new Map<TaskId, Set<{ readonly listener: () => void }>>();

  /** The same function may be added twice; each answer removes its own. */
  add(listener: () => void, interruptOf?: TaskId): () => void {
    const entry = { listener };
    if (interruptOf === undefined) {
      this.#listeners.add(entry);
      return () => {
        this.#listeners.delete(entry);
      };
    }
    const holders = this.#byTask.get(interruptOf) ?? new Set();
    this.#byTask.set(interruptOf, holders.add(entry));
    return () => {
      holders.delete(entry);
      if (holders.size === 0 && this.#byTask.get(interruptOf) === holders) this.#byTask.delete(interruptOf);
    };
  }

  /** Something may be ready; with a task, its holder is to look at it. */
  wake(interrupted?: TaskId): void {
    const holders = interrupted === undefined ? undefined : this.#byTask.get(interrupted);
    for (const { listener } of [...this.#listeners, ...(holders ?? [])]) listener();
  }

  /** Nobody knows what was missed. */
  wakeAll(): void {
    const holders = [...this.#byTask.values()].flatMap((entries) => [...entries]);
    for (const { listener } of [...this.#listeners, ...holders]) listener();
  }
}
