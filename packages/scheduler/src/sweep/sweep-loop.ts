import { BlockedError, DrydockError, TransientError } from '@drydock/core';
import type { SweepLock } from '@drydock/queue';
import { auditTasks, type AuditProgress } from './audit-tasks.ts';
import { sweepForge, type RoundDone } from './sweep-forge.ts';
import type { SweepOutcome } from './sweep-metrics.ts';
import type { SweepPorts, SweepSettings } from './sweep-ports.ts';
import { SweepLost } from './sweep-walk.ts';
import { HookWatch } from './watch-hooks.ts';

/** The sweep's ports, and who may sweep. */
export interface SweepLoopPorts extends SweepPorts {
  readonly lock: SweepLock;
  /** Spreads rounds; numbers from 0 to below 1. */
  readonly random: () => number;
}

/** How the loop sweeps. */
export interface SweepLoopSettings extends SweepSettings {
  readonly forges: readonly string[];
  /** This process's own name among all that share the store. */
  readonly owner: string;
}

/** Longer than any one call to the gateway may take. */
const rightMs = 90_000;
const longestFirstDelayMs = 10_000;
/** How often a resting sweep asks the store whether it lost something. */
const pollMs = 15_000;

/**
 * Sweeps every forge in each interval, until `shutdown` is aborted; of several schedulers only the one that holds the
 * right to. An interval of 0: never. A store that may have lost tasks is not kept waiting for the interval to end. Rejects
 * with a bug.
 */
export async function runSweepLoop(
  ports: SweepLoopPorts,
  settings: SweepLoopSettings,
  shutdown: AbortSignal,
): Promise<void> {
  const { random } = ports;
  const { everyMs } = settings;
  if (everyMs === 0) return;
  const sweep = new Sweep(ports, settings, shutdown);
  let delayMs = random() * Math.min(longestFirstDelayMs, everyMs / 10);
  while (!shutdown.aborted) {
    await sweep.rest(delayMs);
    if (isAborted(shutdown)) return;
    const waitMs = await sweep.round();
    delayMs = Math.max(waitMs, everyMs * (0.9 + 0.2 * random()));
  }
}

