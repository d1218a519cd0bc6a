/**
 * List, then watch, for as long as the process lives. client-node's informer ends for good at the first reset, 429 or
 * 503; this one ends when its signal is aborted and for no other reason.
 *
 *   list ── version ──▶ watch ──closed, broken, silent──▶ watch again from the last version (at once, else after a pause)
 *    ▲                    │
 *    └──gone, malformed───┘
 *
 * The first list may come from the server's cache. Each later one must be at least as new as what was seen, or be the
 * truth of its moment: nothing that is gone comes back because some cache lags. Every few minutes an audit lists the
 * truth beside the running watch, counts what no event told of, puts it right and renews the watch.
 */
import { randomInt } from 'node:crypto';
import { DrydockError, silentLog, systemClock, TransientError, type Clock, type Log } from '@drydock/core';
import { z } from 'zod';
import type { KubeClient } from '../kube-client.ts';
import { silentKubeMetrics, type KubeMetrics } from '../kube-metrics.ts';
import { ObjectMetadata, type KubeObject, type Resource } from '../resource.ts';
import { HeldObjects, isOlder, keyOf, type Change, type Identity, type Seen } from './held-objects.ts';
import { watchOnce, type WatchEnd, type WatchEvent, type WatchOutcome } from './watch-once.ts';

/** What a watch asks of a client. */
export type WatchSource = Pick<KubeClient, 'listEach' | 'openWatch'>;

/** What is watched, and what is kept of it. */
export interface WatchSettings<T extends KubeObject, P> {
  readonly client: { inLane(lane: 'watches'): WatchSource };
  readonly resource: Resource<T>;
  /** Absent: in all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What stays in memory of an object. */
  readonly project: (object: T) => P;
  /** Its abortion is the only end. */
  readonly signal: AbortSignal;
  readonly metrics?: KubeMetrics;
  readonly log?: Log;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly timing?: Partial<WatchTiming>;
}

/** Times of a watch. */
export interface WatchTiming {
  /** The server ends a watch after 240 to 300 s. */
  readonly watchSeconds: { readonly least: number; readonly most: number };
  /** After so long without a word a watch is renewed; the server sends a bookmark each minute. */
  readonly silentMs: number;
  /** Between two audits, with a tenth of jitter. */
  readonly auditMs: number;
  /** What an audit finds missing so long after its list was missed; before, it may be on its way. */
  readonly settleMs: number;
  /** The longest pause before another try. */
  readonly longestPauseMs: number;
}

const usualTiming: WatchTiming = {
  watchSeconds: { least: 240, most: 300 },
  silentMs: 90_000,
  auditMs: 300_000,
  settleMs: 5_000,
  longestPauseMs: 30_000,
};

/** A set of objects, kept as the server has it. Keys are `namespace/name`, or the name of what has no namespace. */
export interface Watched<P> {
  /** Resolves when the first list is held; rejects only when the watch is ended before. */
  readonly ready: Promise<void>;
  readonly isReady: boolean;
  readonly size: number;
  get(key: string): P | undefined;
  list(): readonly P[];
  /**
   * Told of each change after it is held; the first list comes as changes too. What it throws is logged and stops
   * nothing. What is answered ends it.
   */
  onChange(listener: (change: Change<P>) => void): () => void;
  /** Milliseconds since the server was last heard: how old what is held may be. */
  ageMs(): number;
  /** Resolves when the watch was ended and does no more. */
  readonly ended: Promise<void>;
}

/** Begins to watch. */
export function startWatch<T extends KubeObject, P>(settings: WatchSettings<T, P>): Watched<P> {
  return new ListWatch(settings);
}

const Meta = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    resourceVersion: z.string(),
  }),
});
/** A pause before the first repetition, doubled by each further one; the first is almost at once. */
const basePauseMs = 100;
/** Nobody's watch ends sooner than this, unless something is wrong. */
const shortestWatchMs = 1_000;
const listTimeoutMs = 60_000;
const atOnce: ReadonlySet<WatchEnd> = new Set<WatchEnd>(['closed', 'silent', 'gone', 'audit']);
/** A cache that is too far behind, or gives more at once than we take. */
const goOnWithTruth: ReadonlySet<string> = new Set(['kube.timeout', 'kube.bad_answer', 'kube.gone']);

