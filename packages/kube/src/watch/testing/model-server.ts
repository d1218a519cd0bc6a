import { Readable } from 'node:stream';
import { TransientError } from '@drydock/core';
import { z } from 'zod';
import type { CallLimits, ListQuery, WatchQuery } from '../../kube-client.ts';
import type { KubeStream } from '../../kube-transport.ts';
import { defineResource, ObjectMetadata, type KubeObject, type Resource } from '../../resource.ts';
import type { WatchSource } from '../start-watch.ts';

const Thing = z.object({ metadata: ObjectMetadata, colour: z.string() });
export type Thing = z.infer<typeof Thing>;

export const things = defineResource({
  group: 'example.com',
  version: 'v1',
  plural: 'things',
  kind: 'Thing',
  isNamespaced: true,
  schema: Thing,
});

const firstVersion = 98; // it gets one digit more soon: versions are no texts

interface Step {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Thing;
}

class Body extends Readable {
  complete = false;
  override _read(): void {
    // It is pushed to.
  }
}

/** What an API server tells of one kind, in memory: a history, lists as of a moment, watches from a version. */
export class ModelServer implements WatchSource {
  readonly #things = new Map<string, Thing>();
  #history: Step[] = [];
  #version = firstVersion;
  readonly #snapshots = new Map<number, readonly Thing[]>();
  #compacted = 0;
  #uids = 0;
  readonly #bodies = new Set<Body>();
  /** Faults: the next events are swallowed; lists and watches fail; a cache answers with what was so many versions ago. */
  swallow = 0;
  isDown = false;
  cacheLag = 0;
  lists = 0;
  watches = 0;

  inLane(): WatchSource {
    return this;
  }

  truth(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#things].map(([name, { colour }]) => [`ns/${name}`, colour]));
  }

  put(name: string, colour: string): void {
    const known = this.#things.get(name);
    this.#version += 1;
    const uid = known?.metadata.uid ?? `uid-${(this.#uids += 1)}`;
    const object = this.#thing(name, uid, colour);
    this.#things.set(name, object);
    this.#happen({ version: this.#version, type: known === undefined ? 'ADDED' : 'MODIFIED', object });
  }

  remove(name: string): void {
    const known = this.#things.get(name);
    if (known === undefined) return;
    this.#things.delete(name);
    this.#version += 1;
    const object = this.#thing(name, known.metadata.uid, known.colour);
    this.#happen({ version: this.#version, type: 'DELETED', object });
  }

  /** History before now is forgotten: watches from then are answered with 410. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history = [];
  }

  bookmark(): void {
    const metadata = { resourceVersion: String(this.#version) };
    this.#send(JSON.stringify({ type: 'BOOKMARK', object: { metadata } }));
  }

  /** Ends all watches; `broken`: inside a line, and by a reset. */
  cut(how: 'closed' | 'broken'): void {
    for (const body of this.#bodies) {
      this.#bodies.delete(body);
      if (how === 'closed') {
        body.complete = true;
        body.push(null);
      } else {
        body.push('{"type":"MODI');
        setImmediate(() => body.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' })));
      }
    }
  }

  /** All watches get a line that is none. */
  babble(): void {
    this.#send('{"type":"MODIFIED","object":{"metadata":');
  }

  /** Watches stay open and hear nothing more. */
  deafen(): void {
    this.#bodies.clear();
  }

  async listEach<T extends KubeObject>(
    resource: Resource<T>,
    { resourceVersion }: ListQuery,
    _limits: CallLimits,
    onObject: (object: T) => void,
  ): Promise<string> {
    this.lists += 1;
    if (this.isDown) throw new TransientError('kube.unavailable', 'down');
    const at = resourceVersion === undefined ? this.#version : Math.max(firstVersion, this.#version - this.cacheLag);
    for (const object of this.#snapshots.get(at) ?? []) onObject(resource.parse(object));
    return String(at);
  }

  async openWatch(_resource: Resource<KubeObject>, { resourceVersion }: WatchQuery): Promise<KubeStream> {
    this.watches += 1;
    if (this.isDown) throw new TransientError('kube.unavailable', 'down');
    const body = new Body();
    const from = Number(resourceVersion);
    if (from < this.#compacted) {
      body.push(`${JSON.stringify({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old' } })}\n`);
      body.complete = true;
      body.push(null);
    } else {
      this.#bodies.add(body);
      for (const { version, type, object } of this.#history)
        if (version > from) body.push(`${JSON.stringify({ type, object })}\n`);
    }
    return { status: 200, retryAfter: null, body };
  }

  #thing(name: string, uid: string, colour: string): Thing {
    const metadata = { name, namespace: 'ns', uid, resourceVersion: String(this.#version), creationTimestamp: '' };
    return Thing.parse({ metadata, colour });
  }

  #happen(step: Step): void {
    this.#history.push(step);
    this.#snapshots.set(step.version, [...this.#things.values()]);
    if (this.swallow > 0) this.swallow -= 1;
    else this.#send(JSON.stringify({ type: step.type, object: step.object }));
  }

  #send(line: string): void {
    for (const body of this.#bodies) body.push(`${line}\n`);
  }
}
