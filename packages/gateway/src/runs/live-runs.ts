import { StaleError, TransientError, type RunId } from '@drydock/core';

/** An agent needs a handful at once: its specialists' calls, git, progress. */
const maxRequestsOfRun = 24;

/** Ends what requests of a run are doing at the moment it is revoked, superseded or out of time. */
export class LiveRuns {
  readonly #requests = new Map<RunId, Set<AbortController>>();

  /**
   * A signal for one request; dispose of it when the request is over. Throws `TransientError` when the run has so many
   * at once that it could take the gateway from others.
   */
  enter(runId: RunId, leftMs: number): { readonly signal: AbortSignal; [Symbol.dispose](): void } {
    const controller = new AbortController();
    const requests = this.#requests.get(runId) ?? new Set();
    if (requests.size >= maxRequestsOfRun) {
      throw new TransientError('gateway.unreachable', 'this run has too many requests at once', { retryAfterMs: 1000 });
    }
    this.#requests.set(runId, requests.add(controller));
    const timer = setTimeout(
      () => {
        controller.abort(new StaleError('run.timed_out', 'the time of this run is over'));
      },
      Math.min(Math.max(leftMs, 0), 2 ** 31 - 1),
    );
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        requests.delete(controller);
        if (requests.size === 0 && this.#requests.get(runId) === requests) this.#requests.delete(runId);
      },
    };
  }

  /** Ends the requests of a run. */
  end(runId: RunId, reason: StaleError): void {
    for (const controller of this.#requests.get(runId) ?? []) controller.abort(reason);
  }

  /** Ends the requests of older launches of the same task. */
  endOlder(runId: RunId): void {
    const [task, launch] = partsOf(runId);
    for (const other of this.#requests.keys()) {
      const [otherTask, otherLaunch] = partsOf(other);
      if (otherTask !== task || otherLaunch >= launch) continue;
      this.end(other, new StaleError('run.launch_superseded', 'a newer launch of this task has begun'));
    }
  }

  /** Ends everything. */
  endAll(reason: StaleError): void {
    for (const runId of this.#requests.keys()) this.end(runId, reason);
  }
}

function partsOf(runId: RunId): readonly [task: string, launch: number] {
  const dash = runId.indexOf('-');
  return [runId.slice(0, dash), Number(runId.slice(dash + 1))];
}
