import { randomInt } from 'node:crypto';
import { systemClock, TerminalError, TransientError, type Clock } from '@drydock/core';
import { z } from 'zod';
import type { KubeAccess } from './kube-access.ts';
import type {
  CallLimits,
  CreateOutcome,
  DeleteCall,
  KubeClient,
  KubeList,
  ListQuery,
  ObjectPlace,
  PatchCall,
  WatchQuery,
  WriteOutcome,
} from './kube-client.ts';
import { badAnswer, failureOf } from './kube-error.ts';
import { silentKubeMetrics, type KubeMetrics } from './kube-metrics.ts';
import {
  CallFailed,
  createKubeTransport,
  type KubeAnswer,
  type KubeRequest,
  type KubeStream,
  type KubeTransport,
  type Lane,
} from './kube-transport.ts';
import { repeatCall } from './repeat-call.ts';
import { resourcePath } from './resource-path.ts';
import { apiVersionOf, type KubeObject, type Manifest, type Resource } from './resource.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';

/** What a client is made of. */
export interface KubeClientSettings {
  readonly access: KubeAccess;
  /** Turns for calls in one second, and at once; default 20 and 40. Watches and leases take none. */
  readonly qps?: number;
  readonly burst?: number;
  readonly metrics?: KubeMetrics;
  readonly clock?: Clock;
  readonly random?: () => number;
}

const defaultTimeoutMs = 30_000;
/** One try of a call; the rest of its time is for other tries. */
const tryMs: Readonly<Record<Lane, number>> = { calls: 10_000, watches: 60_000, leases: 5_000 };
const listPage = 500;
/** Creates of one name, when the answer was lost and nothing of that name is there. */
const maxCreates = 4;
const createPauseMs = 100;
const maxListBytes = 64 * 1024 * 1024;

const ListBody = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullish(),
});

/** Connects to one API server; connections are made when they are needed. */
export function createKubeClient(settings: KubeClientSettings): KubeClient {
  const clock = settings.clock ?? systemClock;
  return new HttpKubeClient('calls', {
    transport: createKubeTransport(settings.access),
    bucket: createTokenBucket(settings.qps ?? 20, settings.burst ?? 40, clock),
    metrics: settings.metrics ?? silentKubeMetrics,
    clock,
    random: settings.random ?? (() => randomInt(2 ** 32) / 2 ** 32),
  });
}

interface Shared {
  readonly transport: KubeTransport;
  readonly bucket: TokenBucket;
  readonly metrics: KubeMetrics;
  readonly clock: Clock;
  readonly random: () => number;
}

/** One try: what it is counted as, and what is sent. */
interface Call extends Pick<KubeRequest, 'method' | 'path' | 'body' | 'contentType' | 'maxBytes'> {
  readonly verb: string;
  readonly isRepeatable: boolean;
}

class HttpKubeClient implements KubeClient {
  readonly #lane: Lane;
  readonly #shared: Shared;

  constructor(lane: Lane, shared: Shared) {
    this.#lane = lane;
    this.#shared = shared;
  }

