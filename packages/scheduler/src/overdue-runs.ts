import { DrydockError, type Clock, type Log, type RunId } from '@drydock/core';
import type { Gateway } from './gateway.ts';

interface OverduePorts {
  readonly gateway: Pick<Gateway, 'overRuns'>;
  readonly clock: Clock;
  readonly log: Log;
}

interface WatchedRun {
  readonly runId: RunId;
  readonly end: () => void;
  dueMs: number;
  /** Why its agent should have ended by now; null: it should not. */
  why: string | null;
}

/** How long an agent may go on once its run is over. */
const lingerMs = 10_000;
/** Of the time between two looks: so much earlier a run is looked at with others. */
const earlier = 0.2;
/** Runs in one call. */
const mostAtOnce = 200;

/**
 * Ends agents that go on although their result is in, or although their run was ended in the gateway: they would hold a
 * place until their deadline. One loop looks for all that a process runs, many by one call.
 */
export class OverdueRuns {
  readonly #ports: OverduePorts;
  readonly #everyMs: number;
  readonly #watched = new Set<WatchedRun>();
  #wakeAtMs = Infinity;
  #sleep = new AbortController();
  /** Ends the loop, and what it asks for; null: nothing is watched. */
  #loop: AbortController | null = null;

  constructor(ports: OverduePorts, everyMs: number) {
    this.#ports = ports;
    this.#everyMs = everyMs;
  }

  /** `end` is told once that the agent is to be ended. What is answered ends the watching. */
  watch(runId: RunId, end: () => void): () => void {
    const run: WatchedRun = { runId, end, dueMs: this.#ports.clock.monotonicMs() + this.#everyMs, why: null };
    this.#watched.add(run);
    if (run.dueMs < this.#wakeAtMs) this.#sleep.abort(null);
    if (this.#loop === null) {
      this.#loop = new AbortController();
      void this.#run(this.#loop.signal);
    }
    return () => {
      this.#watched.delete(run);
      this.#endIfIdle();
    };
  }

  #endIfIdle(): void {
    if (this.#watched.size > 0) return;
    this.#loop?.abort(null);
    this.#loop = null;
    this.#sleep.abort(null);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      this.#wakeAtMs = Math.min(...Array.from(this.#watched, ({ dueMs }) => dueMs));
      if (this.#wakeAtMs > nowMs) {
        this.#sleep = new AbortController();
        await clock.sleep(this.#wakeAtMs - nowMs, this.#sleep.signal);
        continue;
      }
      const due = [...this.#watched].filter(({ dueMs }) => dueMs <= nowMs + earlier * this.#everyMs);
      this.#endLingering(due.filter(({ why, dueMs }) => why !== null && dueMs <= nowMs));
      await this.#look(
        due.filter(({ why }) => why === null),
        signal,
      );
    }
  }

  #endLingering(runs: readonly WatchedRun[]): void {
    for (const run of runs) {
      this.#watched.delete(run);
      this.#ports.log.warn({ runId: run.runId, reason: run.why ?? '' }, 'agent ended that went on');
      run.end();
    }
    this.#endIfIdle();
  }

  async #look(runs: readonly WatchedRun[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    for (let from = 0; from < runs.length && !signal.aborted; from += mostAtOnce) {
      const some = runs.slice(from, from + mostAtOnce);
      const over = await this.#over(
        some.map(({ runId }) => runId),
        signal,
      );
      const nowMs = clock.monotonicMs();
      for (const run of some) {
        run.why = over.get(run.runId) ?? null;
        run.dueMs = nowMs + (run.why === null ? this.#everyMs : lingerMs);
      }
    }
  }

  /** None when nobody answers: the next look may be answered. */
  async #over(runIds: readonly RunId[], signal: AbortSignal): Promise<ReadonlyMap<RunId, string>> {
    try {
      const over = await this.#ports.gateway.overRuns(runIds, signal);
      return new Map(over.map(({ runId, why }) => [runId, why]));
    } catch (error) {
      if (error instanceof DrydockError || signal.aborted) return new Map();
      throw error;
    }
  }
}