class ListWatch<T extends KubeObject, P> implements Watched<P> {
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  isReady = false;
  readonly #settings: WatchSettings<T, P>;
  readonly #source: WatchSource;
  readonly #raw: Resource<KubeObject & { readonly raw: unknown }>;
  readonly #held: HeldObjects<P>;
  readonly #listeners = new Set<(change: Change<P>) => void>();
  readonly #timing: WatchTiming;
  readonly #metrics: KubeMetrics;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #firstList = Promise.withResolvers<undefined>();
  /** From where the next watch goes on; null: a list comes first. */
  #version: string | null = null;
  /** The newest version ever seen. */
  #newest = '0';
  /** Counts lists: an audit that one came in between means nothing. */
  #lists = 0;
  #heardMs: number;
  #failures = 0;
  #renew = new AbortController();

  constructor(settings: WatchSettings<T, P>) {
    const { resource, clock = systemClock, metrics = silentKubeMetrics, log = silentLog } = settings;
    this.#settings = settings;
    this.#source = settings.client.inLane('watches');
    this.#timing = { ...usualTiming, ...settings.timing };
    this.#clock = clock;
    this.#metrics = metrics;
    this.#log = log.child({ kind: resource.kind });
    this.#random = settings.random ?? (() => randomInt(2 ** 32) / 2 ** 32);
    this.#held = new HeldObjects((change) => {
      this.#tell(change);
    });
    // An object that cannot be parsed must not take the others with it: only its identity is parsed with the list.
    this.#raw = {
      ...resource,
      parse: (raw) => ({
        metadata: ObjectMetadata.parse(z.object({ metadata: z.unknown() }).parse(raw).metadata),
        raw,
      }),
    };
    this.#heardMs = clock.monotonicMs();
    this.ready = this.#firstList.promise;
    this.ready.catch(() => undefined); // who never waits for it is not told
    const forgetAge = metrics.watchAge(resource.kind, () => this.ageMs() / 1000);
    this.ended = Promise.all([this.#follow(), this.#audit()]).then(forgetAge);
  }

  get size(): number {
    return this.#held.size;
  }

  get(key: string): P | undefined {
    return this.#held.get(key);
  }

  list(): readonly P[] {
    return [...this.#held.values()];
  }

  onChange(listener: (change: Change<P>) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  ageMs(): number {
    return this.#clock.monotonicMs() - this.#heardMs;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#settings;
    while (!signal.aborted) {
      if (this.#version === null && !(await this.#relist())) continue;
      const version = this.#version;
      if (version === null) continue;
      const startMs = this.#clock.monotonicMs();
      const outcome = await this.#watch(version);
      if (outcome.end === 'aborted') break;
      this.#metrics.watchRestarted(this.#settings.resource.kind, outcome.end);
      if (outcome.end === 'gone' || outcome.end === 'malformed') this.#version = null;
      await this.#pauseAfter(outcome, this.#clock.monotonicMs() - startMs);
    }
    this.#firstList.reject(new TransientError('aborted', 'the watch was ended', { cause: signal.reason }));
  }

  #watch(resourceVersion: string): Promise<WatchOutcome> {
    const { resource, namespace, labelSelector, fieldSelector, signal } = this.#settings;
    const { least, most } = this.#timing.watchSeconds;
    const timeoutSeconds = Math.round(least + this.#random() * (most - least));
    this.#renew = new AbortController();
    return watchOnce({
      open: (stop) =>
        this.#source.openWatch(
          resource,
          { namespace, labelSelector, fieldSelector, resourceVersion, timeoutSeconds },
          { signal: stop, timeoutMs: Math.min(this.#timing.silentMs, 30_000) },
        ),
      onEvent: (event) => this.#take(event),
      onWord: () => {
        this.#heardMs = this.#clock.monotonicMs();
      },
      silentMs: this.#timing.silentMs,
      signal,
      renew: this.#renew.signal,
      clock: this.#clock,
    });
  }

  #take(event: WatchEvent): boolean {
    if (event.kind === 'bookmark') {
      this.#advance(event.resourceVersion);
      return true;
    }
    const parsed = Meta.safeParse(event.object);
    if (!parsed.success) return false;
    const identity = parsed.data.metadata;
    if (event.kind === 'gone') this.#held.remove(identity);
    else {
      const seen = this.#see(identity, event.object);
      if (seen !== null) this.#held.set(seen);
    }
    this.#advance(identity.resourceVersion);
    return true;
  }

  #advance(version: string): void {
    this.#version = version;
    if (isOlder(this.#newest, version)) this.#newest = version;
  }

  /** False: it failed, and its pause is over. */
  async #relist(): Promise<boolean> {
    const isFirst = !this.isReady;
    try {
      // A cache may answer if it is as new as what was seen; one that says it is not, or lies, is passed over.
      let listed = await this.#list(isFirst ? '0' : this.#newest).catch((error: unknown) => {
        if (error instanceof DrydockError && goOnWithTruth.has(error.code)) return null;
        throw error;
      });
      if (listed === null || isOlder(listed.version, this.#newest)) listed = await this.#list(undefined);
      this.#lists += 1;
      this.#held.replaceAll(listed.seen);
      this.#version = listed.version;
      this.#newest = listed.version;
      this.#heardMs = this.#clock.monotonicMs();
    } catch (error) {
      if (this.#settings.signal.aborted) return false;
      this.#metrics.watchRestarted(this.#settings.resource.kind, 'list');
      await this.#pauseAfter({ end: 'refused', error }, 0);
      return false;
    }
    if (isFirst) {
      this.isReady = true;
      this.#firstList.resolve(undefined);
    }
    return true;
  }

  async #list(resourceVersion: string | undefined): Promise<{ readonly seen: Seen<P>[]; readonly version: string }> {
    const { namespace, labelSelector, fieldSelector, signal } = this.#settings;
    const seen: Seen<P>[] = [];
    const query = { namespace, labelSelector, fieldSelector, resourceVersion };
    const version = await this.#source.listEach(
      this.#raw,
      query,
      { signal, timeoutMs: listTimeoutMs },
      ({ metadata, raw }) => {
        const one = this.#see(metadata, raw);
        if (one !== null) seen.push(one);
      },
    );
    return { seen, version };
  }

  async #pauseAfter({ end, error }: WatchOutcome, livedMs: number): Promise<void> {
    if (livedMs >= shortestWatchMs) this.#failures = 0;
    if (livedMs >= shortestWatchMs && atOnce.has(end)) return;
    this.#failures += 1;
    const toldMs = error instanceof TransientError ? error.retryAfterMs : null;
    const backoffMs = Math.min(this.#timing.longestPauseMs, basePauseMs * 2 ** Math.min(this.#failures - 1, 20));
    const pauseMs = Math.max(toldMs ?? 0, backoffMs * (0.5 + this.#random() / 2));
    const facts = { reason: end, delayMs: Math.round(pauseMs), count: this.#failures, err: error ?? undefined };
    // The first failures are a server that restarts.
    if (this.#failures > 3) this.#log.warn(facts, 'watch begins again');
    else this.#log.debug(facts, 'watch begins again');
    await this.#clock.sleep(pauseMs, this.#settings.signal);
  }

  async #audit(): Promise<void> {
    const { signal, resource } = this.#settings;
    for (;;) {
      await this.#clock.sleep(this.#timing.auditMs * (0.9 + this.#random() / 5), signal);
      if (signal.aborted) return;
      if (this.#version === null) continue;
      const missed = await this.#auditOnce().catch((error: unknown) => {
        if (!signal.aborted) this.#log.debug({ err: error }, 'audit of a watch failed');
        return 0;
      });
      this.#held.giveUpAudit();
      if (missed === 0) continue;
      this.#metrics.missedEvents(resource.kind, missed);
      this.#log.warn({ count: missed }, 'events were missed');
      this.#renew.abort();
    }
  }

  async #auditOnce(): Promise<number> {
    const { signal } = this.#settings;
    const lists = this.#lists;
    const newest = this.#newest;
    this.#held.beginAudit();
    const { seen, version } = await this.#list(undefined);
    await this.#clock.sleep(this.#timing.settleMs, signal);
    if (signal.aborted || lists !== this.#lists || isOlder(version, newest)) return 0;
    return this.#held.endAudit(seen, version);
  }

  #see(identity: Identity, raw: unknown): Seen<P> | null {
    const { resource, project } = this.#settings;
    try {
      return { identity, value: project(resource.parse(raw)) };
    } catch (error) {
      this.#metrics.watchRestarted(resource.kind, 'unreadable-object');
      this.#log.warn({ place: keyOf(identity), err: error }, 'an object cannot be read');
      return null;
    }
  }

  #tell(change: Change<P>): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#log.error({ err: error }, 'a listener of a watch threw');
      }
    }
  }
}
