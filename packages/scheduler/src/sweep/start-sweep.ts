import { runSweepLoop, type SweepLoopPorts, type SweepLoopSettings } from './sweep-loop.ts';

/** A sweep at work. */
export interface RunningSweep {
  /** Settles when the loop has ended; rejects on a bug. */
  readonly ended: Promise<void>;
  /** Ends the round in hand where it is; another one goes on from there. */
  stop(): Promise<void>;
}

/** Starts comparing open merge requests with the ledger. */
export function startSweep(ports: SweepLoopPorts, settings: SweepLoopSettings): RunningSweep {
  const shutdown = new AbortController();
  const ended = runSweepLoop(ports, settings, shutdown.signal);
  ended.catch(() => undefined); // whoever waits for `ended` or `stop` sees the error
  return {
    ended,
    async stop() {
      shutdown.abort();
      await ended;
    },
  };
}
