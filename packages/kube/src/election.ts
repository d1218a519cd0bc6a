/**
 * Leader election on a Lease of coordination.k8s.io/v1. Who leads is the one whose name stands in the Lease and who
 * has renewed it; who wants to lead waits until the Lease has not changed for its whole duration **on his own monotonic
 * clock**: the times written in it are for people, wall clocks differ.
 *
 * The leader trusts itself for `renewMs` (10 s) after the *sending* of its last successful renewal, the others wait
 * `leaseMs` (15 s) from *seeing* it: so it has stopped before another one may begin. A frozen process finds on waking that
 * its time is over, before any timer or answer tells it: `isLeader` looks at the clock. Nobody should lean on this alone: a
 * write that must happen once is guarded by the queue's leases too.
 */
import { randomInt } from 'node:crypto';
import { silentLog, StaleError, systemClock, type Clock, type Log } from '@drydock/core';
import { leases, type KubeLease } from './builtin-resources.ts';
import type { KubeClient } from './kube-client.ts';
import { silentKubeMetrics, type KubeMetrics } from './kube-metrics.ts';

/** Who runs for what. */
export interface ElectionSettings {
  readonly client: { inLane(lane: 'leases'): Pick<KubeClient, 'create' | 'read' | 'replace'> };
  readonly namespace: string;
  /** The Lease's name. */
  readonly name: string;
  /** Unlike any other's, such as the pod's name; it is not kept over a restart. */
  readonly identity: string;
  /** Its abortion releases the Lease and ends the election. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly metrics?: KubeMetrics;
  readonly log?: Log;
  readonly timing?: Partial<ElectionTiming>;
}

/** Times of an election, in milliseconds; each must be well below the one before. */
export interface ElectionTiming {
  /** A Lease that was not renewed for so long is free: 15 s. Kept in whole seconds in the Lease. */
  readonly leaseMs: number;
  /** A leader that could not renew for so long leads no more: 10 s. */
  readonly renewMs: number;
  /** Between two tries: 2 s. */
  readonly retryMs: number;
}

/** One term: it ends when the leadership does, and never begins again. */
export interface Term {
  /** Aborted at once when the leadership is lost, with a `StaleError`. */
  readonly signal: AbortSignal;
  /** `leaseTransitions` of the Lease: grows with each change of leader. */
  readonly transitions: number;
}

/** Work of a term; the Lease is released when it has ended, or at the end of our time. */
export type TermListener = (term: Term) => Promise<void> | void;

/** A seat that one of several processes has at a time. */
export interface Election {
  /** True while this process leads, by the clock of this very moment: ask before each write. */
  isLeader(): boolean;
  /** The term that runs; null: somebody else leads, or nobody. */
  readonly term: Term | null;
  /** Told of each term that begins; what it throws is logged. What is answered ends the telling. */
  onTerm(listener: TermListener): () => void;
  /** Who led when the Lease was last seen; null: nobody, or it was not seen yet. */
  readonly leader: string | null;
  /** Resolves when the election has ended and the Lease, if it was ours, is released. */
  readonly ended: Promise<void>;
}

const usualTiming: ElectionTiming = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };
const releaseTimeoutMs = 3_000;

/** Begins to run for a Lease. */
export function startElection(settings: ElectionSettings): Election {
  return new LeaseElection(settings);
}

interface OwnTerm extends Term {
  readonly controller: AbortController;
  readonly work: Promise<void>[];
}

class LeaseElection implements Election {
  readonly ended: Promise<void>;
  readonly #settings: ElectionSettings;
  readonly #client: Pick<KubeClient, 'create' | 'read' | 'replace'>;
  readonly #timing: ElectionTiming;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #metrics: KubeMetrics;
  readonly #log: Log;
  readonly #listeners = new Set<TermListener>();
  #seen: KubeLease | null = null;
  /** When this process first saw the Lease as it is. */
  #seenSinceMs = 0;
  /** What was seen is what our own write answered: the next one may build on it unread. */
  #isCurrent = false;
  #term: OwnTerm | null = null;
  /** Until when this process may believe that it leads. */
  #trustedUntilMs = 0;
  #failures = 0;
  /** The one that ran when this process was told to stop. */
  #lastTerm: OwnTerm | null = null;

