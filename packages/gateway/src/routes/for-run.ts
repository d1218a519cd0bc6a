import type { Request, Response } from 'express';
import type { Clock, StaleError } from '@drydock/core';
import { authenticateRun } from '../authenticate-run.ts';
import type { LiveRuns } from '../runs/live-runs.ts';
import type { RunStore, StoredRun } from '../runs/run-store.ts';
import type { RouteHandler } from './route.ts';

/** Answers a request of a run that is alive; the signal ends with the run. */
export type RunHandler = (run: StoredRun, request: Request, response: Response, signal: AbortSignal) => Promise<void>;

/** Only with the token of a run that is alive, and only for as long as it is. */
export function forRun(
  ports: { readonly store: RunStore; readonly live: LiveRuns; readonly clock: Clock },
  handler: RunHandler,
  refuse: (response: Response, error: StaleError) => void,
): RouteHandler {
  return async (request, response, clientLeft) => {
    const nowMs = ports.clock.nowMs();
    const found = await authenticateRun(ports.store, request.headers, nowMs);
    if (found.kind === 'refused') {
      refuse(response, found.error);
      return;
    }
    const { runId, deadlineAtMs } = found.run.record;
    using life = ports.live.enter(runId, deadlineAtMs - nowMs);
    await handler(found.run, request, response, AbortSignal.any([clientLeft, life.signal]));
  };
}
