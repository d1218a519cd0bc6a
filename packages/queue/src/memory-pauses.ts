import type { Pause, PauseEvent, PauseScope, ProjectKey } from '@drydock/core';
import { longestPauseHistory, scopeKey } from './pause-scope.ts';
import { historyText } from './task-history.ts';

/** What is paused in a `MemoryTaskQueue`, and what was. */
export class MemoryPauses {
  readonly #pauses = new Map<string, Pause>();
  #events: readonly PauseEvent[] = [];

  /** False: it was paused before, and nothing changed. */
  begin(scope: PauseScope, order: { readonly by: string; readonly why: string; readonly nowMs: number }): boolean {
    const key = scopeKey(scope);
    if (this.#pauses.has(key)) return false;
    const [by, why] = [historyText(order.by), historyText(order.why)];
    this.#pauses.set(key, { scope, by, why, atMs: order.nowMs });
    this.#tell({ atMs: order.nowMs, what: 'paused', who: by, scope, why });
    return true;
  }

  /** False: it was not paused. */
  end(scope: PauseScope, { by, nowMs }: { readonly by: string; readonly nowMs: number }): boolean {
    if (!this.#pauses.delete(scopeKey(scope))) return false;
    this.#tell({ atMs: nowMs, what: 'resumed', who: historyText(by), scope, why: '' });
    return true;
  }

  /** Whether exactly this is paused: `all`, `forge:gitlab`, `project:gitlab:42`. */
  has(key: string): boolean {
    return this.#pauses.has(key);
  }

  /** Longest ago first. */
  list(): readonly Pause[] {
    return [...this.#pauses.values()].sort((left, right) => left.atMs - right.atMs);
  }

  /** The newest, oldest of them first. */
  events(): readonly PauseEvent[] {
    return this.#events;
  }

  /** Projects that have a pause of their own. */
  projects(): readonly ProjectKey[] {
    return this.list().flatMap(({ scope }) => (scope.kind === 'project' ? [`${scope.forge}:${scope.projectId}`] : []));
  }

  #tell(event: PauseEvent): void {
    this.#events = [...this.#events, event].slice(-longestPauseHistory);
  }
}