  constructor(settings: ElectionSettings) {
    this.#settings = settings;
    this.#client = settings.client.inLane('leases');
    this.#timing = { ...usualTiming, ...settings.timing };
    this.#clock = settings.clock ?? systemClock;
    this.#random = settings.random ?? (() => randomInt(2 ** 32) / 2 ** 32);
    this.#metrics = settings.metrics ?? silentKubeMetrics;
    this.#log = settings.log ?? silentLog;
    this.#metrics.leads(settings.name, false);
    settings.signal.addEventListener(
      'abort',
      () => {
        this.#lastTerm = this.#term;
        this.#lose('it is released');
      },
      { once: true },
    );
    this.ended = this.#run();
  }

  get term(): Term | null {
    return this.isLeader() ? this.#term : null;
  }

  get leader(): string | null {
    const holder = this.#seen?.spec.holderIdentity ?? '';
    return holder === '' ? null : holder;
  }

  isLeader(): boolean {
    if (this.#term === null) return false;
    if (this.#clock.monotonicMs() < this.#trustedUntilMs) return true;
    this.#lose('it could not be renewed in time');
    return false;
  }

  onTerm(listener: TermListener): () => void {
    this.#listeners.add(listener);
    const term = this.isLeader() ? this.#term : null;
    if (term !== null) this.#begin(listener, term);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async #run(): Promise<void> {
    const { signal } = this.#settings;
    while (!signal.aborted) {
      try {
        await this.#tryOnce();
        this.#failures = 0;
      } catch (error) {
        this.#isCurrent = false;
        this.#failures += 1;
        if (this.#failures === 3)
          this.#log.warn({ place: this.#settings.name, err: error }, 'a lease can be neither seen nor renewed');
      }
      const jitter = this.isLeader() ? 1 : 1 + this.#random() / 5;
      await this.#clock.sleep(this.#timing.retryMs * jitter, signal);
    }
    await this.#release();
  }

  async #tryOnce(): Promise<void> {
    const sentMs = this.#clock.monotonicMs();
    const lease = this.isLeader() && this.#isCurrent && this.#seen !== null ? this.#seen : await this.#look();
    const isOurs = lease.spec.holderIdentity === this.#settings.identity;
    if (this.isLeader() && !isOurs) this.#lose('another one holds the lease');
    if (isOurs || this.#isFree(lease)) await this.#hold(lease, sentMs);
  }

  #isFree({ spec }: KubeLease): boolean {
    if ((spec.holderIdentity ?? '') === '') return true;
    const durationMs = (spec.leaseDurationSeconds ?? 0) * 1000 || this.#timing.leaseMs;
    return this.#clock.monotonicMs() - this.#seenSinceMs >= durationMs;
  }

  async #look(): Promise<KubeLease> {
    const { namespace, name } = this.#settings;
    const limits = this.#limits();
    const found = await this.#client.read(leases, { namespace, name }, limits);
    const manifest = { metadata: { namespace, name }, spec: {} };
    const lease = found ?? (await this.#client.create(leases, manifest, limits)).object;
    if (lease.metadata.resourceVersion !== this.#seen?.metadata.resourceVersion)
      this.#seenSinceMs = this.#clock.monotonicMs();
    this.#seen = lease;
    return lease;
  }

  /** Writes our name, if nobody wrote since; `sentMs` is when we began to try. */
  async #hold(lease: KubeLease, sentMs: number): Promise<void> {
    const { namespace, name, identity } = this.#settings;
    const isNew = !this.isLeader();
    const now = microTime(this.#clock.nowMs());
    const transitions = (lease.spec.leaseTransitions ?? 0) + (isNew ? 1 : 0);
    const { resourceVersion } = lease.metadata;
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#timing.leaseMs / 1000),
      acquireTime: isNew ? now : (lease.spec.acquireTime ?? now),
      renewTime: now,
      leaseTransitions: transitions,
    };
    const manifest = { metadata: { namespace, name, resourceVersion }, spec };
    const outcome = await this.#client.replace(leases, manifest, this.#limits());
    this.#isCurrent = outcome.kind === 'done';
    if (outcome.kind !== 'done') return; // somebody was faster, or it was ours and the answer was lost: look again
    this.#seen = outcome.object;
    this.#seenSinceMs = this.#clock.monotonicMs();
    const untilMs = sentMs + this.#timing.renewMs;
    // Frozen meanwhile: what was granted is over already, and a term that was running ended with it.
    if (this.#clock.monotonicMs() >= untilMs || (!isNew && !this.isLeader())) return;
    if (this.#settings.signal.aborted) return;
    this.#trustedUntilMs = untilMs;
    if (isNew) this.#beginTerm(transitions);
  }

  #beginTerm(transitions: number): void {
    const controller = new AbortController();
    const term: OwnTerm = { controller, signal: controller.signal, transitions, work: [] };
    this.#term = term;
    this.#metrics.leads(this.#settings.name, true);
    this.#log.info({ place: this.#settings.name }, 'leads');
    void this.#endInTime(term);
    for (const listener of this.#listeners) this.#begin(listener, term);
  }

  #begin(listener: TermListener, term: OwnTerm): void {
    const work = async () => {
      await listener(term);
    };
    term.work.push(
      work().catch((error: unknown) => {
        this.#log.error({ place: this.#settings.name, err: error }, 'work of a leader failed');
      }),
    );
  }

  /** A renewal that hangs must not keep the work from hearing that its time is over. */
  async #endInTime(term: OwnTerm): Promise<void> {
    while (this.#term === term && this.isLeader())
      await this.#clock.sleep(this.#trustedUntilMs - this.#clock.monotonicMs(), term.signal);
  }

  #lose(why: string): void {
    const term = this.#term;
    if (term === null) return;
    this.#term = null;
    this.#metrics.leads(this.#settings.name, false);
    this.#log.info({ place: this.#settings.name, reason: why }, 'leads no more');
    term.controller.abort(
      new StaleError('queue.lease_lost', `${this.#settings.name} is led by this process no more: ${why}`),
    );
  }

  /** So that the next leader need not wait for our time to run out. */
  async #release(): Promise<void> {
    const lease = this.#seen;
    if (lease === null || !this.#isCurrent || lease.spec.holderIdentity !== this.#settings.identity) return;
    const over = new AbortController();
    const rest = this.#clock.sleep(this.#trustedUntilMs - this.#clock.monotonicMs(), over.signal);
    await Promise.race([Promise.all(this.#lastTerm?.work ?? []), rest]);
    over.abort();
    const { namespace, name } = this.#settings;
    const { resourceVersion } = lease.metadata;
    const now = microTime(this.#clock.nowMs());
    const spec = {
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: lease.spec.acquireTime ?? now,
      renewTime: now,
      leaseTransitions: lease.spec.leaseTransitions ?? 0,
    };
    const signal = AbortSignal.timeout(releaseTimeoutMs);
    const limits = { signal, timeoutMs: releaseTimeoutMs };
    try {
      await this.#client.replace(leases, { metadata: { namespace, name, resourceVersion }, spec }, limits);
    } catch (error) {
      this.#log.debug({ err: error }, 'the lease could not be released');
    }
  }

  /** Not ended by the signal: an answer that nobody waited for would leave the Lease to run out. */
  #limits() {
    const timeoutMs = this.#timing.renewMs / 2;
    return { signal: AbortSignal.timeout(timeoutMs), timeoutMs };
  }
}

/** As the API wants it: RFC 3339 with exactly six digits. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
