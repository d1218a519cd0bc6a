import { StaleError, TransientError, type Clock, type Log } from '@drydock/core';
import type { HeldLease, Interrupt, TaskQueue } from '@drydock/queue';

/** Why the work on a task was stopped from outside. */
export type StopReason = Interrupt | 'lease-lost' | 'shutdown';

/** Carried as the reason of an aborted signal. */
export class StopSignal extends StaleError {
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(reason === 'lease-lost' ? 'queue.lease_lost' : 'run.cancelled', `stopped: ${reason}`);
    this.reason = reason;
  }
}

interface HeartbeatPorts {
  readonly queue: TaskQueue;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Holds a lease for as long as the work lasts: extends it three times per lifetime and at every wake-up, and aborts
 * `stop` when the task was interrupted, or when the lease is lost or may be lost. A store that does not answer counts
 * as loss once the lease could have run out by our own monotonic clock: a frozen process must not write when it wakes.
 */
export function startHeartbeat(
  { queue, clock, log }: HeartbeatPorts,
  held: HeldLease,
  ttlMs: number,
  stop: AbortController,
): { end(): Promise<void> } {
  const over = new AbortController();
  let wake = new AbortController();
  let heldUntilMs = clock.monotonicMs() + ttlMs;
  const unsubscribe = queue.onWake(() => {
    wake.abort();
  });

  async function beat(): Promise<void> {
    const askedAtMs = clock.monotonicMs();
    try {
      const answer = await queue.extend(held, ttlMs);
      if (answer.kind === 'lost') stop.abort(new StopSignal('lease-lost'));
      else if (answer.interrupt !== null) stop.abort(new StopSignal(answer.interrupt));
      heldUntilMs = askedAtMs + ttlMs;
    } catch (err) {
      if (!(err instanceof TransientError)) throw err;
      log.warn({ taskId: held.taskId, lease: held.lease, err }, 'lease not extended');
      if (clock.monotonicMs() >= heldUntilMs) stop.abort(new StopSignal('lease-lost'));
    }
  }

  const isOver = () => over.signal.aborted || stop.signal.aborted;
  async function loop(): Promise<void> {
    while (!isOver()) {
      await clock.sleep(ttlMs / 3, AbortSignal.any([over.signal, stop.signal, wake.signal]));
      wake = new AbortController();
      if (!isOver()) await beat();
    }
  }

  const running = loop();
  return {
    async end() {
      over.abort();
      unsubscribe();
      await running;
    },
  };
}
