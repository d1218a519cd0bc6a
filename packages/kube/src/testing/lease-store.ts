import { TransientError, type Clock } from '@drydock/core';
import type { ManualClock } from '@drydock/testkit';
import { leases, type KubeLease } from '../builtin-resources.ts';
import type { CallLimits, CreateOutcome, ObjectPlace, WriteOutcome } from '../kube-client.ts';
import type { KubeObject, Manifest, Resource } from '../resource.ts';

/** One Lease, as an API server keeps it, for several candidates that may be frozen or cut off. */
export class LeaseStore {
  #version = 0;
  #lease: KubeLease | null = null;
  writes = 0;

  get lease(): KubeLease | null {
    return this.#lease;
  }

  put(manifest: Manifest): KubeLease {
    this.#version += 1;
    this.writes += 1;
    const metadata = {
      ...manifest.metadata,
      uid: 'one',
      resourceVersion: String(this.#version),
      creationTimestamp: '',
    };
    this.#lease = leases.parse({ ...manifest, metadata });
    return this.#lease;
  }
}

/** A process: its own wall clock, which may be frozen as by SIGSTOP, and its own way to the store. */
export class Candidate implements Clock {
  readonly #clock: ManualClock;
  readonly #store: LeaseStore;
  readonly #skewMs: number;
  #thawed: PromiseWithResolvers<void> | null = null;
  /** `lost`: writes are done, their answers never come. */
  way: 'open' | 'refused' | 'lost' = 'open';

  constructor(clock: ManualClock, store: LeaseStore, skewMs = 0) {
    this.#clock = clock;
    this.#store = store;
    this.#skewMs = skewMs;
  }

  get isFrozen(): boolean {
    return this.#thawed !== null;
  }

  freeze(): void {
    this.#thawed ??= Promise.withResolvers();
  }

  thaw(): void {
    this.#thawed?.resolve();
    this.#thawed = null;
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.#skewMs;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
    await this.#thawed?.promise;
  }

  inLane() {
    return this;
  }

  async read<T extends KubeObject>(resource: Resource<T>, _place: ObjectPlace, limits: CallLimits): Promise<T | null> {
    return this.#call(limits, () => (this.#store.lease === null ? null : resource.parse(this.#store.lease)));
  }

  async create<T extends KubeObject, M extends Manifest>(
    resource: Resource<T, M>,
    manifest: M,
    limits: CallLimits,
  ): Promise<CreateOutcome<T>> {
    return this.#call(limits, () => {
      const kind = this.#store.lease === null ? 'created' : 'found';
      return { kind, object: resource.parse(this.#store.lease ?? this.#store.put(manifest)) };
    });
  }

  async replace<T extends KubeObject, M extends Manifest>(
    resource: Resource<T, M>,
    manifest: M & { readonly metadata: { readonly name: string } },
    limits: CallLimits,
  ): Promise<WriteOutcome<T>> {
    return this.#call(limits, () => {
      if (this.#store.lease === null) return { kind: 'absent' };
      if (this.#store.lease.metadata.resourceVersion !== manifest.metadata.resourceVersion) return { kind: 'conflict' };
      return { kind: 'done', object: resource.parse(this.#store.put(manifest)) };
    });
  }

  async #call<A>({ timeoutMs = 30_000 }: CallLimits, act: () => A): Promise<A> {
    const { way } = this;
    const answer = way === 'refused' ? null : { value: act() };
    if (way !== 'open') await this.#clock.sleep(timeoutMs, new AbortController().signal);
    await this.#thawed?.promise; // what was sent is done, however long its sender sleeps
    if (answer === null || way === 'lost') throw new TransientError('kube.timeout', 'no answer');
    return answer.value;
  }
}
