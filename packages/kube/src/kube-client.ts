import type { KubeStream, Lane } from './kube-transport.ts';
import type { KubeObject, Manifest, Resource } from './resource.ts';

/** Where an object is. A resource that is not namespaced takes no `namespace`. */
export interface ObjectPlace {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** The end of waiting for a call: the signal, or its time (all repetitions and their pauses included). */
export interface CallLimits {
  readonly signal: AbortSignal;
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

/** What a list is narrowed to. */
export interface ListQuery {
  readonly namespace?: string | undefined;
  /** As kubectl takes it: `drydock.dev/kind=review,!x`. */
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Objects in one answer; default 500, and with `resourceVersion: '0'` all. */
  readonly pageSize?: number;
  /**
   * '0': what the server has in its cache, cheap, perhaps old. Another version: from its cache if that is as new.
   * Absent: the truth of this moment.
   */
  readonly resourceVersion?: string | undefined;
}

/** What is watched, from where, and for how long the server keeps it open. */
export interface WatchQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
}

/** All objects of a list, read page by page. */
export interface KubeList<T> {
  readonly items: readonly T[];
  /** From where a watch goes on. */
  readonly resourceVersion: string;
}

/**
 * `created`: by this call. `found`: an object of that name is there, by somebody else or by an earlier try of ours whose
 * answer was lost; whose it is tell its labels and annotations.
 */
export interface CreateOutcome<T> {
  readonly kind: 'created' | 'found';
  readonly object: T;
}

/** `absent`: there is none. `conflict`: it is not the one that was meant, or was changed since: read it again. */
export type WriteOutcome<T> = { readonly kind: 'done'; readonly object: T } | { readonly kind: 'absent' | 'conflict' };

/** What is changed. */
export interface PatchCall extends CallLimits {
  /** `merge` (default): JSON merge patch. `apply`: server-side apply, which needs `fieldManager`; it takes fields over. */
  readonly form?: 'merge' | 'apply';
  readonly subresource?: 'status';
  readonly fieldManager?: string;
  /** With `merge`: refused as a conflict if the object is another or was changed since. */
  readonly precondition?: { readonly uid?: string; readonly resourceVersion?: string };
}

/** What is deleted and how. */
export interface DeleteCall extends CallLimits {
  /** The object meant: one that took its name since is left alone (`conflict`). Required, so that nobody forgets. */
  readonly uid: string | null;
  readonly resourceVersion?: string;
  /** What becomes of its dependents; default `Background`. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
  /** 0 takes a pod away without its kubelet's word: only for one whose node is lost. */
  readonly gracePeriodSeconds?: number;
}

/**
 * Calls of one API server. Within its time a call waits for its turn, waits as long as a 429 or 503 says, and is repeated
 * where that can do no harm; a create whose answer was lost is resolved by reading the name. What is left is thrown:
 * `kube.unreachable`, `kube.timeout`, `kube.throttled`, `kube.unavailable`, `kube.quota`, `kube.conflict`, `kube.gone`
 * (transient); `kube.rejected`, `kube.denied`, `kube.bad_answer` (terminal); `kube.unauthorized`, `kube.forbidden`,
 * `kube.not_found` (the namespace or the kind itself), `kube.tls` (blocked); `aborted`.
 */
export interface KubeClient {
  /** The manifest's own namespace and name say where. Without a name (TokenReview) the outcome is always `created`. */
  create<T extends KubeObject, M extends Manifest>(
    resource: Resource<T, M>,
    manifest: M,
    limits: CallLimits,
  ): Promise<CreateOutcome<T>>;
  /** The truth of this moment; null: there is none. */
  read<T extends KubeObject>(resource: Resource<T>, place: ObjectPlace, limits: CallLimits): Promise<T | null>;
  list<T extends KubeObject>(resource: Resource<T>, query: ListQuery, limits: CallLimits): Promise<KubeList<T>>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    place: ObjectPlace,
    patch: object,
    call: PatchCall,
  ): Promise<WriteOutcome<T>>;
  /** The manifest carries the `resourceVersion` that it was made from, or whatever is there is replaced. */
  replace<T extends KubeObject, M extends Manifest>(
    resource: Resource<T, M>,
    manifest: M & { readonly metadata: { readonly name: string } },
    call: CallLimits & { readonly subresource?: 'status' },
  ): Promise<WriteOutcome<T>>;
  /** `done`: it is asked to go; a pod goes in its grace period. */
  delete(resource: Resource<KubeObject>, place: ObjectPlace, call: DeleteCall): Promise<'done' | 'absent' | 'conflict'>;
  /** The same server over other connections: `watches` and `leases` take no turns and wait for nobody. */
  inLane(lane: Lane): KubeClient;
  /** `list`, an object at a time: what is made of each is all that stays in memory. The version to go on from. */
  listEach<T extends KubeObject>(
    resource: Resource<T>,
    query: ListQuery,
    limits: CallLimits,
    onObject: (object: T) => void,
  ): Promise<string>;
  /** One watch as the server gives it, an event in each line; `startWatch` makes something of it. Not repeated. */
  openWatch(resource: Resource<KubeObject>, query: WatchQuery, limits: CallLimits): Promise<KubeStream>;
  /**
   * What the API server's own clock says, which its timestamps are by; never ahead of it, but for a second behind. Null:
   * it has not answered yet.
   */
  serverTimeMs(): number | null;
  /** Ends its connections, also those of its lanes. */
  close(): void;
}
