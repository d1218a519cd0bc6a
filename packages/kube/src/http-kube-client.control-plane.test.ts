import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { events, jobs, leases, pods, tokenReviews } from './builtin-resources.ts';
import { createKubeClient } from './http-kube-client.ts';
import type { KubeClient } from './kube-client.ts';
import {
  aJob,
  configMaps,
  quotas,
  secrets,
  until,
  useControlPlane,
  type ControlPlane,
} from './testing/use-control-plane.ts';

let plane: ControlPlane;
let client: KubeClient;
beforeAll(async () => {
  plane = await useControlPlane();
  ({ client } = plane);
});
afterAll(async () => {
  await plane[Symbol.asyncDispose]();
});

describe('calls of a real API server', () => {
  it('creates a Job, and finds it when it is created again', async () => {
    const { namespace, signal } = plane;

    const first = await client.create(jobs, aJob(namespace, 'dd-1', { 'drydock.dev/run': 'a' }), { signal });
    const second = await client.create(jobs, aJob(namespace, 'dd-1', { 'drydock.dev/run': 'b' }), { signal });

    expect(first).toMatchObject({ kind: 'created', object: { metadata: { name: 'dd-1' }, spec: { suspend: true } } });
    expect(second).toMatchObject({ kind: 'found', object: { metadata: { labels: { 'drydock.dev/run': 'a' } } } });
    expect(second.object.metadata.uid).toBe(first.object.metadata.uid);
  });

  it('reads what is there and says null of what is not', async () => {
    const { namespace, signal } = plane;
    await client.create(jobs, aJob(namespace, 'dd-read'), { signal });

    const there = await client.read(jobs, { namespace, name: 'dd-read' }, { signal });
    const none = await client.read(jobs, { namespace, name: 'dd-none' }, { signal });

    expect(there?.status).toMatchObject({ active: 0, conditions: expect.any(Array) });
    expect(none).toBeNull();
  });

  it('deletes only the object that is meant', async () => {
    const { namespace, signal } = plane;
    const place = { namespace, name: 'dd-delete' };
    const { object } = await client.create(jobs, aJob(namespace, 'dd-delete'), { signal });

    const other = await client.delete(jobs, place, { uid: '0b7a4a0e-0000-4000-8000-000000000000', signal });
    const meant = await client.delete(jobs, place, { uid: object.metadata.uid, signal });
    const again = await client.delete(jobs, place, { uid: object.metadata.uid, signal });

    expect([other, meant, again]).toEqual(['conflict', 'done', 'absent']);
  });

  it('lists by label, in pages, and all of them', async () => {
    const { namespace, signal } = plane;
    const names = Array.from({ length: 12 }, (_, index) => `page-${index}`);
    for (const name of names)
      await client.create(
        configMaps,
        { metadata: { namespace, name, labels: { 'drydock.dev/kind': 'page' } } },
        { signal },
      );

    const labelSelector = 'drydock.dev/kind=page';
    const paged = await client.list(configMaps, { namespace, labelSelector, pageSize: 5 }, { signal });
    const cached = await client.list(configMaps, { namespace, labelSelector, resourceVersion: '0' }, { signal });

    expect(paged.items.map(({ metadata }) => metadata.name).sort()).toEqual(names.sort());
    expect(Number(paged.resourceVersion)).toBeGreaterThan(0);
    expect(Number(cached.resourceVersion)).toBeGreaterThan(0);
  });

  it('patches what has not changed since, and says conflict or absent otherwise', async () => {
    const { namespace, signal } = plane;
    const place = { namespace, name: 'patched' };
    const { object } = await client.create(configMaps, { metadata: place }, { signal });
    const { uid, resourceVersion } = object.metadata;

    const done = await client.patch(
      configMaps,
      place,
      { data: { a: '1' } },
      { precondition: { uid, resourceVersion }, signal },
    );
    const stale = await client.patch(
      configMaps,
      place,
      { data: { a: '2' } },
      { precondition: { resourceVersion }, signal },
    );
    const other = await client.patch(
      configMaps,
      place,
      { data: { a: '3' } },
      { precondition: { uid: '0b7a4a0e-0000-4000-8000-000000000000' }, signal },
    );
    const none = await client.patch(configMaps, { namespace, name: 'none' }, { data: {} }, { signal });

    expect(done).toMatchObject({ kind: 'done', object: { data: { a: '1' } } });
    expect([stale.kind, other.kind, none.kind]).toEqual(['conflict', 'conflict', 'absent']);
  });

  it('applies, and writes a status of its own', async () => {
    const { namespace, signal } = plane;
    const place = { namespace, name: 'dd-status' };
    await client.create(jobs, aJob(namespace, 'dd-status'), { signal });

    const applied = await client.patch(
      jobs,
      place,
      { metadata: { annotations: { 'drydock.dev/task-id': 'review:gitlab:42:7' } } },
      { form: 'apply', fieldManager: 'drydock', signal },
    );
    const status = { status: { active: 1, startTime: '2026-01-01T00:00:00Z' } };
    const written = await client.patch(jobs, place, status, { subresource: 'status', signal });

    expect(applied).toMatchObject({
      object: { metadata: { annotations: { 'drydock.dev/task-id': 'review:gitlab:42:7' } } },
    });
    expect(written).toMatchObject({ kind: 'done', object: { status: { active: 1 } } });
  });

  it('replaces by resource version', async () => {
    const { namespace, signal } = plane;
    const metadata = { namespace, name: 'lease' };
    const { object } = await client.create(leases, { metadata, spec: { holderIdentity: 'a' } }, { signal });
    const { resourceVersion } = object.metadata;
    const taken = { metadata: { ...metadata, resourceVersion }, spec: { holderIdentity: 'b' } };

    const first = await client.replace(leases, taken, { signal });
    const second = await client.replace(leases, taken, { signal });

    expect(first).toMatchObject({ kind: 'done', object: { spec: { holderIdentity: 'b' } } });
    expect(second).toEqual({ kind: 'conflict' });
  });

  it('asks whose a token is', async () => {
    const { signal } = plane;

    const { kind, object } = await client.create(
      tokenReviews,
      { spec: { token: 'none-of-theirs', audiences: ['drydock-gateway'] } },
      { signal },
    );

    expect(kind).toBe('created');
    expect(object.status).toMatchObject({ authenticated: false, audiences: [] });
  });

  it.each([
    ['a manifest that is wrong', 'kube.rejected', { spec: { template: { spec: { containers: [] } } } }],
    ['a namespace that is not there', 'kube.not_found', { metadata: { namespace: 'not-there', name: 'x' } }],
  ])('throws for %s', async (_what, code, change) => {
    const { namespace, signal } = plane;

    const creating = client.create(jobs, { ...aJob(namespace, 'dd-wrong'), ...change }, { signal });

    await expect(creating).rejects.toMatchObject({ code });
  });

  it('faults row 31, reported 4: a quota that is used up is a wait, not a refusal', async () => {
    const { namespace, signal } = plane;
    await client.create(
      quotas,
      { metadata: { namespace, name: 'none' }, spec: { hard: { secrets: '0' } } },
      { signal },
    );
    await until(
      async () => (await client.read(quotas, { namespace, name: 'none' }, { signal }))?.status.hard !== undefined,
    );

    const creating = client.create(secrets, { metadata: { namespace, name: 'one' } }, { signal });

    await expect(creating).rejects.toMatchObject({ kind: 'transient', code: 'kube.quota' });
  });

  it('is blocked by missing rights', async () => {
    const { namespace, signal } = plane;
    const nobody = createKubeClient({ access: await plane.accessFor({ user: 'nobody' }) });

    const reading = nobody.list(pods, { namespace }, { signal });

    await expect(reading).rejects.toMatchObject({ kind: 'blocked', code: 'kube.forbidden' });
    nobody.close();
  });

  it('writes events that kubectl shows', async () => {
    const { namespace, signal } = plane;

    const { object } = await client.create(
      events,
      {
        metadata: { namespace, name: 'dd-1.1' },
        involvedObject: { kind: 'Job', name: 'dd-1', namespace },
        reason: 'Launched',
        message: 'm',
        type: 'Normal',
      },
      { signal },
    );

    expect(object).toMatchObject({ reason: 'Launched', involvedObject: { name: 'dd-1' } });
  });
});
