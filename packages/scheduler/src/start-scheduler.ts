import type { LeaseLoopSettings } from './lease-loop.ts';
import { runLeaseLoop } from './lease-loop.ts';
import type { TaskPorts } from './task-ports.ts';

/** A scheduler at work. */
export interface RunningScheduler {
  /** Settles when the loop has ended; rejects on a bug. */
  readonly ended: Promise<void>;
  /** Stops leasing, ends the agents and puts their tasks back, uncounted. */
  stop(): Promise<void>;
}

/** Starts leasing tasks. */
export function startScheduler(ports: TaskPorts, settings: LeaseLoopSettings): RunningScheduler {
  const shutdown = new AbortController();
  const ended = runLeaseLoop(ports, settings, shutdown.signal);
  ended.catch(() => undefined); // whoever waits for `ended` or `stop` sees the error
  return {
    ended,
    async stop() {
      shutdown.abort();
      await ended;
    },
  };
}
