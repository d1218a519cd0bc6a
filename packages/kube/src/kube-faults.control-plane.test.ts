import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import type { KubeFaultProxy, KubeProxyRequest } from '@drydock/testkit';
import { jobs, leases } from './builtin-resources.ts';
import { startElection } from './election.ts';
import { createKubeClient } from './http-kube-client.ts';
import type { KubeClient } from './kube-client.ts';
import {
  aJob,
  configMaps,
  plainAccess,
  until,
  useControlPlane,
  type ControlPlane,
} from './testing/use-control-plane.ts';

let plane: ControlPlane;
let proxy: KubeFaultProxy;
let client: KubeClient;
beforeAll(async () => {
  plane = await useControlPlane();
});
afterAll(async () => {
  await plane[Symbol.asyncDispose]();
});
beforeEach(async () => {
  proxy = await plane.startProxy();
  client = createKubeClient({ access: plainAccess(proxy.url), qps: 1000, burst: 1000 });
});
afterEach(async () => {
  client.close();
  await proxy[Symbol.asyncDispose]();
});

const of =
  (verb: string, resource = 'jobs') =>
  (request: KubeProxyRequest) =>
    request.verb === verb && request.resource === resource;
const verbs = () => proxy.requests.map(({ verb }) => verb);

describe('creating through a faulty API server', () => {
  it.each([
    ['504 after it was created', 504],
    ['500 after it was created', 500],
    ['408 after it was created', 408],
    ['a reset after it was created', null],
  ])('faults row 29, reported 17 and 41: %s is resolved by reading the name', async (_what, status) => {
    const { namespace, signal } = plane;
    const name = `lost-${status ?? 'reset'}`;
    proxy.add(of('create'), { kind: 'execute-then', status }, 1);

    const { kind, object } = await client.create(jobs, aJob(namespace, name), { signal });

    expect([kind, object.metadata.name]).toEqual(['found', name]);
    expect(verbs()).toEqual(['create', 'get']);
  });

  it.each([
    ['500 before anything was done', { kind: 'answer', status: 500 }],
    ['503', { kind: 'answer', status: 503, retryAfterSeconds: 1 }],
    ['504', { kind: 'answer', status: 504 }],
    ['408', { kind: 'answer', status: 408 }],
    ['a reset', { kind: 'reset' }],
  ] as const)('faults row 29, reported 17: %s is repeated, and there is one Job', async (what, fault) => {
    const { namespace, signal } = plane;
    const name = `again-${what.replace(/\W+/g, '-')}`;
    proxy.add(of('create'), fault, 2);

    const { kind } = await client.create(jobs, aJob(namespace, name), { signal });

    expect(kind).toBe('created');
    expect(verbs()).toEqual(['create', 'get', 'create', 'get', 'create']);
  });

  it('faults row 29, reported 19: 429 is waited for as told, by all calls', async () => {
    const { namespace, signal } = plane;
    proxy.add(of('create'), { kind: 'answer', status: 429, retryAfterSeconds: 2 }, 1);
    const startMs = performance.now();

    const first = client.create(jobs, aJob(namespace, 'told-1'), { signal });
    await until(() => proxy.requests.length === 1);
    const second = client.read(jobs, { namespace, name: 'told-2' }, { signal });
    await Promise.all([first, second]);

    expect(performance.now() - startMs).toBeGreaterThanOrEqual(2_000);
    expect(verbs().sort()).toEqual(['create', 'create', 'get']);
  });

  it('a quota that two creates met at once is no end: the 409 is repeated', async () => {
    const { namespace, signal } = plane;
    const conflict = {
      kind: 'answer',
      status: 409,
      reason: 'Conflict',
      message: 'Operation cannot be fulfilled',
    } as const;
    proxy.add(of('create'), conflict, 1);

    const { kind } = await client.create(jobs, aJob(namespace, 'quota-conflict'), { signal });

    expect(kind).toBe('created');
  });

  it('gives up in its time when the server is slow, without knowing whether it was done', async () => {
    const { namespace, signal } = plane;
    proxy.add(() => true, { kind: 'delay', ms: 30_000 });

    const creating = client.create(jobs, aJob(namespace, 'slow'), { signal, timeoutMs: 1_000 });

    await expect(creating).rejects.toMatchObject({ kind: 'transient', code: 'kube.timeout' });
  });

  it('faults row 28: says that nobody is there, and does the same call once somebody is', async () => {
    const { namespace, signal } = plane;
    await proxy.down();

    const failing = client.create(jobs, aJob(namespace, 'down'), { signal, timeoutMs: 500 });
    await expect(failing).rejects.toMatchObject({ kind: 'transient', code: 'kube.unreachable' });
    const waiting = client.create(jobs, aJob(namespace, 'down'), { signal });
    await proxy.up();

    await expect(waiting).resolves.toMatchObject({ kind: 'created' });
  });

  it('a signal ends it at once', async () => {
    const { namespace } = plane;
    proxy.add(() => true, { kind: 'hang' });
    const stop = new AbortController();

    const creating = client.create(jobs, aJob(namespace, 'aborted'), { signal: stop.signal });
    await until(() => proxy.requests.length > 0);
    stop.abort();

    await expect(creating).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('other calls through a faulty API server', () => {
  it('reported 41: a delete that was done and not answered is done', async () => {
    const { namespace, signal } = plane;
    const { object } = await client.create(jobs, aJob(namespace, 'delete-lost'), { signal });
    proxy.add(of('delete'), { kind: 'execute-then', status: 504 }, 1);

    const outcome = await client.delete(jobs, { namespace, name: 'delete-lost' }, { uid: object.metadata.uid, signal });

    expect(outcome).toBe('absent');
    expect(verbs()).toEqual(['create', 'delete', 'delete']);
  });

  it.each([429, 500, 503, 504, 408])('reported 17: reads and lists are repeated after %i', async (status) => {
    const { namespace, signal } = plane;
    proxy.add(of('get'), { kind: 'answer', status, retryAfterSeconds: 0 }, 3);
    proxy.add(of('list'), { kind: 'answer', status, retryAfterSeconds: 0 }, 3);

    const none = await client.read(jobs, { namespace, name: 'none' }, { signal });
    const { items } = await client.list(jobs, { namespace, labelSelector: 'is=none' }, { signal });

    expect([none, items.length, proxy.requests.length]).toEqual([null, 0, 8]);
  });

  it('a patch without a precondition is not repeated when it may have been done; one with it is, and says conflict', async () => {
    const { namespace, signal } = plane;
    const place = { namespace, name: 'patched' };
    const { object } = await client.create(configMaps, { metadata: place }, { signal });
    const { resourceVersion } = object.metadata;
    proxy.add(of('patch', 'configmaps'), { kind: 'execute-then', status: 500 }, 2);

    const blind = client.patch(configMaps, place, { data: { a: '1' } }, { signal });
    await expect(blind).rejects.toMatchObject({ code: 'kube.unavailable' });
    const sure = await client.patch(
      configMaps,
      place,
      { data: { a: '2' } },
      { precondition: { resourceVersion }, signal },
    );

    expect(sure).toEqual({ kind: 'conflict' });
    expect(verbs()).toEqual(['create', 'patch', 'patch', 'patch']);
  });

  it('the tries end, and the last answer is told', async () => {
    const { namespace, signal } = plane;
    proxy.add(of('get'), { kind: 'answer', status: 503 });

    const reading = client.read(jobs, { namespace, name: 'none' }, { signal });

    await expect(reading).rejects.toMatchObject({ kind: 'transient', code: 'kube.unavailable' });
    expect(proxy.requests).toHaveLength(6);
  });

  it('an answer larger than it may be is refused, and a page that is no JSON is told apart', async () => {
    const { namespace, signal } = plane;
    proxy.add(of('get'), { kind: 'answer', status: 200, body: 'x'.repeat(9_000_000) }, 1);
    const large = client.read(jobs, { namespace, name: 'none' }, { signal });
    await expect(large).rejects.toMatchObject({ code: 'kube.bad_answer' });

    proxy.add(of('get'), { kind: 'answer', status: 200, body: '<html>sign in</html>' }, 1);
    const page = client.read(jobs, { namespace, name: 'none' }, { signal });
    await expect(page).rejects.toMatchObject({ code: 'kube.bad_answer' });
  });
});

describe('a leader behind a faulty API server', () => {
  it('reported 27: keeps its lease while calls are throttled to nothing', async () => {
    const { namespace } = plane;
    const stop = new AbortController();
    const slow = createKubeClient({ access: plainAccess(proxy.url), qps: 0.1, burst: 1 });
    const { signal } = stop;
    proxy.add(({ resource }) => resource === 'jobs', { kind: 'answer', status: 429, retryAfterSeconds: 60 });
    const timing = { leaseMs: 15_000, renewMs: 10_000, retryMs: 400 };
    const election = startElection({ client: slow, namespace, name: 'throttled', identity: 'one', signal, timing });
    const waiting = [1, 2, 3, 4].map((number) =>
      slow.create(jobs, aJob(namespace, `throttled-${number}`), { signal }).catch(() => undefined),
    );
    await until(() => election.isLeader());
    const term = election.term;

    await until(() => proxy.requests.filter(of('update', 'leases')).length > 12);

    expect(term?.signal.aborted).toBe(false);
    stop.abort();
    await Promise.all([election.ended, ...waiting]);
    const lease = await plane.client.read(leases, { namespace, name: 'throttled' }, { signal: plane.signal });
    expect(lease?.spec).toMatchObject({ holderIdentity: '', leaseTransitions: 1 });
    slow.close();
  });
});
