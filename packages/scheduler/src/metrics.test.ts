import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TransientError } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { createSchedulerMetrics } from './metrics.ts';
import { SchedulerStage, leaseTtlMs } from './testing/scheduler-stage.ts';
import { sha } from './testing/world-gateway.ts';

describe('metrics of the scheduler', () => {
  let stage: SchedulerStage;
  let registry: Registry;

  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
    registry = new Registry();
  });
  afterEach(async () => {
    await stage.stop();
  });

  const start = (maxRunning = 1) =>
    stage.start({ maxRunning }, { metrics: createSchedulerMetrics(registry, stage.queue) });
  /** The samples of a metric, without its comments. */
  const samples = async (name: string) =>
    (await registry.getSingleMetricAsString(name)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

  it('count attempts by what ended them', async () => {
    start();
    await stage.event();
    await stage.endAgent({ kind: 'exited', code: 1, signal: null, lastWords: '' });
    await stage.clock.advance(600_000);
    await stage.finishReview();
    await stage.event({ trigger: 'swept' });

    expect((await samples('drydock_attempts_total')).sort()).toEqual([
      'drydock_attempts_total{class="done"} 1',
      'drydock_attempts_total{class="transient"} 1',
    ]);
    expect(await samples('drydock_adopted_total')).toEqual(['drydock_adopted_total 0']);
  });

  it('count what a newer head stops, and how long its agent took to end', async () => {
    start();
    await stage.event();
    stage.gateway.headSha = sha('b');
    await stage.event({ headSha: sha('b') });

    expect(await samples('drydock_superseded_total')).toEqual(['drydock_superseded_total 1']);
    expect(await samples('drydock_supersede_to_dead_seconds')).toContain('drydock_supersede_to_dead_seconds_count 1');
    expect(await samples('drydock_attempts_total')).toEqual(['drydock_attempts_total{class="superseded"} 1']);
  });

  it('count takeovers, and the writes of who was taken over that were refused', async () => {
    await stage.event();
    const limits = { total: 10, perForge: null, perProject: null };
    await stage.queue.lease({ owner: 'killed', ttlMs: 1000, limits });
    await stage.clock.advance(2000);
    start();
    await stage.clock.advance(0);
    expect(await samples('drydock_adopted_total')).toEqual(['drydock_adopted_total 1']);
    expect(await samples('drydock_fence_rejections_total')).toEqual(['drydock_fence_rejections_total 0']);

    stage.clock.jump(4 * leaseTtlMs);
    await stage.queue.lease({ owner: 'other', ttlMs: 600_000, limits });
    await stage.finishReview();
    await stage.clock.advance(0);

    expect(await samples('drydock_fence_rejections_total')).toEqual(['drydock_fence_rejections_total 1']);
  });

  it('count free slots over all schedulers', async () => {
    start(3);
    expect(await samples('drydock_slots_free')).toEqual(['drydock_slots_free 3']);
    await stage.event();
    await stage.event({ subject: { forge: 'gitlab', projectId: '42', iid: 8 } });
    // The second scheduler is this one.
    const other = new Registry();
    createSchedulerMetrics(other, stage.queue).running(0, 3);

    expect(await samples('drydock_slots_free')).toEqual(['drydock_slots_free 1']);
    expect(await other.getSingleMetricAsString('drydock_slots_free')).toContain('drydock_slots_free 1');

    stage.queue.stats = () => Promise.reject(new TransientError('queue.unreachable', 'down'));
    expect(await samples('drydock_slots_free')).toEqual(['drydock_slots_free Nan']);
  });
});
