/** On a real API server with the real Job controller; the status of pods is written by hand, for there is no kubelet. */
import { describe, expect, it } from '@jest/globals';
import { jobs, pods } from '@drydock/kube';
import { eventually, quotas } from '../../testing/kube-stage.ts';
import { UsedLauncher } from '../../testing/used-launcher.ts';
import { PodSettings } from '../pod-settings.ts';
import { jobName } from './job-labels.ts';

const never = new AbortController().signal;
const forever = () => Infinity;

describe('making the Job of an agent', () => {
  const kube = new UsedLauncher();

  it.each([
    ['row 29: a 504 after it was made', { kind: 'execute-then', status: 504 }],
    ['reported 41: a reset after it was made', { kind: 'execute-then', status: null }],
    ['row 29: a 500 before', { kind: 'answer', status: 500 }],
    ['row 29: a 429', { kind: 'answer', status: 429, retryAfterSeconds: 1 }],
    ['reported 41: a reset before', { kind: 'reset' }],
    ['reported 17: a 408', { kind: 'answer', status: 408 }],
  ] as const)('%s: is made once', async (_name, fault) => {
    kube.staged.proxy.add(({ verb }) => verb === 'create', fault, 1);

    const running = kube.staged.launcher.run(kube.launch, never);
    await kube.stage.end(kube.launch.runId);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
    expect(await kube.ours()).toHaveLength(1);
  });

  it('row 30: takes the next name where somebody else has its own, and says so', async () => {
    const foreign = kube.somebodyElses();
    await kube.stage.client.create(jobs, foreign, { signal: never });

    const running = kube.staged.launcher.run(kube.launch, never);
    await eventually(async () => (await kube.ours()).length === 2);
    const other = await kube.stage.startLauncher();
    const adopted = other.launcher.adopt(kube.launch.runId, never, forever);
    await eventually(async () => (await kube.stage.pods()).length > 0);
    const pod = await eventually(async () =>
      (await kube.stage.pods()).find(({ metadata: { name } }) => name.startsWith(jobName(kube.launch.runId, 1))),
    );
    const status = { phase: 'Succeeded' };
    const place = { namespace: kube.stage.namespace, name: pod.metadata.name };
    await kube.stage.client.patch(pods, place, { status }, { subresource: 'status', signal: never });

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
    expect(await adopted).toMatchObject({ kind: 'exited', code: 0 });
    expect(kube.staged.logged.map(({ message }) => message)).toContain('alarm foreign-job');
    await kube.staged.launcher.forget(kube.launch.runId, forever);
    await eventually(async () => (await kube.ours()).length === 1);
    expect((await kube.ours())[0]?.metadata.name).toBe(jobName(kube.launch.runId));
  });

  it('row 24: is gone on with where it was made already', async () => {
    const manifest = kube.asked({ deadlineSeconds: 600 });
    await kube.stage.client.create(jobs, manifest, { signal: never });

    const running = kube.staged.launcher.run(kube.launch, never);
    await kube.stage.end(kube.launch.runId);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
    expect(await kube.ours()).toHaveLength(1);
  });

  it('does not go on with one of ours that was asked for otherwise', async () => {
    const manifest = kube.asked({ deadlineSeconds: 1 });
    await kube.stage.client.create(jobs, manifest, { signal: never });

    expect(await kube.staged.launcher.run(kube.launch, never)).toMatchObject({
      class: 'infra',
      reason: 'job-mismatch',
    });

    expect(kube.staged.logged.map(({ message }) => message)).toContain('alarm job-mismatch');
  });

  it('reported 4, row 31: waits for room where a quota is exceeded', async () => {
    const place = { namespace: kube.stage.namespace, name: 'no-jobs' };
    const { object } = await kube.stage.client.create(
      quotas,
      { metadata: place, spec: { hard: { 'count/jobs.batch': '0' } } },
      { signal: never },
    );
    try {
      const exit = await eventually(async () => {
        const told = await kube.staged.launcher.run(kube.launch, AbortSignal.timeout(1000));
        return told.kind === 'failed' && told;
      });

      expect(exit).toMatchObject({ kind: 'failed', class: 'capacity', reason: 'quota' });
    } finally {
      await kube.stage.client.delete(quotas, place, { uid: object.metadata.uid, signal: never });
    }
  });

  it('row 31: is a mistake of the installation where the server takes no such Job', async () => {
    const pod = PodSettings.parse({ cpu: '2' });
    const broken = { ...pod, cpu: 'much' };

    expect(await kube.staged.launcher.run({ ...kube.launch, pod: broken }, never)).toMatchObject({ class: 'config' });
    expect(kube.calls()).toEqual(['create jobs']);
  });

  it('row 28: is not begun while no server answers, which passes', async () => {
    await kube.staged.proxy.down();

    await expect(kube.staged.launcher.run(kube.launch, never, () => 2000)).rejects.toMatchObject({
      kind: 'transient',
      code: 'kube.unreachable',
    });
  });

  it('row 27, reported 40: makes nothing for who may have lost its task', async () => {
    const lost = () => {
      throw new Error('lease lost');
    };

    await expect(kube.staged.launcher.run(kube.launch, never, lost)).rejects.toThrow('lease lost');

    expect(kube.calls()).toEqual([]);
  });
});
