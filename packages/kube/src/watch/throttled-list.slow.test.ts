import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { systemClock, type Clock } from '@drydock/core';
import { pods } from '../builtin-resources.ts';
import { createKubeClient } from '../http-kube-client.ts';
import { plainAccess, until } from '../testing/use-control-plane.ts';
import { startWatch } from './start-watch.ts';

const podCount = 5000;
const wide = 'x'.repeat(8000); // what others write into pods: environment, volumes, managed fields

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as unknown;

/** Bytes in use after all garbage is gone. */
async function heapBytes(): Promise<number> {
  for (let time = 0; time < 3; time += 1) {
    if (typeof collect === 'function') Reflect.apply(collect, undefined, []);
    await turn();
  }
  return process.memoryUsage().heapUsed;
}

/** Pauses are over at once, as long as it may go on. What is longer than a minute is over only with its signal. */
class HastyClock implements Clock {
  #skippedMs = 0;
  #endMs = 0;
  #stopped = Promise.withResolvers<undefined>();
  #resumed = Promise.withResolvers<undefined>();

  nowMs = () => systemClock.nowMs() + this.#skippedMs;
  monotonicMs = () => systemClock.monotonicMs() + this.#skippedMs;

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 60_000) return systemClock.sleep(ms, signal);
    this.#skippedMs += ms;
    await turn();
    if (this.#skippedMs < this.#endMs || signal.aborted) return;
    this.#stopped.resolve(undefined);
    await this.#resumed.promise;
  }

  /** Resolves in the first pause after so long, which lasts until the next call. */
  async pass(ms: number): Promise<void> {
    this.#stopped = Promise.withResolvers();
    this.goOn(ms);
    await this.#stopped.promise;
  }

  goOn(ms = Infinity): void {
    this.#endMs = this.#skippedMs + ms;
    this.#resumed.resolve(undefined);
    this.#resumed = Promise.withResolvers();
  }
}

/** Speaks as much of the protocol as lists and watches of pods need; throttled, it gives half of a list and then 429. */
class PagingServer implements AsyncDisposable {
  /** Objects asked for by each request; null: all. */
  readonly asked: (number | null)[] = [];
  refused = 0;
  #isThrottled = false;
  readonly #watches = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => {
    const query = new URL(request.url ?? '/', 'http://x').searchParams;
    if (!query.has('watch')) this.#list(query, response);
    else if (this.#isThrottled) response.writeHead(410).end();
    else {
      response.writeHead(200).flushHeaders();
      this.#watches.add(response);
    }
  });

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${String(address.port)}`;
  }

  throttle(isThrottled: boolean): void {
    this.#isThrottled = isThrottled;
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  get isWatched(): boolean {
    return this.#watches.size > 0;
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('continue') ?? 0);
    const limit = query.has('limit') ? Number(query.get('limit')) : null;
    this.asked.push(limit);
    if (this.#isThrottled && limit === null) {
      response.writeHead(410).end(); // its cache is too old
      return;
    }
    if (this.#isThrottled && from >= podCount / 2) {
      this.refused += 1;
      response.writeHead(429, { 'retry-after': '5' }).end('Too many requests');
      return;
    }
    const to = Math.min(podCount, from + (limit ?? podCount));
    const items = Array.from({ length: to - from }, (_, index) => aPod(from + index));
    const metadata = { resourceVersion: '100', ...(to < podCount ? { continue: String(to) } : {}) };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ metadata, items }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function aPod(index: number): object {
  const name = `dd-${String(index)}`;
  const metadata = {
    name,
    namespace: 'tasks',
    uid: name,
    resourceVersion: '9',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return { metadata: { ...metadata, annotations: { wide } }, spec: {}, status: { phase: 'Running' } };
}

describe('a watch of 5,000 pods', () => {
  it('faults row 29, reported 19: takes no more memory in ten minutes of throttled lists, and asks as often as told', async () => {
    await using server = new PagingServer();
    const clock = new HastyClock();
    const client = createKubeClient({ access: plainAccess(await server.listen()), qps: 1000, burst: 1000, clock });
    const stop = new AbortController();
    const watched = startWatch({
      ...{ client, resource: pods, namespace: 'tasks', clock, signal: stop.signal },
      project: ({ metadata }) => metadata.name,
    });
    try {
      await watched.ready;
      server.throttle(true);
      await clock.pass(60_000);
      const startBytes = await heapBytes();
      const startRefused = server.refused;

      await clock.pass(600_000);

      const grownBytes = (await heapBytes()) - startBytes;
      expect(server.refused - startRefused).toBeLessThanOrEqual(600 / 5 + 1);
      expect(Math.max(...server.asked.slice(1).map((limit) => limit ?? 0))).toBe(500);
      // Less than one list as the server sends it: some pages may be under way. A hundred tries that each kept one of
      // their pages would be ten times as much.
      expect(grownBytes).toBeLessThan(podCount * wide.length);
      expect(watched.size).toBe(podCount);
      server.throttle(false);
      clock.goOn();
      await until(() => server.isWatched);
      expect(watched.size).toBe(podCount);
    } finally {
      stop.abort();
      clock.goOn();
      await watched.ended;
      client.close();
    }
  }, 120_000);
});
