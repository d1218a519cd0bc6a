/** On a real API server with the real Job controller; the status of pods is written by hand, for there is no kubelet. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { jobs, pods } from '@drydock/kube';
import { KubeStage, eventually, quotas, type StagedLauncher } from '../../testing/kube-stage.ts';
import { LeaveAgent, type AgentLaunch } from '../launcher.ts';
import { PodSettings } from '../pod-settings.ts';
import { jobName } from './job-labels.ts';
import { buildJob } from './job-manifest.ts';

const never = new AbortController().signal;
const forever = () => Infinity;
let count = 0;

describe('an agent as a Job', () => {
  let stage: KubeStage;
  let staged: StagedLauncher;
  let launch: AgentLaunch;

  beforeAll(async () => {
    stage = await KubeStage.open();
  }, 120_000);
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    staged = await stage.startLauncher();
    count += 1;
    const runId = `${count.toString(16).padStart(16, '0')}-1`;
    launch = { runId, taskId: `review:gitlab:42:${String(count)}`, token: null, deadlineSeconds: 600 };
  });
  afterEach(async () => {
    await staged[Symbol.asyncDispose]();
  });

  const ours = async () =>
    (await stage.jobs()).filter(({ metadata }) => metadata.name.startsWith(jobName(launch.runId)));
  const asked = ({ deadlineSeconds }: { readonly deadlineSeconds: number }) => {
    const { runId, taskId = '' } = launch;
    return buildJob({ runId, taskId, kind: 'review', deadlineSeconds }, stage.settings, PodSettings.parse({}));
  };
  /** A Job of the name, by somebody who knows nothing of us. */
  const somebodyElses = () => {
    const labels = { app: 'other' };
    const spec = { restartPolicy: 'Never', containers: [{ name: 'other', image: 'other' }] };
    const metadata = { namespace: stage.namespace, name: jobName(launch.runId), labels };
    return { metadata, spec: { template: { metadata: { labels }, spec } } };
  };
  const calls = () =>
    staged.proxy.requests
      .filter(({ verb }) => verb !== 'watch' && verb !== 'list')
      .map(({ verb, resource }) => `${verb} ${resource}`);

  it('runs to its end with one write, and goes with one read and one write', async () => {
    const running = staged.launcher.run(launch, never);
    await stage.begin(launch.runId);
    await stage.end(launch.runId);

    expect(await running).toEqual({ kind: 'exited', code: 0, signal: null, lastWords: '' });
    expect(calls()).toEqual(['create jobs']);
    await staged.launcher.forget(launch.runId, forever);
    await staged.launcher.forget(launch.runId, forever);

    expect(calls().slice(0, 3)).toEqual(['create jobs', 'get jobs', 'delete jobs']);
    await eventually(async () => (await ours()).length === 0);
  });

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
    const running = staged.launcher.run(launch, never);

    await stage.say(launch.runId, phase, said);

    expect(await running).toMatchObject(exit);
  });

  it('reported 1: is missed soon when its pod is deleted by hand', async () => {
    const running = staged.launcher.run(launch, never);
    await stage.begin(launch.runId);
    const { metadata } = await stage.podOf(launch.runId);

    await stage.client.delete(pods, { namespace: stage.namespace, name: metadata.name }, { uid: null, signal: never });

    expect(await running).toMatchObject({ kind: 'failed', class: 'infra' });
  });

  it('row 40: is missed soon when its Job is deleted before its end was seen', async () => {
    const running = staged.launcher.run(launch, never);
    await stage.podOf(launch.runId);

    await stage.client.delete(
      jobs,
      { namespace: stage.namespace, name: jobName(launch.runId) },
      { uid: null, signal: never },
    );

    expect(await running).toMatchObject({ kind: 'failed', class: 'infra', reason: 'job-gone' });
  });

  it('ends when it is wanted no more, Job and pod', async () => {
    const stop = new AbortController();
    const running = staged.launcher.run(launch, stop.signal);
    await stage.begin(launch.runId);

    stop.abort();

    expect(await running).toEqual({ kind: 'aborted' });
    expect(await ours()).toEqual([]);
    expect((await stage.pods()).filter(({ metadata }) => metadata.labels['drydock.dev/run'] === launch.runId)).toEqual(
      [],
    );
  });

  it('row 37, reported 16: is taken away by force when its node does not let it go', async () => {
    const stop = new AbortController();
    const running = staged.launcher.run(launch, stop.signal);
    await stage.podOf(launch.runId);
    await stage.bind(launch.runId);
    await stage.begin(launch.runId);

    stop.abort();

    expect(await running).toEqual({ kind: 'aborted' });
    expect(staged.logged.map(({ message }) => message)).toContain('pod taken away by force');
    expect((await stage.pods()).filter(({ metadata }) => metadata.labels['drydock.dev/run'] === launch.runId)).toEqual(
      [],
    );
  });

  it('row 37, reported 16: ends when its node is lost, and its pod is taken away by force', async () => {
    const running = staged.launcher.run(launch, never);
    const { metadata } = await stage.podOf(launch.runId);
    await stage.bind(launch.runId);
    await stage.begin(launch.runId);

    // As the controller of lost nodes does; no kubelet confirms it.
    const place = { namespace: stage.namespace, name: metadata.name };
    await stage.client.delete(pods, place, { uid: null, signal: never });

    expect(await running).toMatchObject({ kind: 'failed', class: 'infra' });
    expect(staged.logged.map(({ message }) => message)).toContain('pod taken away by force');
    expect((await stage.pods()).filter(({ metadata: { uid } }) => uid === metadata.uid)).toEqual([]);
  });

  it('row 39: goes on when Kubernetes starts a second pod, which gets no token', async () => {
    const running = staged.launcher.run(launch, never);
    const { metadata } = await stage.podOf(launch.runId);
    await stage.begin(launch.runId);
    const second = {
      metadata: { namespace: stage.namespace, name: `${metadata.name}-2`, labels: metadata.labels },
      spec: { restartPolicy: 'Never', containers: [{ name: 'agent', image: 'x' }] },
    };
    await stage.client.create(pods, second, { signal: never });
    await stage.sayPod(second.metadata.name, 'Failed', { preflight: { kind: 'ended', exitCode: 43 } });
    await eventually(async () => staged.board.podsOf(launch.runId).some(({ phase }) => phase === 'Failed'));

    await stage.endPod(metadata.name, 0);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
  });

  it('reported 22: ends before it had a pod, however early it is stopped', async () => {
    const stop = new AbortController();
    const running = staged.launcher.run(launch, stop.signal);

    stop.abort();

    expect(await running).toEqual({ kind: 'aborted' });
    await eventually(async () => (await ours()).length === 0);
  });

  it('goes on when it is left, and another scheduler adopts it without a read or a write', async () => {
    const stop = new AbortController();
    const first = staged.launcher.run(launch, stop.signal);
    await stage.begin(launch.runId);
    stop.abort(new LeaveAgent());
    expect(await first).toEqual({ kind: 'left' });
    await using other = await stage.startLauncher();
    const before = other.proxy.requests.length;

    const second = other.launcher.adopt(launch.runId, never, forever);
    await stage.end(launch.runId);

    expect(await second).toMatchObject({ kind: 'exited', code: 0 });
    expect(other.proxy.requests.slice(before).filter(({ verb }) => verb !== 'watch')).toEqual([]);
    expect(await ours()).toHaveLength(1);
  });

  it('is not adopted where there is none, and that is asked for', async () => {
    expect(await staged.launcher.adopt(launch.runId, never, forever)).toBeNull();

    expect(staged.proxy.requests.at(-1)).toMatchObject({ verb: 'list', resource: 'jobs' });
  });

  it('reported 24: is adopted though what is held of the cluster does not show it yet', async () => {
    staged.proxy.add(({ verb }) => verb === 'watch', { kind: 'watch', change: () => 'drop' });
    staged.proxy.resetAll();
    const manifest = asked({ deadlineSeconds: 600 });
    await stage.client.create(jobs, manifest, { signal: never });
    const stop = new AbortController();

    const running = staged.launcher.adopt(launch.runId, stop.signal, forever);
    await stage.podOf(launch.runId);
    stop.abort(new LeaveAgent());

    expect(await running).toEqual({ kind: 'left' });
  });

  it.each([
    ['row 29: a 504 after it was made', { kind: 'execute-then', status: 504 }],
    ['reported 41: a reset after it was made', { kind: 'execute-then', status: null }],
    ['row 29: a 500 before', { kind: 'answer', status: 500 }],
    ['row 29: a 429', { kind: 'answer', status: 429, retryAfterSeconds: 1 }],
    ['reported 41: a reset before', { kind: 'reset' }],
    ['reported 17: a 408', { kind: 'answer', status: 408 }],
  ] as const)('%s: is made once', async (_name, fault) => {
    staged.proxy.add(({ verb }) => verb === 'create', fault, 1);

    const running = staged.launcher.run(launch, never);
    await stage.end(launch.runId);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
    expect(await ours()).toHaveLength(1);
  });

  it('row 30: takes the next name where somebody else has its own, and says so', async () => {
    const foreign = somebodyElses();
    await stage.client.create(jobs, foreign, { signal: never });

    const running = staged.launcher.run(launch, never);
    await eventually(async () => (await ours()).length === 2);
    const other = await stage.startLauncher();
    const adopted = other.launcher.adopt(launch.runId, never, forever);
    await eventually(async () => (await stage.pods()).length > 0);
    const pod = await eventually(async () =>
      (await stage.pods()).find(({ metadata: { name } }) => name.startsWith(jobName(launch.runId, 1))),
    );
    const status = { phase: 'Succeeded' };
    const place = { namespace: stage.namespace, name: pod.metadata.name };
    await stage.client.patch(pods, place, { status }, { subresource: 'status', signal: never });

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
    expect(await adopted).toMatchObject({ kind: 'exited', code: 0 });
    expect(staged.logged.map(({ message }) => message)).toContain('alarm foreign-job');
    await staged.launcher.forget(launch.runId, forever);
    await eventually(async () => (await ours()).length === 1);
    expect((await ours())[0]?.metadata.name).toBe(jobName(launch.runId));
  });

  it('row 24: is gone on with where it was made already', async () => {
    const manifest = asked({ deadlineSeconds: 600 });
    await stage.client.create(jobs, manifest, { signal: never });

    const running = staged.launcher.run(launch, never);
    await stage.end(launch.runId);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
    expect(await ours()).toHaveLength(1);
  });

  it('does not go on with one of ours that was asked for otherwise', async () => {
    const manifest = asked({ deadlineSeconds: 1 });
    await stage.client.create(jobs, manifest, { signal: never });

    expect(await staged.launcher.run(launch, never)).toMatchObject({ class: 'infra', reason: 'job-mismatch' });

    expect(staged.logged.map(({ message }) => message)).toContain('alarm job-mismatch');
  });

  it('reported 4, row 31: waits for room where a quota is exceeded', async () => {
    const place = { namespace: stage.namespace, name: 'no-jobs' };
    const { object } = await stage.client.create(
      quotas,
      { metadata: place, spec: { hard: { 'count/jobs.batch': '0' } } },
      { signal: never },
    );
    try {
      const exit = await eventually(async () => {
        const told = await staged.launcher.run(launch, AbortSignal.timeout(1000));
        return told.kind === 'failed' && told;
      });

      expect(exit).toMatchObject({ kind: 'failed', class: 'capacity', reason: 'quota' });
    } finally {
      await stage.client.delete(quotas, place, { uid: object.metadata.uid, signal: never });
    }
  });

  it('row 31: is a mistake of the installation where the server takes no such Job', async () => {
    const pod = PodSettings.parse({ cpu: '2' });
    const broken = { ...pod, cpu: 'much' };

    expect(await staged.launcher.run({ ...launch, pod: broken }, never)).toMatchObject({ class: 'config' });
    expect(calls()).toEqual(['create jobs']);
  });

  it('row 28: is not begun while no server answers, which passes', async () => {
    await staged.proxy.down();

    await expect(staged.launcher.run(launch, never, () => 2000)).rejects.toMatchObject({
      kind: 'transient',
      code: 'kube.unreachable',
    });
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
    await using hasty = await stage.startLauncher(times);
    const running = hasty.launcher.run(launch, never);

    await stage.say(launch.runId, 'Pending', { preflight });

    expect(await running).toMatchObject({ kind: 'failed', class: cls });
  });

  it('row 34: waits for a node only so long', async () => {
    await using hasty = await stage.startLauncher({ pendingLimitMs: 2000 });
    const running = hasty.launcher.run(launch, never);

    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }];
    await stage.say(launch.runId, 'Pending', { conditions });

    expect(await running).toMatchObject({ class: 'capacity', reason: 'Unschedulable', message: '0/3 nodes' });
  });

  it('row 38: ends at its deadline by the clock of Kubernetes', async () => {
    await using hasty = await stage.startLauncher({ startAllowanceSeconds: 1 });
    const running = hasty.launcher.run({ ...launch, deadlineSeconds: 1 }, never);

    await stage.podOf(launch.runId);

    expect(await running).toEqual({ kind: 'timed-out' });
    await eventually(async () => (await ours()).length === 0);
  });

  it('row 38, reported 11: ends at its deadline by our own clock, where Kubernetes keeps none', async () => {
    const running = staged.launcher.run({ ...launch, deadlineSeconds: 1 }, never);
    await stage.begin(launch.runId);
    const beganMs = performance.now();

    expect(await running).toEqual({ kind: 'timed-out' });

    expect(performance.now() - beganMs).toBeLessThan(1000 + 5000);
    expect(await ours()).toEqual([]);
  });

  it('row 27, reported 40: makes nothing for who may have lost its task', async () => {
    const lost = () => {
      throw new Error('lease lost');
    };

    await expect(staged.launcher.run(launch, never, lost)).rejects.toThrow('lease lost');

    expect(calls()).toEqual([]);
  });

  it('row 27: deletes nothing for who may have lost its task', async () => {
    let isHeld = true;
    const leftMs = () => {
      if (!isHeld) throw new Error('lease lost');
      return 10_000;
    };
    const stop = new AbortController();
    const running = staged.launcher.run(launch, stop.signal, leftMs);
    await stage.begin(launch.runId);
    isHeld = false;
    stop.abort();

    await expect(running).rejects.toThrow('lease lost');
    expect(calls()).toEqual(['create jobs']);
    expect(await ours()).toHaveLength(1);
  });

  it('row 32: is followed through watches that are cut and events that are dropped', async () => {
    let events = 0;
    staged.proxy.add(({ verb }) => verb === 'watch', {
      kind: 'watch',
      change: () => ((events += 1) % 3 === 0 ? 'cut' : 'pass'),
    });
    staged.proxy.resetAll();

    const running = staged.launcher.run(launch, never);
    await stage.begin(launch.runId);
    await stage.end(launch.runId);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
  });

  it('deletes no Job that has taken the name since', async () => {
    const running = staged.launcher.run(launch, never);
    await stage.end(launch.runId);
    await running;
    const place = { namespace: stage.namespace, name: jobName(launch.runId) };
    await stage.client.delete(jobs, place, { uid: null, signal: never });
    await eventually(async () => (await ours()).length === 0);
    await stage.client.create(jobs, somebodyElses(), { signal: never });

    await staged.launcher.forget(launch.runId, forever);

    expect(await ours()).toHaveLength(1);
  });
});
