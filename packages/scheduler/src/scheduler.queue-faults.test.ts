import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, TransientError } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { SchedulerStage } from './testing/scheduler-stage.ts';

describe('a scheduler that meets a fault', () => {
  let stage: SchedulerStage;

  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
    stage.start();
  });
  afterEach(async () => {
    await stage.stop();
  });

  describe('that is a bug', () => {
    it('ends the scheduler, once the other tasks are put back', async () => {
      await stage.stop();
      stage = new SchedulerStage(new ManualClock());
      const scheduler = stage.start({ maxRunning: 2 });
      await stage.event();
      stage.gateway.faults.set('readMergeRequest', [new TypeError('undefined is not a function')]);
      await stage.event({ subject: { forge: 'gitlab', projectId: '42', iid: 8 } });

      await expect(scheduler.ended).rejects.toThrow(TypeError);

      expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 0 });
      expect(stage.launcher.running).toBe(0);
    });

    it.each(['extend', 'lease'] as const)('in the queue, at %s, does the same', async (operation) => {
      await stage.stop();
      stage = new SchedulerStage(new ManualClock());
      const scheduler = stage.start({ maxRunning: 2 });
      await stage.event();
      Object.assign(stage.queue, { [operation]: () => Promise.reject(new TypeError('undefined is not a function')) });
      await stage.clock.advance(6000);

      await expect(scheduler.ended).rejects.toThrow(TypeError);

      expect(stage.launcher.running).toBe(0);
    });
  });

  it('of the queue at its end is written when the queue is back', async () => {
    await stage.event();
    const { complete } = stage.queue;
    let failures = 3;
    stage.queue.complete = (...args) => {
      failures -= 1;
      if (failures >= 0) return Promise.reject(new TransientError('queue.unreachable', 'down'));
      return complete.apply(stage.queue, args);
    };
    await stage.finishReview();
    await stage.clock.advance(5000);

    expect(await stage.task()).toMatchObject({ state: 'done' });
  });

  it.each(['complete', 'extend', 'lease'] as const)(
    'of a queue that holds something else, seen at %s, does not end the scheduler',
    async (operation) => {
      const works = stage.queue[operation];
      await stage.event();
      const broken = () => Promise.reject(new BlockedError('queue.wrong_type', 'a key of ours'));
      Object.assign(stage.queue, { [operation]: broken });
      await stage.clock.advance(6000);
      await stage.finishReview();
      await stage.clock.advance(6000);
      Object.assign(stage.queue, { [operation]: works });

      stage.gateway.changes = { reviewed: null };
      await stage.event({ subject: { forge: 'gitlab', projectId: '42', iid: 9 } });
      for (let seconds = 0; seconds < 60; seconds += 1) {
        await stage.clock.advance(1000);
        if (stage.launcher.running > 0) await stage.finishReview();
      }

      expect(await stage.queue.get('review:gitlab:42:9')).toMatchObject({ state: 'done' });
    },
  );
});
