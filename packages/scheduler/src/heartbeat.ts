import { DrydockError, StaleError, type Clock, type Log } from '@drydock/core';
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

/** A lease that is held for as long as the work lasts. */
export interface Heartbeat {
  /** Whether the lease is still ours beyond doubt. */
  isHeld(): boolean;
  /**
   * To be asked before a write to what others than the queue and the gateway keep, for they know no leases: throws when
   * the lease may be lost, else answers in how many milliseconds the write must have been sent. Unlike `check`, it lets
   * what was stopped be cleaned up.
   */
  readonly leftMs: () => number;
  /**
   * To be asked before every write: throws the reason to stop, if there is one. A process that was frozen finds here
   * that its lease may have run out meanwhile, before anything else of it wakes.
   */
  check(): void;
  /** Ends the extending. Rejects with the bug that ended it before, if there was one. */
  end(): Promise<void>;
}

/**
 * Extends a lease three times per lifetime and when its task is interrupted, until its end: what was stopped still needs it to be
 * put back. Aborts `stop` when the task was interrupted, or when the lease is lost or may be lost. A store that does not
 * answer counts as loss once the lease could have run out by our own monotonic clock.
 */
export function startHeartbeat(
  { queue, clock, log }: HeartbeatPorts,
  held: HeldLease,
  ttlMs: number,
  stop: AbortController,
): Heartbeat {
  const over = new AbortController();
  let wake = new AbortController();
  let heldUntilMs = clock.monotonicMs() + ttlMs;
  const unsubscribe = queue.onWake(() => {
    wake.abort();
  }, held.taskId);

  const isHeld = () => clock.monotonicMs() < heldUntilMs;
  function stopIfLost(): void {
    if (!isHeld()) stop.abort(new StopSignal('lease-lost'));
  }

  async function beat(): Promise<void> {
    const askedAtMs = clock.monotonicMs();
    try {
      const answer = await queue.extend(held, ttlMs);
      heldUntilMs = answer.kind === 'lost' ? -Infinity : askedAtMs + ttlMs;
      if (answer.kind === 'held' && answer.interrupt !== null) stop.abort(new StopSignal(answer.interrupt));
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      log.warn({ code: err.code, err }, 'lease not extended');
    }
    stopIfLost();
  }

  const isEnded = () => over.signal.aborted;
  async function loop(): Promise<void> {
    while (!isEnded() && isHeld()) {
      await clock.sleep(ttlMs / 3, wake.signal);
      wake = new AbortController();
      if (!isEnded()) await beat();
    }
  }

  const running = loop();
  running.catch((error: unknown) => {
    stop.abort(error);
  });
  return {
    isHeld,
    leftMs() {
      if (!isHeld()) throw new StopSignal('lease-lost');
      return heldUntilMs - clock.monotonicMs();
    },
    check() {
      stopIfLost();
      stop.signal.throwIfAborted();
    },
    async end() {
      over.abort();
      wake.abort();
      unsubscribe();
      await running;
    },
  };
}