  inLane(lane: Lane): KubeClient {
    return new HttpKubeClient(lane, this.#shared);
  }

  async create<T extends KubeObject, M extends Manifest>(
    resource: Resource<T, M>,
    manifest: M,
    limits: CallLimits,
  ): Promise<CreateOutcome<T>> {
    const { name, namespace } = manifest.metadata ?? {};
    const post: Call = {
      verb: 'create',
      method: 'POST',
      path: resourcePath(resource, { namespace }),
      body: bodyOf(resource, manifest),
      isRepeatable: name === undefined,
    };
    const { clock, random } = this.#shared;
    const endMs = clock.monotonicMs() + (limits.timeoutMs ?? defaultTimeoutMs);
    for (let tries = 1; ; tries += 1) {
      const left = { signal: limits.signal, timeoutMs: endMs - clock.monotonicMs() };
      try {
        return { kind: 'created', object: await this.#object(resource, post, left) };
      } catch (error) {
        if (!(error instanceof CallFailed)) throw error;
        const { failure } = error;
        const isLost = failure.effect === 'unknown' || failure.status === 409;
        if (!isLost || name === undefined) throw failure.error;
        // The name is never given twice, so what has it now is what this call made, or what it must not touch.
        const object = await this.read(resource, { namespace, name }, left).catch((why: unknown) => {
          throw limits.signal.aborted ? why : failure.error;
        });
        if (object !== null) return { kind: 'found', object };
        const pauseMs = (1 + random()) * createPauseMs * 2 ** tries;
        if (tries >= maxCreates || clock.monotonicMs() + pauseMs >= endMs) throw failure.error;
        await clock.sleep(pauseMs, limits.signal);
      }
    }
  }

  async read<T extends KubeObject>(resource: Resource<T>, place: ObjectPlace, limits: CallLimits): Promise<T | null> {
    const get: Call = { verb: 'get', method: 'GET', path: resourcePath(resource, place), isRepeatable: true };
    try {
      return await this.#object(resource, get, limits);
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw plainError(error);
    }
  }

  async list<T extends KubeObject>(resource: Resource<T>, query: ListQuery, limits: CallLimits): Promise<KubeList<T>> {
    const items: T[] = [];
    const resourceVersion = await this.listEach(resource, query, limits, (object) => items.push(object));
    return { items, resourceVersion };
  }

  async listEach<T extends KubeObject>(
    resource: Resource<T>,
    { namespace, pageSize = listPage, ...query }: ListQuery,
    limits: CallLimits,
    onObject: (object: T) => void,
  ): Promise<string> {
    // From its cache the server gives all at once whatever the limit is.
    const page =
      query.resourceVersion === undefined
        ? { limit: pageSize }
        : { resourceVersionMatch: query.resourceVersion === '0' ? undefined : 'NotOlderThan' };
    let next: string | undefined;
    do {
      const path = resourcePath(resource, { namespace }, { ...query, ...page, continue: next });
      const get: Call = { verb: 'list', method: 'GET', path, isRepeatable: true, maxBytes: maxListBytes };
      const what = `list ${resource.plural}`;
      const body = await this.#call(resource, get, limits).catch((error: unknown) => {
        throw plainError(error);
      });
      const { metadata, items } = parsed(what, () => ListBody.parse(JSON.parse(body)));
      for (const item of items ?? []) onObject(parsed(what, () => resource.parse(item)));
      if (metadata.continue === undefined || metadata.continue === '') return metadata.resourceVersion;
      next = metadata.continue;
    } while (!limits.signal.aborted);
    throw new TransientError('aborted', 'the call was given up', { cause: limits.signal.reason });
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    { namespace, name }: ObjectPlace,
    patch: object,
    call: PatchCall,
  ): Promise<WriteOutcome<T>> {
    const { form = 'merge', subresource, fieldManager, precondition } = call;
    const body =
      form === 'apply'
        ? { apiVersion: apiVersionOf(resource), kind: resource.kind, ...patch }
        : { ...patch, ...(precondition === undefined ? {} : { metadata: { ...metadataOf(patch), ...precondition } }) };
    const patched: Call = {
      verb: form === 'apply' ? 'apply' : 'patch',
      method: 'PATCH',
      path: resourcePath(
        resource,
        { namespace, name, subresource },
        { fieldManager, force: form === 'apply' ? true : undefined },
      ),
      contentType: form === 'apply' ? 'application/apply-patch+yaml' : 'application/merge-patch+json',
      body: JSON.stringify(body),
      isRepeatable: form === 'apply' || precondition?.resourceVersion !== undefined,
    };
    try {
      return await this.#write(resource, call, patched);
    } catch (error) {
      // A patch with another object's uid is to the server an attempt to change the uid.
      if (precondition?.uid !== undefined && error instanceof TerminalError && error.message.includes('metadata.uid:'))
        return { kind: 'conflict' };
      throw error;
    }
  }

