/**
 * What a watch holds: of each object its identity, its version and a projection. All changes come through here, whether
 * an event, a new list or an audit told of them, and two rules keep them in order however they come: of one uid the
 * newer version stands, and a uid that is gone never comes back.
 */
import type { ObjectMetadata } from '../resource.ts';

/** A change of what is held. A name that another object took over is `gone` first, then `set`. */
export type Change<P> =
  | { readonly kind: 'set'; readonly key: string; readonly value: P; readonly previous: P | null }
  | { readonly kind: 'gone'; readonly key: string; readonly previous: P };

/** What identifies an object and its version. */
export type Identity = Pick<ObjectMetadata, 'name' | 'namespace' | 'uid' | 'resourceVersion'>;

/** An object as a list or event gave it. */
export interface Seen<P> {
  readonly identity: Identity;
  readonly value: P;
}

interface Held<P> {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly value: P;
}

/** `namespace/name`, or the name alone. */
export function keyOf(place: { readonly namespace?: string | undefined; readonly name: string }): string {
  return place.namespace === undefined ? place.name : `${place.namespace}/${place.name}`;
}

/** Versions are decimal numbers without leading zeros, compared without reading them: they may pass 2^53. */
export function isOlder(one: string, other: string): boolean {
  return one.length === other.length ? one < other : one.length < other.length;
}

/** Owns the held set of one watch. */
export class HeldObjects<P> {
  readonly #held = new Map<string, Held<P>>();
  readonly #tell: (change: Change<P>) => void;
  /** Uids that went since an audit began; null: no audit is on, and what a watch tells comes in order by itself. */
  #gone: Set<string> | null = null;

  constructor(tell: (change: Change<P>) => void) {
    this.#tell = tell;
  }

  get size(): number {
    return this.#held.size;
  }

  get(key: string): P | undefined {
    return this.#held.get(key)?.value;
  }

  *values(): Generator<P> {
    for (const { value } of this.#held.values()) yield value;
  }

  /** True if it was news. */
  set({ identity, value }: Seen<P>): boolean {
    const key = keyOf(identity);
    const { uid, resourceVersion } = identity;
    const held = this.#held.get(key);
    if (this.#gone?.has(uid) === true) return false;
    if (held?.uid === uid && !isOlder(held.resourceVersion, resourceVersion)) return false;
    if (held !== undefined && held.uid !== uid) {
      if (isOlder(resourceVersion, held.resourceVersion)) return false;
      this.#drop(key, held);
    }
    this.#held.set(key, { uid, resourceVersion, value });
    this.#tell({ kind: 'set', key, value, previous: held?.uid === uid ? held.value : null });
    return true;
  }

  remove(identity: Pick<Identity, 'name' | 'namespace' | 'uid'>): void {
    this.#gone?.add(identity.uid);
    const key = keyOf(identity);
    const held = this.#held.get(key);
    if (held?.uid === identity.uid) this.#drop(key, held);
  }

  /** Everything is what a list says; for when no watch runs. Its versions may even be lower: etcd may have been restored. */
  replaceAll(list: readonly Seen<P>[]): void {
    const uids = new Set(list.map(({ identity }) => identity.uid));
    for (const [key, held] of this.#held) if (!uids.has(held.uid)) this.#drop(key, held);
    for (const seen of list) {
      const key = keyOf(seen.identity);
      const held = this.#held.get(key);
      if (held !== undefined && isOlder(seen.identity.resourceVersion, held.resourceVersion))
        this.#held.set(key, { ...held, resourceVersion: '0' });
      this.set(seen);
    }
  }

  /** From now on until `endAudit` it is remembered what goes. */
  beginAudit(): void {
    this.#gone = new Set();
  }

  /** Puts right what a list of version `at` shows to be wrong; how much that was. */
  endAudit(list: readonly Seen<P>[], at: string): number {
    const uids = new Set(list.map(({ identity }) => identity.uid));
    let missed = 0;
    for (const [key, held] of this.#held) {
      if (uids.has(held.uid) || isOlder(at, held.resourceVersion)) continue;
      this.#drop(key, held);
      missed += 1;
    }
    for (const seen of list) if (this.set(seen)) missed += 1;
    this.#gone = null;
    return missed;
  }

  giveUpAudit(): void {
    this.#gone = null;
  }

  #drop(key: string, held: Held<P>): void {
    this.#gone?.add(held.uid);
    this.#held.delete(key);
    this.#tell({ kind: 'gone', key, previous: held.value });
  }
}
