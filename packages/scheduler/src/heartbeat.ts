/**
 * Leases that are held for as long as the work on their tasks lasts. One loop extends them all: those whose time comes
 * close together are asked for in one turn, and go out to the store in one write. A process may hold thousands.
 */
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

/** Of a lease's lifetime: how often it is extended, and how much earlier than that for others' sake. */
const beatsPerLife = 3;
const earlierByLife = 20;

/** The leases that a process holds. */
export class Heartbeats {
  readonly #ports: HeartbeatPorts;
  readonly #ttlMs: number;
  /** When each is to be extended next. All have the same lifetime, so whoever came last is due last. */
  readonly #dueMs = new Map<LeaseHeartbeat, number>();
  /** Ends the loop's sleep; null: there is none, for nothing is held. */
  #loop: AbortController | null = null;

  constructor(ports: HeartbeatPorts, ttlMs: number) {
    this.#ports = ports;
    this.#ttlMs = ttlMs;
  }

  /**
   * Extends a lease three times per lifetime and when its task is interrupted, until its end: what was stopped still needs it to be
   * put back. Aborts `stop` when the task was interrupted, or when the lease is lost or may be lost. A store that does not
   * answer counts as loss once the lease could have run out by our own monotonic clock.
   */
  start(held: HeldLease, log: Log, stop: AbortController): Heartbeat {
    const heartbeat: LeaseHeartbeat = new LeaseHeartbeat(this.#ports, held, this.#ttlMs, log, stop, (next) => {
      if (next === 'none') this.#forget(heartbeat);
      else this.#wait(heartbeat);
    });
    this.#wait(heartbeat);
    return heartbeat;
  }

  #wait(heartbeat: LeaseHeartbeat): void {
    this.#dueMs.delete(heartbeat);
    this.#dueMs.set(heartbeat, this.#ports.clock.monotonicMs() + this.#ttlMs / beatsPerLife);
    if (this.#loop !== null) return;
    this.#loop = new AbortController();
    void this.#run(this.#loop.signal);
  }

  #forget(heartbeat: LeaseHeartbeat): void {
    this.#dueMs.delete(heartbeat);
    if (this.#dueMs.size > 0) return;
    this.#loop?.abort(null);
    this.#loop = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      const [firstMs = nowMs] = this.#dueMs.values();
      if (firstMs > nowMs) {
        await clock.sleep(firstMs - nowMs, signal);
        continue;
      }
      for (const [heartbeat, dueMs] of this.#dueMs) {
        if (dueMs > nowMs + this.#ttlMs / earlierByLife) break;
        this.#dueMs.delete(heartbeat);
        heartbeat.beat();
      }
      if (this.#dueMs.size === 0) {
        this.#loop = null; // begun anew by the first that has beaten
        return;
      }
    }
  }
}

class LeaseHeartbeat implements Heartbeat {
  readonly #ports: HeartbeatPorts;
  readonly #held: HeldLease;
  readonly #ttlMs: number;
  readonly #log: Log;
  readonly #stop: AbortController;
  /** Told that it beats again in its time, or no more. */
  readonly #tell: (next: 'later' | 'none') => void;
  readonly #unsubscribe: () => void;
  #heldUntilMs: number;
  #isEnded = false;
  #isWoken = false;
  /** Null: it does not beat now. */
  #beating: Promise<void> | null = null;

  constructor(
    ports: HeartbeatPorts,
    held: HeldLease,
    ttlMs: number,
    log: Log,
    stop: AbortController,
    tell: (next: 'later' | 'none') => void,
  ) {
    this.#ports = ports;
    this.#held = held;
    this.#ttlMs = ttlMs;
    this.#log = log;
    this.#stop = stop;
    this.#tell = tell;
    this.#heldUntilMs = ports.clock.monotonicMs() + ttlMs;
    this.#unsubscribe = ports.queue.onWake(() => {
      this.#isWoken = true;
      this.beat();
    }, held.taskId);
  }

  readonly leftMs = (): number => {
    if (!this.isHeld()) throw new StopSignal('lease-lost');
    return this.#heldUntilMs - this.#ports.clock.monotonicMs();
  };

  isHeld(): boolean {
    return this.#ports.clock.monotonicMs() < this.#heldUntilMs;
  }

  check(): void {
    this.#stopIfLost();
    this.#stop.signal.throwIfAborted();
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    this.#unsubscribe();
    this.#tell('none');
    await this.#beating;
  }

  /** Asks for more time, unless it has asked and was not answered yet. */
  beat(): void {
    if (this.#isEnded || this.#beating !== null) return;
    this.#beating = this.#beat();
    this.#beating.catch((error: unknown) => {
      this.#stop.abort(error); // it stays for `end` to tell of
    });
  }

  async #beat(): Promise<void> {
    do {
      this.#isWoken = false;
      await this.#extend();
    } while (this.#isAskedAgain());
    this.#isEnded ||= !this.isHeld();
    this.#beating = null;
    this.#tell(this.#isEnded ? 'none' : 'later');
  }

  #isAskedAgain(): boolean {
    return this.#isWoken && !this.#isEnded && this.isHeld();
  }

  async #extend(): Promise<void> {
    const { queue, clock } = this.#ports;
    const askedAtMs = clock.monotonicMs();
    try {
      const answer = await queue.extend(this.#held, this.#ttlMs);
      this.#heldUntilMs = answer.kind === 'lost' ? -Infinity : askedAtMs + this.#ttlMs;
      if (answer.kind === 'held' && answer.interrupt !== null) this.#stop.abort(new StopSignal(answer.interrupt));
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      this.#log.warn({ code: err.code, err }, 'lease not extended');
    }
    this.#stopIfLost();
  }

  #stopIfLost(): void {
    if (!this.isHeld()) this.#stop.abort(new StopSignal('lease-lost'));
  }
}
