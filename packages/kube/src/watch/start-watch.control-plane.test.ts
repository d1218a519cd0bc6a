import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import type { KubeFaultProxy, KubeProxyRequest } from '@drydock/testkit';
import { createKubeClient } from '../http-kube-client.ts';
import { silentKubeMetrics } from '../kube-metrics.ts';
import type { KubeClient } from '../kube-client.ts';
import { configMaps, plainAccess, until, useControlPlane, type ControlPlane } from '../testing/use-control-plane.ts';
import { startWatch, type Watched, type WatchTiming } from './start-watch.ts';

let plane: ControlPlane;
let proxy: KubeFaultProxy;
let client: KubeClient;
let stop: AbortController;
let causes: string[];
let missed: number;
let prefix: string;
let count = 0;
beforeAll(async () => {
  plane = await useControlPlane();
});
afterAll(async () => {
  await plane[Symbol.asyncDispose]();
});
beforeEach(async () => {
  proxy = await plane.startProxy();
  client = createKubeClient({ access: plainAccess(proxy.url), qps: 1000, burst: 1000 });
  stop = new AbortController();
  causes = [];
  missed = 0;
  prefix = `test-${(count += 1)}`;
});
afterEach(async () => {
  stop.abort();
  client.close();
  await proxy[Symbol.asyncDispose]();
});

function watch(timing: Partial<WatchTiming> = {}): Watched<string> {
  return startWatch({
    client,
    resource: configMaps,
    namespace: plane.namespace,
    labelSelector: `drydock.dev/test=${prefix}`,
    project: ({ metadata, data }) => `${metadata.name}=${data['n'] ?? ''}`,
    signal: stop.signal,
    timing,
    metrics: {
      ...silentKubeMetrics,
      watchRestarted: (_kind, cause) => causes.push(cause),
      missedEvents: (_kind, events) => {
        missed += events;
      },
    },
  });
}

const isWatch = ({ verb }: KubeProxyRequest) => verb === 'watch';
const isList = ({ verb }: KubeProxyRequest) => verb === 'list';
const lists = () => proxy.requests.filter(isList).length;

/** Straight to the server: creates, changes and deletes a few objects, and ends with `left` of them. */
async function churn(rounds: number, left: number): Promise<string[]> {
  const { namespace, signal } = plane;
  const labels = { 'drydock.dev/test': prefix };
  for (let round = 0; round < rounds; round += 1) {
    const place = { namespace, name: `${prefix}-${round}` };
    await plane.client.create(configMaps, { metadata: { ...place, labels } }, { signal });
    await plane.client.patch(configMaps, place, { data: { n: String(round) } }, { signal });
    if (round < rounds - left) await plane.client.delete(configMaps, place, { uid: null, signal });
  }
  const { items } = await plane.client.list(
    configMaps,
    { namespace, labelSelector: `drydock.dev/test=${prefix}` },
    { signal },
  );
  return items.map(({ metadata, data }) => `${metadata.name}=${data['n'] ?? ''}`).sort();
}

