/**
 * The time of a run where settings and clocks differ: on a real API server; what becomes of pods is written into their
 * status by hand.
 */
import { describe, expect, it } from '@jest/globals';
import { silentLog, systemClock, type Clock } from '@drydock/core';
import { jobs } from '@drydock/kube';
import { Registry } from 'prom-client';
import { eventually, type StagedLauncher } from '../../testing/kube-stage.ts';
import { UsedLauncher } from '../../testing/used-launcher.ts';
import { LeaveAgent, type AgentExit } from '../launcher.ts';
import { annotationNames } from './job-labels.ts';
import { createKubeLauncherMetrics } from './kube-launcher-metrics.ts';
import { KubeLauncher } from './kube-launcher.ts';

const never = new AbortController().signal;
const forever = () => Infinity;
const minuteMs = 60_000;

describe('the time of a run', () => {
  const kube = new UsedLauncher();

  /** It works on for a while, and ends by itself. */
  async function isWhole(running: Promise<AgentExit | null>): Promise<void> {
    const lasted = systemClock.sleep(5000, never).then(() => 'at work');
    expect(await Promise.race([running, lasted])).toBe('at work');
    await kube.stage.end(kube.launch.runId);
    expect(await running).toMatchObject({ kind: 'exited', code: 0 });
  }

  /** Begins an agent with a minute of its own, and leaves it. */
  async function leaveAgent({ launcher }: Pick<StagedLauncher, 'launcher'>): Promise<void> {
    const stop = new AbortController();
    const first = launcher.run({ ...kube.launch, deadlineSeconds: 60 }, stop.signal);
    await kube.stage.begin(kube.launch.runId);
    stop.abort(new LeaveAgent());
    expect(await first).toEqual({ kind: 'left' });
  }

  it('stays what it was when the allowance for starts is raised meanwhile', async () => {
    await leaveAgent(kube.staged);
    await using raised = await kube.stage.startLauncher({ startAllowanceSeconds: 600 });

    await isWhole(raised.launcher.adopt(kube.launch.runId, never, forever));
  });

  it('is what was left of it by its allowance, where the Job does not tell it', async () => {
    await leaveAgent(kube.staged);
    const [job] = await kube.ours();
    const annotations = { [annotationNames.runSeconds]: null };
    const place = { namespace: kube.stage.namespace, name: job?.metadata.name ?? '' };
    await kube.stage.client.patch(jobs, place, { metadata: { annotations } }, { signal: never });
    await eventually(async () => kube.staged.board.jobsOf(kube.launch.runId)[0]?.runSeconds === null);

    await isWhole(kube.staged.launcher.adopt(kube.launch.runId, never, forever));
  });

  describe.each([10, -10])('row 57: where our clock is %d minutes ahead', (minutes) => {
    const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + minutes * minuteMs };

    function skewed({ client, board }: StagedLauncher): KubeLauncher {
      const metrics = createKubeLauncherMetrics(new Registry(), () => undefined);
      return new KubeLauncher(kube.stage.settings, { client, board, clock, log: silentLog, metrics });
    }

    it('is whole for one that is launched', async () => {
      const running = skewed(kube.staged).run({ ...kube.launch, deadlineSeconds: 60 }, never);
      await kube.stage.begin(kube.launch.runId);

      await isWhole(running);
    });

    it('is whole for one that is adopted', async () => {
      await leaveAgent(kube.staged);
      await using other = await kube.stage.startLauncher();

      await isWhole(skewed(other).adopt(kube.launch.runId, never, forever));
    });
  });

  it('is counted by the clock that Jobs are dated by, which every answer tells', async () => {
    await leaveAgent(kube.staged);
    const [job] = await kube.ours();
    const ageMs = (kube.staged.client.serverTimeMs() ?? NaN) - Date.parse(job?.metadata.creationTimestamp ?? '');

    expect(ageMs).toBeGreaterThan(-1000);
    expect(ageMs).toBeLessThan(60_000);
  });
});
