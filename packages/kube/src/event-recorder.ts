/**
 * Events as `kubectl describe` shows them. The same event again (object, reason and message) is counted up on the one
 * that is there, as Kubernetes' own components do; recording waits for nobody and fails nothing: an event is a courtesy.
 */
import { createHash } from 'node:crypto';
import { silentLog, systemClock, type Clock, type Log } from '@drydock/core';
import { events } from './builtin-resources.ts';
import type { KubeClient } from './kube-client.ts';

/** What an event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  /** Of a subject that is not namespaced: absent; its events lie in `default`. */
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
}

/** One event. `reason` is one CamelCase word, `message` a sentence that names no secret. */
export interface NewEvent {
  readonly about: EventSubject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Who records, and until when. */
export interface EventRecorderSettings {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  /** `drydock-scheduler`. */
  readonly component: string;
  /** Tells this process from others of the component. */
  readonly instance: string;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** Writes events beside the work. */
export interface EventRecorder {
  record(event: NewEvent): void;
  /** Resolves when all that was recorded until now is written or given up. */
  flush(): Promise<void>;
}

/** Events of which the count is known; more are written anew. */
const maxKnown = 1_000;
/** The server forgets events after an hour. */
const forgetAfterMs = 50 * 60_000;
const maxMessage = 1_000;
const timeoutMs = 10_000;
/** What waits to be written; more are dropped: a storm of events must not hold back the work's own calls. */
const maxWaiting = 200;

interface Known {
  readonly name: string;
  readonly count: number;
  readonly atMs: number;
}

/** Makes a recorder; it writes one event after the other. */
export function createEventRecorder(settings: EventRecorderSettings): EventRecorder {
  const { client, component, instance, signal, clock = systemClock, log = silentLog } = settings;
  const known = new Map<string, Known>();
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();

  const write = async ({ about, type, reason, message }: NewEvent): Promise<void> => {
    const namespace = about.namespace ?? 'default';
    const key = createHash('sha256')
      .update(JSON.stringify([about.uid, type, reason, message]))
      .digest('hex');
    const now = new Date(clock.nowMs());
    const before = known.get(key);
    known.delete(key);
    if (before !== undefined && clock.monotonicMs() - before.atMs < forgetAfterMs) {
      const patch = { count: before.count + 1, lastTimestamp: wholeSeconds(now) };
      const outcome = await client.patch(events, { namespace, name: before.name }, patch, { signal, timeoutMs });
      if (outcome.kind === 'done') {
        known.set(key, { ...before, count: before.count + 1 });
        return;
      }
    }
    const name = `${about.name.slice(0, 200)}.${createHash('sha256').update(`${key}${instance}${now.getTime()}`).digest('hex').slice(0, 16)}`;
    const { apiVersion, kind, uid } = about;
    const involvedObject = {
      apiVersion,
      kind,
      name: about.name,
      uid,
      ...(about.namespace === undefined ? {} : { namespace }),
    };
    const manifest = {
      metadata: { namespace, name },
      involvedObject,
      type,
      reason,
      message: message.slice(0, maxMessage),
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
    };
    await client.create(events, manifest, { signal, timeoutMs });
    known.set(key, { name, count: 1, atMs: clock.monotonicMs() });
    for (const oldest of known.keys()) {
      if (known.size <= maxKnown) break;
      known.delete(oldest);
    }
  };

  return {
    record: (event) => {
      if (waiting >= maxWaiting || signal.aborted) return;
      waiting += 1;
      last = last
        .then(() => write(event))
        .catch((error: unknown) => {
          if (!signal.aborted) log.debug({ event: event.reason, err: error }, 'an event could not be written');
        })
        .finally(() => {
          waiting -= 1;
        });
    },
    flush: () => last,
  };
}

function wholeSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
