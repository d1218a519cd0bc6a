/** On a real API server; there is no kubelet, so that pods stay as they are made. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { runIdOf, silentLog, systemClock } from '@drydock/core';
import { jobs } from '@drydock/kube';
import { MemoryTaskQueue } from '@drydock/queue';
import { Registry } from 'prom-client';
import { buildJob } from '../launchers/kube/job-manifest.ts';
import { PodSettings } from '../launchers/pod-settings.ts';
import { KubeStage, eventually, type StagedLauncher } from '../testing/kube-stage.ts';
import { WorldGateway, anEvent, sha, subject, taskId } from '../testing/world-gateway.ts';
import { createReapMetrics } from './reap-metrics.ts';
import { reapOnce } from './reap-loop.ts';

const never = new AbortController().signal;
const limits = { total: 9, perForge: null, perProject: null };

describe('reaping', () => {
  let stage: KubeStage;
  let staged: StagedLauncher;
  let queue: MemoryTaskQueue;
  let gateway: WorldGateway;
  let registry: Registry;
  let isLeader: boolean;

  beforeAll(async () => {
    stage = await KubeStage.open();
  });
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    staged = await stage.startLauncher();
    queue = new MemoryTaskQueue({ clock: systemClock });
    gateway = new WorldGateway();
    isLeader = true;
  });
  afterEach(async () => {
    for (const { metadata } of await stage.jobs()) {
      const place = { namespace: stage.namespace, name: metadata.name };
      await stage.client.delete(jobs, place, { uid: null, signal: never });
    }
    await staged[Symbol.asyncDispose]();
  });

  const reap = (changes: { readonly ageFloorMs?: number; readonly orphanAgeMs?: number } = {}) => {
    registry = new Registry();
    return reapOnce(
      {
        ...{ client: staged.client, jobs: () => staged.board.jobs(), queue, gateway, log: silentLog },
        isLeader: () => isLeader,
        clock: systemClock,
        metrics: createReapMetrics(registry),
      },
      {
        ...{ namespace: stage.namespace, instance: stage.settings.instance, everyMs: 1000 },
        ...{ ageFloorMs: 0, orphanAgeMs: 3_600_000, mostFinished: 10 },
        ...changes,
      },
      never,
    );
  };

  /** A task is leased and its launch begun, as far as queue, gateway and cluster know. */
  async function launched() {
    await queue.enqueue(anEvent(), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    const task = await queue.lease({ owner: 'x', ttlMs: 60_000, limits });
    if (task === null) throw new Error('no lease');
    const begun = await queue.beginLaunch(task, sha('a'));
    if (begun.kind === 'lost') throw new Error('lost');
    const { launch } = begun;
    const diffRefs = { baseSha: sha('c'), startSha: sha('c'), headSha: sha('a') };
    await gateway.startRun({ v: 1, taskId, launch, subject, diffRefs, trigger: 'pushed' }, never);
    const run = { runId: runIdOf(taskId, launch), taskId, kind: 'review', deadlineSeconds: 600 };
    await stage.client.create(jobs, buildJob(run, stage.settings, PodSettings.parse({})), { signal: never });
    await eventually(async () => staged.board.jobsOf(run.runId).length === 1);
    return { task, runId: run.runId };
  }

  it('reported 21, 32: leaves alone what somebody works on', async () => {
    await launched();

    await reap();

    expect(await stage.jobs()).toHaveLength(1);
    expect(await registry.metrics()).toContain('drydock_reap_skipped_total{reason="held"} 1');
  });

  it('removes what is left of a task that ended, with its pod', async () => {
    const { task, runId } = await launched();
    await gateway.revokeRun(runId, never);
    await queue.complete(task, { kind: 'done' });

    await reap();

    await eventually(async () => (await stage.jobs()).length + (await stage.pods()).length === 0);
    expect(await registry.metrics()).toContain('drydock_reaped_total{reason="ended"} 1');
  });

  it('reported 25: removes nothing that is young', async () => {
    const { task, runId } = await launched();
    await gateway.revokeRun(runId, never);
    await queue.complete(task, { kind: 'done' });

    await reap({ ageFloorMs: 60_000 });

    expect(await stage.jobs()).toHaveLength(1);
  });

  it('leaves alone a run that is not over, until it is an orphan; then its token dies first', async () => {
    const { task, runId } = await launched();
    await queue.release(task, { delayMs: 60_000, why: 'test' });

    await reap();
    expect(await stage.jobs()).toHaveLength(1);

    await reap({ orphanAgeMs: 0 });
    expect(gateway.revoked).toEqual([runId]);
    await eventually(async () => (await stage.jobs()).length === 0);
    expect(await registry.metrics()).toContain('drydock_reaped_total{reason="orphan"} 1');
  });

  it('reported 24: removes nothing that has changed since it was looked at', async () => {
    const { task, runId } = await launched();
    await gateway.revokeRun(runId, never);
    await queue.complete(task, { kind: 'done' });
    const [job] = await stage.jobs();
    const place = { namespace: stage.namespace, name: job?.metadata.name ?? '' };
    staged.proxy.add(({ verb }) => verb === 'delete', { kind: 'delay', ms: 500 });

    const reaping = reap();
    await eventually(async () => staged.proxy.requests.some(({ verb }) => verb === 'delete'));
    await stage.client.patch(jobs, place, { metadata: { annotations: { touched: 'yes' } } }, { signal: never });
    await reaping;

    expect(await stage.jobs()).toHaveLength(1);
    expect(await registry.metrics()).toContain('drydock_reap_skipped_total{reason="changed"} 1');
  });

  it('row 27, reported 40: removes nothing once it leads no more', async () => {
    const { task, runId } = await launched();
    await gateway.revokeRun(runId, never);
    await queue.complete(task, { kind: 'done' });
    gateway.interludes.set('readRun', async () => {
      isLeader = false;
    });

    await reap();

    expect(await stage.jobs()).toHaveLength(1);
  });
});
