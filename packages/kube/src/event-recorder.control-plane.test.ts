import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { events, jobs } from './builtin-resources.ts';
import { createEventRecorder } from './event-recorder.ts';
import { aJob, useControlPlane, type ControlPlane } from './testing/use-control-plane.ts';

let plane: ControlPlane;
beforeAll(async () => {
  plane = await useControlPlane();
}, 120_000);
afterAll(async () => {
  await plane[Symbol.asyncDispose]();
});

describe('events', () => {
  it('of one reason and message are one event with a count, others are others', async () => {
    const { client, namespace, signal } = plane;
    const { object } = await client.create(jobs, aJob(namespace, 'told-of'), { signal });
    const recorder = createEventRecorder({ client, component: 'drydock-scheduler', instance: 'one', signal });
    const about = { apiVersion: 'batch/v1', kind: 'Job', namespace, name: 'told-of', uid: object.metadata.uid };

    for (let time = 0; time < 3; time += 1)
      recorder.record({ about, type: 'Warning', reason: 'ImagePull', message: 'the image cannot be pulled' });
    recorder.record({ about, type: 'Normal', reason: 'Launched', message: 'launch 2' });
    await recorder.flush();

    const { items } = await client.list(
      events,
      { namespace, fieldSelector: 'involvedObject.name=told-of,reason!=Suspended' },
      { signal },
    );
    expect(items.map(({ reason, count, type }) => `${type} ${reason} ${count}`).sort()).toEqual([
      'Normal Launched 1',
      'Warning ImagePull 3',
    ]);
  });

  it('that cannot be written stop nothing', async () => {
    const { client, namespace, signal } = plane;
    const recorder = createEventRecorder({ client, component: 'drydock-scheduler', instance: 'one', signal });
    const about = { apiVersion: 'batch/v1', kind: 'Job', namespace: 'not-there', name: 'x', uid: 'y' };

    recorder.record({ about, type: 'Normal', reason: 'Lost', message: 'm' });
    recorder.record({ about: { ...about, namespace }, type: 'Normal', reason: 'Kept', message: 'm' });
    await recorder.flush();

    const { items } = await client.list(events, { namespace, fieldSelector: 'reason=Kept' }, { signal });
    expect(items).toHaveLength(1);
  });
});