  async replace<T extends KubeObject, M extends Manifest>(
    resource: Resource<T, M>,
    manifest: M & { readonly metadata: { readonly name: string } },
    call: CallLimits & { readonly subresource?: 'status' },
  ): Promise<WriteOutcome<T>> {
    const { name, namespace } = manifest.metadata;
    return this.#write(resource, call, {
      verb: 'update',
      method: 'PUT',
      path: resourcePath(resource, { namespace, name, subresource: call.subresource }),
      body: bodyOf(resource, manifest),
      isRepeatable: manifest.metadata.resourceVersion !== undefined,
    });
  }

  async delete(
    resource: Resource<KubeObject>,
    place: ObjectPlace,
    call: DeleteCall,
  ): Promise<'done' | 'absent' | 'conflict'> {
    const { uid, resourceVersion, propagation = 'Background', gracePeriodSeconds } = call;
    const preconditions = {
      ...(uid === null ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: propagation,
      preconditions,
      gracePeriodSeconds,
    };
    const remove: Call = {
      verb: 'delete',
      method: 'DELETE',
      path: resourcePath(resource, place),
      body: JSON.stringify(body),
      isRepeatable: true,
    };
    try {
      await this.#call(resource, remove, call);
      return 'done';
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) return 'absent';
      if (status === 409) return 'conflict';
      throw plainError(error);
    }
  }

  openWatch(
    resource: Resource<KubeObject>,
    { namespace, ...query }: WatchQuery,
    limits: CallLimits,
  ): Promise<KubeStream> {
    return this.#open(resource, {
      lane: 'watches',
      method: 'GET',
      path: resourcePath(resource, { namespace }, { ...query, watch: true, allowWatchBookmarks: true }),
      what: `watch ${resource.plural}`,
      signal: limits.signal,
      timeoutMs: limits.timeoutMs ?? tryMs.watches,
    });
  }

  serverTimeMs(): number | null {
    return this.#shared.transport.serverTimeMs();
  }

  close(): void {
    this.#shared.transport.close();
  }

  async #open({ kind }: Resource<KubeObject>, request: KubeRequest): Promise<KubeStream> {
    const { transport, metrics } = this.#shared;
    try {
      const stream = await transport.open(request);
      metrics.requested('watch', kind, String(stream.status));
      return stream;
    } catch (error) {
      if (error instanceof CallFailed) metrics.requested('watch', kind, codeOf(error));
      throw error;
    }
  }

  async #write<T extends KubeObject>(resource: Resource<T>, limits: CallLimits, call: Call): Promise<WriteOutcome<T>> {
    try {
      return { kind: 'done', object: await this.#object(resource, call, limits) };
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) return { kind: 'absent' };
      if (status === 409) return { kind: 'conflict' };
      throw plainError(error);
    }
  }

  /** Throws `CallFailed`, which the caller makes plain. */
  async #object<T extends KubeObject>(resource: Resource<T>, call: Call, limits: CallLimits): Promise<T> {
    const body = await this.#call(resource, call, limits);
    return parsed(`${call.verb} ${resource.plural}`, () => resource.parse(JSON.parse(body)));
  }

  #call(
    resource: Resource<KubeObject>,
    call: Call,
    { signal, timeoutMs = defaultTimeoutMs }: CallLimits,
  ): Promise<string> {
    const { clock, random } = this.#shared;
    return repeatCall({ isRepeatable: call.isRepeatable, signal, timeoutMs }, clock, random, (leftMs) =>
      this.#once(resource, call, signal, leftMs),
    );
  }

  async #once(resource: Resource<KubeObject>, call: Call, signal: AbortSignal, leftMs: number): Promise<string> {
    const { transport, bucket, metrics, clock } = this.#shared;
    const { verb, isRepeatable, ...request } = call;
    const what = `${verb} ${resource.plural}`;
    const startMs = clock.monotonicMs();
    if (this.#lane === 'calls') {
      const waitedMs = await bucket.take(signal, leftMs);
      if (waitedMs === null) throw new TransientError('kube.throttled', `no turn to ${what} within its time`);
      if (waitedMs > 0) metrics.throttled(waitedMs / 1000);
    }
    const timeoutMs = Math.ceil(Math.min(tryMs[this.#lane], leftMs - (clock.monotonicMs() - startMs)));
    // A process that was frozen meanwhile must not write what it had the right to before.
    if (timeoutMs <= 0) throw new TransientError('kube.timeout', `no time is left to ${what}`);
    let answer: KubeAnswer;
    try {
      answer = await transport.send({ ...request, what, lane: this.#lane, signal, timeoutMs });
    } catch (error) {
      if (error instanceof CallFailed) metrics.requested(verb, resource.kind, codeOf(error));
      throw error;
    }
    metrics.requested(verb, resource.kind, String(answer.status));
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    const failure = failureOf(what, answer);
    if (answer.status === 429 && this.#lane === 'calls' && failure.error instanceof TransientError)
      bucket.pause(failure.error.retryAfterMs ?? 0);
    throw new CallFailed(failure);
  }
}

function bodyOf(resource: Resource<KubeObject>, manifest: Manifest): string {
  return JSON.stringify({ ...manifest, apiVersion: apiVersionOf(resource), kind: resource.kind });
}

function metadataOf(patch: object): object {
  return 'metadata' in patch && typeof patch.metadata === 'object' && patch.metadata !== null ? patch.metadata : {};
}

function codeOf({ failure }: CallFailed): string {
  return failure.error.code.replace('kube.', '');
}

function statusOf(error: unknown): number | null {
  return error instanceof CallFailed ? error.failure.status : null;
}

function plainError(error: unknown): unknown {
  return error instanceof CallFailed ? error.failure.error : error;
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw badAnswer(what, 'is not what its kind says', cause);
  }
}
