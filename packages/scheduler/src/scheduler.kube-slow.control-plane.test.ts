/**
 * Schedulers whose view of the cluster is old, or comes late: on a real API server with the real Job controller. There
 * is no kubelet: what becomes of pods is written into their status by hand.
 */
import { describe, expect, it } from '@jest/globals';
import { silentLog, systemClock } from '@drydock/core';
import type { KubeFaultProxy } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { reapOnce } from './reap/reap-loop.ts';
import { createReapMetrics } from './reap/reap-metrics.ts';
import { eventually } from './testing/kube-stage.ts';
import { UsedSchedulers, callsOf, runId } from './testing/used-schedulers.ts';
import { sha } from './testing/world-gateway.ts';

const never = new AbortController().signal;

describe('schedulers of a cluster', () => {
  const used = new UsedSchedulers();

  /** As a cache that lags: lists through the proxy are what they were when they were asked for last, watches are mute. */
  function freeze(proxy: KubeFaultProxy): void {
    proxy.add(({ verb }) => verb === 'list', { kind: 'stale' });
    proxy.add(({ verb }) => verb === 'watch', { kind: 'watch', change: () => 'stall' });
  }

  function thaw(proxy: KubeFaultProxy): void {
    proxy.clear();
    proxy.resetAll();
  }

  it('reported 24: take over a task whose Job no list tells of, and make no second one', async () => {
    let isCut = false;
    const one = await used.start({}, () => isCut);
    const { proxy } = one.staged;
    await used.enqueue();
    await used.stage.begin(runId());
    freeze(proxy);
    isCut = true;

    const two = await used.start({ owner: 'two' }, () => false, { behind: proxy });
    await eventually(async () => (await used.task()).lease === 2);
    const seen = two.staged.board.jobs();
    await eventually(async () => (await two.registry.metrics()).includes('drydock_adopted_total 1'));
    thaw(proxy);
    used.gateway.submitReview(runId());
    await used.stage.end(runId());

    await used.inState('done');
    expect(seen).toEqual([]);
    expect(await used.task()).toMatchObject({ launch: 1, failures: 0 });
    expect(callsOf(one).filter((call) => call === 'create jobs')).toHaveLength(1);
    expect(used.gateway.published).toEqual([sha('a')]);
    await used.noJobs();
  });

  it('reported 21: reap nothing by an old list, which has a Job that is gone and not the one at work', async () => {
    const one = await used.start();
    const { proxy } = one.staged;
    await used.enqueue();
    await used.stage.begin(runId());
    await used.stage.startLauncher({}, proxy); // it lists the Job
    freeze(proxy);
    used.gateway.submitReview(runId());
    await used.stage.end(runId());
    await used.inState('done');
    await used.noJobs();
    used.gateway.headSha = sha('b');
    await used.enqueue({ headSha: sha('b') });
    await used.stage.begin(runId(2));

    const late = await used.stage.startLauncher({}, proxy);
    const registry = new Registry();
    const { namespace, settings } = used.stage;
    await reapOnce(
      {
        ...{ client: late.client, jobs: () => late.board.jobs(), queue: used.queue, gateway: used.gateway },
        ...{ log: silentLog, isLeader: () => true, clock: systemClock, metrics: createReapMetrics(registry) },
      },
      {
        ...{ namespace, instance: settings.instance, everyMs: 1000 },
        ...{ ageFloorMs: 0, orphanAgeMs: 0, mostFinished: 0 },
      },
      never,
    );

    expect(late.board.jobs().map(({ runId: of }) => of)).toEqual([runId(1)]);
    expect(await registry.metrics()).toContain('drydock_reap_skipped_total{reason="gone"} 1');
    expect((await used.stage.jobs()).map(({ metadata }) => metadata.labels['drydock.dev/run'])).toEqual([runId(2)]);
    used.gateway.submitReview(runId(2));
    await used.stage.end(runId(2));
    await used.inState('done');
  });

  it('count nothing and make no second Job while each call takes 30 s, and keep what runs', async () => {
    const leaseTtlMs = 3000;
    const one = await used.start({ leaseTtlMs });
    const { proxy } = one.staged;
    const slow = () => proxy.add(() => true, { kind: 'delay', ms: 30_000 });
    slow();
    await used.enqueue();
    await eventually(async () => (await used.task()).lastError?.code === 'kube.timeout'); // not asked for after its lease
    const unmade = await used.stage.jobs();

    proxy.clear();
    const [pod] = await eventually(async () => {
      const made = await used.stage.pods();
      return made.length > 0 && made;
    });
    const run = pod?.metadata.labels['drydock.dev/run'] ?? '';
    await used.stage.begin(run);
    const before = await used.task();
    slow();
    await systemClock.sleep(2 * leaseTtlMs, never);
    const after = await used.task();
    proxy.clear();
    const made = await used.stage.jobs();
    used.gateway.submitReview(run);
    await used.stage.end(run);

    await used.inState('done');
    expect([unmade.length, made.length]).toEqual([0, 1]);
    expect(before).toMatchObject({ state: 'running', failures: 0 });
    expect(after).toMatchObject({ state: 'running', failures: 0, lease: before.lease, launch: before.launch });
    expect(used.gateway.published).toEqual([sha('a')]);
    await used.noJobs();
  });
});