describe('a watch of a real API server', () => {
  it('holds what is there and follows it, with one list and one watch', async () => {
    const before = await churn(3, 2);
    const watched = watch();
    await watched.ready;
    const first = [...watched.list()].sort();

    await plane.client.delete(
      configMaps,
      { namespace: plane.namespace, name: `${prefix}-1` },
      { uid: null, signal: plane.signal },
    );
    await until(() => watched.size === 1);

    expect(first).toEqual(before);
    expect([lists(), proxy.requests.filter(isWatch).length]).toEqual([1, 1]);
  });

  it.each(['cut', 'break'] as const)(
    'faults row 32, reported 42: cut off again and again (%s), it ends with the truth',
    async (how) => {
      proxy.add(isWatch, { kind: 'watch', change: (_line, index) => (index >= 2 ? how : 'pass') });
      const watched = watch({ longestPauseMs: 500 });
      await watched.ready;

      const truth = await churn(10, 4);

      await until(() => same(watched, truth));
      expect(proxy.requests.filter(isWatch).length).toBeGreaterThan(3);
      expect(lists()).toBe(1);
    },
  );

  it('faults row 32, reported 43: events that are swallowed are found by the audit and counted', async () => {
    proxy.add(isWatch, { kind: 'watch', change: (_line, index) => (index % 3 === 0 ? 'drop' : 'pass') });
    const watched = watch({ auditMs: 1_000, settleMs: 300 });
    await watched.ready;

    const truth = await churn(9, 5);

    await until(() => same(watched, truth) && missed > 0);
    expect(missed).toBeGreaterThan(0);
  });

  it('faults row 32: 410, as an answer and in the stream, is a new list', async () => {
    const watched = watch();
    await watched.ready;
    await until(() => proxy.watches === 1);

    const gone = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } };
    proxy.add(isWatch, { kind: 'answer', status: 410, reason: 'Gone' }, 1);
    proxy.add(isWatch, { kind: 'watch', change: () => ({ line: JSON.stringify(gone) }) }, 1);
    proxy.resetAll();
    await until(() => proxy.requests.filter(isWatch).length === 3);
    const truth = await churn(4, 2);

    await until(() => causes.filter((cause) => cause === 'gone').length === 2 && same(watched, truth));
    expect(lists()).toBe(3);
  });

  it('faults row 32: a line that is no event is counted, and the list says the rest', async () => {
    proxy.add(isWatch, { kind: 'watch', change: () => ({ line: '{"type":"ADDED","obj' }) }, 1);
    const watched = watch();
    await watched.ready;

    const truth = await churn(3, 2);

    await until(() => same(watched, truth));
    expect(causes).toContain('malformed');
  });

  it.each([429, 500, 503])('reported 42 and 43: %i on lists and watches is waited out', async (status) => {
    proxy.add(isList, { kind: 'answer', status, retryAfterSeconds: 0 }, 7);
    proxy.add(isWatch, { kind: 'answer', status, retryAfterSeconds: 0 }, 4);
    const watched = watch({ longestPauseMs: 300 });

    const truth = await churn(3, 2);
    await watched.ready;

    await until(() => same(watched, truth));
  });

  it('reported 42: a half-open watch is renewed', async () => {
    proxy.add(isWatch, { kind: 'watch', change: () => 'stall' }, 1);
    const watched = watch({ silentMs: 1_500 });
    await watched.ready;

    const truth = await churn(3, 2);

    await until(() => same(watched, truth));
    expect(causes).toContain('silent');
  });

  it('reported 24: a list from a cache that is behind is passed over, and nothing that is gone comes back', async () => {
    await churn(3, 3);
    const watched = watch();
    await watched.ready;
    await until(() => proxy.watches === 1);
    const set: string[] = [];
    watched.onChange((change) => {
      if (change.kind === 'set') set.push(change.key);
    });
    const { namespace, signal } = plane;
    const place = { namespace, name: `${prefix}-0` };
    await plane.client.delete(configMaps, place, { uid: null, signal });
    await until(() => watched.size === 2);

    const old = (await plane.client.list(configMaps, { namespace }, { signal })).resourceVersion;
    const stale = { kind: 'ConfigMapList', metadata: { resourceVersion: String(Number(old) - 100) }, items: [] };
    proxy.add((request) => isList(request) && request.url.includes('NotOlderThan'), {
      kind: 'answer',
      status: 200,
      body: JSON.stringify(stale),
    });
    proxy.add(isWatch, { kind: 'answer', status: 410 }, 1);
    proxy.resetAll();

    await until(() => causes.includes('gone') && proxy.watches === 1);
    expect(watched.size).toBe(2);
    expect(set).toEqual([]);
  });

  it('faults row 28: is there again when the server is, and says how old it is until then', async () => {
    const watched = watch({ longestPauseMs: 300 });
    await watched.ready;
    await proxy.down();
    const truth = await churn(3, 2);
    await until(() => watched.ageMs() > 1_000);

    await proxy.up();

    await until(() => same(watched, truth) && watched.ageMs() < 1_000);
  });
});

function same(watched: Watched<string>, truth: readonly string[]): boolean {
  return JSON.stringify([...watched.list()].sort()) === JSON.stringify(truth);
}
