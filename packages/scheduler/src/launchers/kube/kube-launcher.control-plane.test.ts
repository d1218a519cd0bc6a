/** On a real API server with the real Job controller; the status of pods is written by hand, for there is no kubelet. */
import { describe, expect, it } from '@jest/globals';
import { jobs, pods } from '@drydock/kube';
import { eventually } from '../../testing/kube-stage.ts';
import { UsedLauncher } from '../../testing/used-launcher.ts';
import { LeaveAgent } from '../launcher.ts';
import { jobName } from './job-labels.ts';

const never = new AbortController().signal;
const forever = () => Infinity;

describe('an agent as a Job', () => {
  const kube = new UsedLauncher();

  it('runs to its end with one write, and goes with one read and one write', async () => {
    const running = kube.staged.launcher.run(kube.launch, never);
    await kube.stage.begin(kube.launch.runId);
    await kube.stage.end(kube.launch.runId);

    expect(await running).toEqual({ kind: 'exited', code: 0, signal: null, lastWords: '' });
    expect(kube.calls()).toEqual(['create jobs']);
    await kube.staged.launcher.forget(kube.launch.runId, forever);
    await kube.staged.launcher.forget(kube.launch.runId, forever);

    expect(kube.calls().slice(0, 3)).toEqual(['create jobs', 'get jobs', 'delete jobs']);
    await eventually(async () => (await kube.ours()).length === 0);
  });

  it('ends when it is wanted no more, Job and pod', async () => {
    const stop = new AbortController();
    const running = kube.staged.launcher.run(kube.launch, stop.signal);
    await kube.stage.begin(kube.launch.runId);

    stop.abort();

    expect(await running).toEqual({ kind: 'aborted' });
    expect(await kube.ours()).toEqual([]);
    expect(await kube.podsOfRun()).toEqual([]);
  });

  it('reported 22: ends before it had a pod, however early it is stopped', async () => {
    const stop = new AbortController();
    const running = kube.staged.launcher.run(kube.launch, stop.signal);

    stop.abort();

    expect(await running).toEqual({ kind: 'aborted' });
    await eventually(async () => (await kube.ours()).length === 0);
  });

  it('row 39: goes on when Kubernetes starts a second pod, which gets no token', async () => {
    const running = kube.staged.launcher.run(kube.launch, never);
    const { metadata } = await kube.stage.podOf(kube.launch.runId);
    await kube.stage.begin(kube.launch.runId);
    const second = {
      metadata: { namespace: kube.stage.namespace, name: `${metadata.name}-2`, labels: metadata.labels },
      spec: { restartPolicy: 'Never', containers: [{ name: 'agent', image: 'x' }] },
    };
    await kube.stage.client.create(pods, second, { signal: never });
    await kube.stage.sayPod(second.metadata.name, 'Failed', { preflight: { kind: 'ended', exitCode: 43 } });
    await eventually(async () => kube.staged.board.podsOf(kube.launch.runId).some(({ phase }) => phase === 'Failed'));

    await kube.stage.endPod(metadata.name, 0);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
  });

  it('goes on when it is left, and another scheduler adopts it without a read or a write', async () => {
    const stop = new AbortController();
    const first = kube.staged.launcher.run(kube.launch, stop.signal);
    await kube.stage.begin(kube.launch.runId);
    stop.abort(new LeaveAgent());
    expect(await first).toEqual({ kind: 'left' });
    await using other = await kube.stage.startLauncher();
    const before = other.proxy.requests.length;

    const second = other.launcher.adopt(kube.launch.runId, never, forever);
    await kube.stage.end(kube.launch.runId);

    expect(await second).toMatchObject({ kind: 'exited', code: 0 });
    expect(other.proxy.requests.slice(before).filter(({ verb }) => verb !== 'watch')).toEqual([]);
    expect(await kube.ours()).toHaveLength(1);
  });

  it('is not adopted where there is none, and that is asked for', async () => {
    expect(await kube.staged.launcher.adopt(kube.launch.runId, never, forever)).toBeNull();

    expect(kube.staged.proxy.requests.at(-1)).toMatchObject({ verb: 'list', resource: 'jobs' });
  });

  it('reported 24: is adopted though what is held of the cluster does not show it yet', async () => {
    kube.staged.proxy.add(({ verb }) => verb === 'watch', { kind: 'watch', change: () => 'drop' });
    kube.staged.proxy.resetAll();
    const manifest = kube.asked({ deadlineSeconds: 600 });
    await kube.stage.client.create(jobs, manifest, { signal: never });
    const stop = new AbortController();

    const running = kube.staged.launcher.adopt(kube.launch.runId, stop.signal, forever);
    await kube.stage.podOf(kube.launch.runId);
    stop.abort(new LeaveAgent());

    expect(await running).toEqual({ kind: 'left' });
  });

  it('row 32: is followed through watches that are cut and events that are dropped', async () => {
    let events = 0;
    kube.staged.proxy.add(({ verb }) => verb === 'watch', {
      kind: 'watch',
      change: () => ((events += 1) % 3 === 0 ? 'cut' : 'pass'),
    });
    kube.staged.proxy.resetAll();

    const running = kube.staged.launcher.run(kube.launch, never);
    await kube.stage.begin(kube.launch.runId);
    await kube.stage.end(kube.launch.runId);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
  });

  it('row 27: deletes nothing for who may have lost its task', async () => {
    let isHeld = true;
    const leftMs = () => {
      if (!isHeld) throw new Error('lease lost');
      return 10_000;
    };
    const stop = new AbortController();
    const running = kube.staged.launcher.run(kube.launch, stop.signal, leftMs);
    await kube.stage.begin(kube.launch.runId);
    isHeld = false;
    stop.abort();

    await expect(running).rejects.toThrow('lease lost');
    expect(kube.calls()).toEqual(['create jobs']);
    expect(await kube.ours()).toHaveLength(1);
  });

  it('deletes no Job that has taken the name since', async () => {
    const running = kube.staged.launcher.run(kube.launch, never);
    await kube.stage.end(kube.launch.runId);
    await running;
    const place = { namespace: kube.stage.namespace, name: jobName(kube.launch.runId) };
    await kube.stage.client.delete(jobs, place, { uid: null, signal: never });
    await eventually(async () => (await kube.ours()).length === 0);
    await kube.stage.client.create(jobs, kube.somebodyElses(), { signal: never });

    await kube.staged.launcher.forget(kube.launch.runId, forever);

    expect(await kube.ours()).toHaveLength(1);
  });
});
