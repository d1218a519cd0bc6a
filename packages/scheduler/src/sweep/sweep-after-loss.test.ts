import { expect, it } from '@jest/globals';
import { silentLog } from '@drydock/core';
import { MemorySweepState, MemoryTaskQueue } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { SchedulerStage } from '../testing/scheduler-stage.ts';
import { SweepWorld } from '../testing/sweep-world.ts';
import { sha, subject, taskId } from '../testing/world-gateway.ts';
import { createSweepMetrics } from './sweep-metrics.ts';
import { startSweep } from './start-sweep.ts';

it('posts nothing twice when the queue lost everything: the sweep asks, and the note on the forge answers', async () => {
  const clock = new ManualClock();
  const stage = new SchedulerStage(clock);
  stage.start();
  await stage.event();
  await stage.finishReview();
  const queue = new MemoryTaskQueue({ clock, random: () => 0.5, epoch: () => 2 });
  const state = new MemorySweepState(clock);
  const world = new SweepWorld();
  world.change(world.addProject(Number(subject.projectId)), subject.iid, clock.nowMs(), sha('a'));

  stage.start({ owner: 'after the loss' }, { queue });
  const sweep = startSweep(
    {
      gateway: world,
      queue,
      state,
      lock: state,
      clock,
      log: silentLog,
      metrics: createSweepMetrics(new Registry()),
      isProjectAllowed: () => true,
      random: () => 0.5,
    },
    { forges: ['gitlab'], owner: 'after the loss', everyMs: 300_000, reachMs: 7 * 86_400_000 },
  );
  await clock.advance(3_600_000);

  expect(await queue.get(taskId)).toMatchObject({
    state: 'skipped',
    trigger: 'swept',
    outcome: { why: 'head-already-reviewed' },
  });
  expect(stage.gateway.published).toEqual([sha('a')]);
  expect(stage.launcher.agents).toHaveLength(1);
  const stopping = sweep.stop();
  await stage.stop();
  await stopping;
});