/** Not known to the compiler as a thing that changes meanwhile. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

class Sweep {
  readonly #ports: SweepLoopPorts;
  readonly #settings: SweepLoopSettings;
  readonly #shutdown: AbortSignal;
  readonly #hooks: ReadonlyMap<string, HookWatch>;
  readonly #silentUntilMs = new Map<string, number>();
  readonly #blocked = new Set<string>();
  #keptAtMs = -Infinity;
  #audit: AuditProgress = { epoch: 0, cursor: null };
  /** Of the queue, as it was last seen; null: not yet. */
  #epoch: number | null = null;

  constructor(ports: SweepLoopPorts, settings: SweepLoopSettings, shutdown: AbortSignal) {
    this.#ports = ports;
    this.#settings = settings;
    this.#shutdown = shutdown;
    this.#hooks = new Map(
      settings.forges.map((forge) => [forge, new HookWatch(ports, { forge, reachMs: settings.reachMs })]),
    );
  }

  /** Sleeps that long, or until the queue's epoch says anew that a sweep is due. */
  async rest(ms: number): Promise<void> {
    const { clock } = this.#ports;
    const endMs = clock.monotonicMs() + ms;
    for (let leftMs = ms; leftMs > 0; leftMs = endMs - clock.monotonicMs()) {
      await clock.sleep(Math.min(leftMs, pollMs), this.#shutdown);
      if (this.#shutdown.aborted || (leftMs > pollMs && (await this.#isNewlyDue()))) return;
    }
  }

  /** Once for each epoch: whoever may not sweep now, or is asked to wait by the forge, is not woken again. */
  async #isNewlyDue(): Promise<boolean> {
    try {
      const { epoch, isSweepDue } = await this.#ports.queue.epoch();
      if (!isSweepDue || epoch === this.#epoch) return false;
      if (this.#epoch !== null) this.#tellLoss();
      this.#epoch = epoch;
      return true;
    } catch (error) {
      if (error instanceof DrydockError) return false; // the next round tells of it
      throw error;
    }
  }

  #tellLoss(): void {
    this.#ports.log.error(
      {},
      'the store may have lost what it held: all open merge requests are looked at; pauses and shares may be gone',
    );
  }

  /** Also a process that began after the loss knows of it, where what was remembered of the sweep is left. */
  async #see(epoch: number): Promise<void> {
    if (epoch === this.#epoch) return;
    const [forge] = this.#settings.forges;
    const known = this.#epoch === null && forge !== undefined ? await this.#ports.state.read(forge) : null;
    const before = this.#epoch ?? known?.progress?.fullEpoch ?? null;
    if (before !== null && before !== epoch) this.#tellLoss();
    this.#epoch = epoch;
  }

  /** Every forge once. Answers with how long a forge asked to be left alone, in milliseconds. */
  async round(): Promise<number> {
    const { lock, log, queue } = this.#ports;
    const { owner, forges } = this.#settings;
    try {
      if (!(await this.#keepRight())) return 0;
      const { epoch, isSweepDue } = await queue.epoch();
      if (isSweepDue) await this.#see(epoch);
      else this.#epoch = epoch;
      this.#audit = await auditTasks(this.#ports, this.#audit.epoch === epoch ? this.#audit : { epoch, cursor: null });
      const ended: (RoundDone | null)[] = [];
      for (const forge of forges) ended.push(await this.#sweepForge(forge));
      if (isSweepDue && ended.every((round) => round?.fullEpoch === epoch)) {
        await queue.sweepDone(epoch);
        log.info({}, 'all open merge requests compared with a queue that may have lost tasks');
      }
      await lock.release(owner);
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      log.warn({ code: err.code, err }, 'no sweep: the queue does not answer');
    }
    this.#keptAtMs = -Infinity;
    const nowMs = this.#ports.clock.monotonicMs();
    return Math.max(0, ...[...this.#silentUntilMs.values()].map((untilMs) => untilMs - nowMs));
  }

  async #sweepForge(forge: string): Promise<RoundDone | null> {
    const { clock, metrics, log } = this.#ports;
    const startMs = clock.monotonicMs();
    if ((this.#silentUntilMs.get(forge) ?? 0) > startMs) return null;
    this.#silentUntilMs.delete(forge);
    let outcome: SweepOutcome = 'failed';
    try {
      const keepRight = () => this.#keepRight();
      const sweepRound = { forge, signal: this.#shutdown, keepRight };
      const round = await sweepForge(this.#ports, this.#settings, sweepRound);
      outcome = round.kind;
      this.#blocked.delete(forge);
      metrics.healed(round.healed);
      metrics.unreadable(round.unreadable);
      if (round.kind === 'rested') return round;
      const durationMs = Math.round(clock.monotonicMs() - startMs);
      log.info({ forge, outcome, count: round.healed, durationMs }, 'swept for missed events');
      // Both together: no more than two calls for each project.
      const left = 2 * round.projects.length - round.calls;
      await this.#hooks.get(forge)?.look(round.projects, left, sweepRound);
      return round;
    } catch (error) {
      outcome = this.#outcomeOf(forge, error);
      return null;
    } finally {
      metrics.swept(outcome, clock.monotonicMs() - startMs);
    }
  }

  #outcomeOf(forge: string, error: unknown): SweepOutcome {
    const { log, clock } = this.#ports;
    if (error instanceof SweepLost || this.#shutdown.aborted) return 'rested';
    if (!(error instanceof DrydockError)) throw error;
    const { code } = error;
    if (error instanceof BlockedError) {
      if (!this.#blocked.has(forge)) log.error({ forge, code, err: error }, 'no sweep until a person acts');
      this.#blocked.add(forge);
      return 'blocked';
    }
    log.warn({ forge, code, err: error }, 'sweep broke off');
    if (!(error instanceof TransientError)) return 'failed';
    if (error.retryAfterMs !== null) this.#silentUntilMs.set(forge, clock.monotonicMs() + error.retryAfterMs);
    return code === 'forge.rate_limited' ? 'rate-limited' : 'failed';
  }

  /** The right is renewed long before it runs out, and not with each call. */
  async #keepRight(): Promise<boolean> {
    const nowMs = this.#ports.clock.monotonicMs();
    if (nowMs - this.#keptAtMs < rightMs / 3) return true;
    const isOurs = await this.#ports.lock.hold(this.#settings.owner, rightMs);
    this.#keptAtMs = isOurs ? nowMs : -Infinity;
    return isOurs;
  }
}
