/**
 * On a real API server with the real Job controller. Admission takes the Job and refuses its pods: nothing of the Job
 * tells it, only events do.
 */
import { describe, expect, it } from '@jest/globals';
import { eventually, limitRanges, quotas } from '../../testing/kube-stage.ts';
import { UsedLauncher } from '../../testing/used-launcher.ts';
import { PodSettings } from '../pod-settings.ts';

const never = new AbortController().signal;

describe('an agent as a Job whose pod is refused', () => {
  const kube = new UsedLauncher();
  const soon = { pullGraceMs: 2000 };
  const eventLists = (requests: readonly { readonly verb: string; readonly resource: string }[]) =>
    requests.filter(({ verb, resource }) => verb === 'list' && resource === 'events');

  it('cannot begin until a person mends it, and says why: a RuntimeClass that there is not', async () => {
    await using hasty = await kube.stage.startLauncher(soon);
    const pod = PodSettings.parse({ runtimeClassName: 'gvisro' });

    const exit = await hasty.launcher.run({ ...kube.launch, pod }, never);

    const message = expect.stringContaining('RuntimeClass "gvisro" not found');
    expect(exit).toMatchObject({ kind: 'failed', class: 'config', reason: 'FailedCreate', message });
    expect(eventLists(hasty.proxy.requests)).toHaveLength(1);
  });

  it('cannot begin until a person mends it, and says why: a ServiceAccount that there is not', async () => {
    await using hasty = await kube.stage.startLauncher({ ...soon, serviceAccountName: 'nobody' });

    const exit = await hasty.launcher.run(kube.launch, never);

    expect(exit).toMatchObject({ class: 'config', message: expect.stringContaining('"nobody" not found') });
  });

  it('cannot begin until a person mends it, and says why: more than a LimitRange gives', async () => {
    await using hasty = await kube.stage.startLauncher(soon);
    await using _limit = await kube.stage.limitPods(limitRanges, {
      limits: [{ type: 'Container', max: { memory: '8Mi' } }],
    });

    const exit = await hasty.launcher.run(kube.launch, never);

    expect(exit).toMatchObject({ class: 'config', message: expect.stringContaining('maximum memory usage') });
  });

  it('waits for room, and says for which, where a quota is used up', async () => {
    await using hasty = await kube.stage.startLauncher({ pullGraceMs: 1000, pendingLimitMs: 4000 });
    await using _quota = await kube.stage.limitPods(quotas, { hard: { pods: '0' } });

    const exit = await hasty.launcher.run(kube.launch, never);

    expect(exit).toMatchObject({ class: 'capacity', message: expect.stringContaining('exceeded quota') });
    // After one second, two, and at the end of four.
    expect(eventLists(hasty.proxy.requests)).toHaveLength(3);
  });

  it('begins when the quota has room again, asked for in between', async () => {
    await using hasty = await kube.stage.startLauncher({ pullGraceMs: 1000 });
    let running;
    {
      await using _quota = await kube.stage.limitPods(quotas, { hard: { pods: '0' } });
      running = hasty.launcher.run(kube.launch, never);
      await eventually(() => Promise.resolve(eventLists(hasty.proxy.requests).length > 0));
    }

    await kube.stage.end(kube.launch.runId);

    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
  });

  it('waits as before where nobody tells why', async () => {
    await using hasty = await kube.stage.startLauncher({ pullGraceMs: 500, pendingLimitMs: 1500 });
    hasty.proxy.add(({ resource }) => resource === 'events', {
      kind: 'answer',
      status: 403,
      message: 'events is forbidden',
    });
    const pod = PodSettings.parse({ runtimeClassName: 'gvisro' });

    const exit = await hasty.launcher.run({ ...kube.launch, pod }, never);

    expect(exit).toMatchObject({ class: 'capacity', reason: 'NoPod' });
    expect(hasty.logged.map(({ message }) => message)).toContain('why there is no pod cannot be asked');
  });
});
