/** On a real API server with the real Job controller; the status of pods is written by hand, for there is no kubelet. */
import { describe, expect, it } from '@jest/globals';
import { jobs, pods } from '@drydock/kube';
import { eventually } from '../../testing/kube-stage.ts';
import { UsedLauncher } from '../../testing/used-launcher.ts';
import { jobName } from './job-labels.ts';

const never = new AbortController().signal;

describe('the end of an agent as a Job', () => {
  const kube = new UsedLauncher();

  it.each([
    ['an agent that failed', 'Failed', { agent: { kind: 'ended', exitCode: 1 } }, { kind: 'exited', code: 1 }],
    ['reported 2: OOM', 'Failed', { agent: { kind: 'ended', exitCode: 137, reason: 'OOMKilled' } }, { class: 'oom' }],
    [
      'reported 2: OOM of the preflight',
      'Failed',
      { preflight: { kind: 'ended', exitCode: 137, reason: 'OOMKilled' } },
      { class: 'oom' },
    ],
    [
      'reported 5: OutOfcpu',
      'Failed',
      { reason: 'OutOfcpu', message: 'no cpu' },
      { class: 'infra', reason: 'OutOfcpu' },
    ],
    ['preflight 42', 'Failed', { preflight: { kind: 'ended', exitCode: 42 } }, { class: 'isolation-unenforced' }],
    ['preflight 43', 'Failed', { preflight: { kind: 'ended', exitCode: 43 } }, { class: 'stale' }],
    [
      'preflight 75',
      'Failed',
      { preflight: { kind: 'ended', exitCode: 75 } },
      { class: 'infra', reason: 'preflight-75' },
    ],
    [
      'preflight 78',
      'Failed',
      { preflight: { kind: 'ended', exitCode: 78 } },
      { class: 'config', reason: 'preflight-78' },
    ],
    ['reported 34: the phase alone', 'Succeeded', {}, { kind: 'exited', code: 0 }],
    [
      'InvalidImageName',
      'Pending',
      { preflight: { kind: 'waiting', reason: 'InvalidImageName' } },
      { class: 'config' },
    ],
    [
      'row 36: a disruption',
      'Failed',
      { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }] },
      { class: 'infra', reason: 'EvictionByEvictionAPI' },
    ],
  ] as const)('tells how it ended: %s', async (_name, phase, said, exit) => {
    const running = kube.staged.launcher.run(kube.launch, never);

    await kube.stage.say(kube.launch.runId, phase, said);

    expect(await running).toMatchObject(exit);
  });

  it('reported 1: is missed soon when its pod is deleted by hand', async () => {
    const running = kube.staged.launcher.run(kube.launch, never);
    await kube.stage.begin(kube.launch.runId);
    const { metadata } = await kube.stage.podOf(kube.launch.runId);

    await kube.stage.client.delete(
      pods,
      { namespace: kube.stage.namespace, name: metadata.name },
      { uid: null, signal: never },
    );

    expect(await running).toMatchObject({ kind: 'failed', class: 'infra' });
  });

  it('row 40: is missed soon when its Job is deleted before its end was seen', async () => {
    const running = kube.staged.launcher.run(kube.launch, never);
    await kube.stage.podOf(kube.launch.runId);

    await kube.stage.client.delete(
      jobs,
      { namespace: kube.stage.namespace, name: jobName(kube.launch.runId) },
      { uid: null, signal: never },
    );

    expect(await running).toMatchObject({ kind: 'failed', class: 'infra', reason: 'job-gone' });
  });

  it('row 37, reported 16: is taken away by force when its node does not let it go', async () => {
    const stop = new AbortController();
    const running = kube.staged.launcher.run(kube.launch, stop.signal);
    await kube.stage.podOf(kube.launch.runId);
    await kube.stage.bind(kube.launch.runId);
    await kube.stage.begin(kube.launch.runId);

    stop.abort();

    expect(await running).toEqual({ kind: 'aborted' });
    expect(kube.staged.logged.map(({ message }) => message)).toContain('pod taken away by force');
    expect(await kube.podsOfRun()).toEqual([]);
  });

  it('row 37, reported 16: ends when its node is lost, and its pod is taken away by force', async () => {
    const running = kube.staged.launcher.run(kube.launch, never);
    const { metadata } = await kube.stage.podOf(kube.launch.runId);
    await kube.stage.bind(kube.launch.runId);
    await kube.stage.begin(kube.launch.runId);

    // As the controller of lost nodes does; no kubelet confirms it.
    const place = { namespace: kube.stage.namespace, name: metadata.name };
    await kube.stage.client.delete(pods, place, { uid: null, signal: never });

    expect(await running).toMatchObject({ kind: 'failed', class: 'infra' });
    expect(kube.staged.logged.map(({ message }) => message)).toContain('pod taken away by force');
    expect((await kube.stage.pods()).filter(({ metadata: { uid } }) => uid === metadata.uid)).toEqual([]);
  });

  it.each([
    [
      'row 34, reported 20: an image that does not come',
      { pullGraceMs: 300 },
      { kind: 'waiting', reason: 'ImagePullBackOff' },
      'config',
    ],
    [
      'row 34: a container that cannot be made',
      { pullGraceMs: 300 },
      { kind: 'waiting', reason: 'CreateContainerError' },
      'config',
    ],
    ['a start that takes too long', { startLimitMs: 300 }, { kind: 'waiting', reason: 'ContainerCreating' }, 'infra'],
  ] as const)('%s: is given up after its time', async (_name, times, preflight, cls) => {
    await using hasty = await kube.stage.startLauncher(times);
    const running = hasty.launcher.run(kube.launch, never);

    await kube.stage.say(kube.launch.runId, 'Pending', { preflight });

    expect(await running).toMatchObject({ kind: 'failed', class: cls });
  });

  it('row 34: waits for a node only so long', async () => {
    await using hasty = await kube.stage.startLauncher({ pendingLimitMs: 6000 });
    const running = hasty.launcher.run(kube.launch, never);

    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }];
    await kube.stage.say(kube.launch.runId, 'Pending', { conditions });

    expect(await running).toMatchObject({ class: 'capacity', reason: 'Unschedulable', message: '0/3 nodes' });
  });

  it('row 38: ends at its deadline by the clock of Kubernetes', async () => {
    await using hasty = await kube.stage.startLauncher({ startAllowanceSeconds: 1 });
    const running = hasty.launcher.run({ ...kube.launch, deadlineSeconds: 1 }, never);

    await kube.stage.podOf(kube.launch.runId);

    expect(await running).toEqual({ kind: 'timed-out' });
    await eventually(async () => (await kube.ours()).length === 0);
  });

  it('row 38, reported 11: ends at its deadline by our own clock, where Kubernetes keeps none', async () => {
    const running = kube.staged.launcher.run({ ...kube.launch, deadlineSeconds: 1 }, never);
    await kube.stage.begin(kube.launch.runId);

    expect(await running).toEqual({ kind: 'timed-out' }); // nothing else would ever end it

    expect(await kube.ours()).toEqual([]);
  });
});
