import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TransientError } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { SchedulerStage } from './testing/scheduler-stage.ts';
import { subject } from './testing/world-gateway.ts';

describe('runLeaseLoop', () => {
  let stage: SchedulerStage;

  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
  });
  afterEach(() => stage.stop());

  it('takes what comes in at once', async () => {
    stage.start({ pollMs: 60_000 });
    await stage.clock.advance(10);

    await stage.event();

    expect(stage.launcher.running).toBe(1);
  });

  it('reported 6: finds what nobody told it of by asking now and then', async () => {
    stage.queue.onWake = () => () => undefined;
    stage.start({ pollMs: 1000 });
    await stage.clock.advance(10);
    await stage.event();
    expect(stage.launcher.running).toBe(0);

    await stage.clock.advance(1000);

    expect(stage.launcher.running).toBe(1);
  });

  it('takes the next as soon as there is room, without waiting for the time', async () => {
    stage.gateway.changes = { reviewed: null };
    stage.start({ pollMs: 60_000 });
    for (const iid of [1, 2, 3]) await stage.event({ subject: { ...subject, iid } });
    for (const ended of [1, 2]) {
      expect(stage.launcher.agents).toHaveLength(ended);
      await stage.finishReview();
    }

    expect(stage.launcher.agents).toHaveLength(3);
  });

  it('keeps to the limit over all schedulers of a queue', async () => {
    for (let scheduler = 0; scheduler < 3; scheduler += 1) stage.start({ maxRunning: 2 });
    for (const iid of [1, 2, 3, 4, 5]) await stage.event({ subject: { ...subject, iid } });
    await stage.clock.advance(5000);

    expect(stage.launcher.running).toBe(2);
    expect(await stage.queue.stats()).toMatchObject({ running: 2, waiting: 3 });
  });

  it('takes no more while many agents are yet to begin, and goes on when some have', async () => {
    const begin: (() => void)[] = [];
    const { launcher } = stage;
    const run = launcher.run.bind(launcher);
    launcher.run = ({ onBegun, ...launch }, signal) => {
      begin.push(onBegun ?? (() => undefined));
      return run(launch, signal);
    };
    for (let iid = 1; iid <= 100; iid += 1) await stage.event({ subject: { ...subject, iid } });
    stage.start({ maxRunning: 1000, pollMs: 60_000 });
    await stage.clock.advance(0);
    const atFirst = launcher.running;
    expect(atFirst).toBeGreaterThan(16);
    expect(atFirst).toBeLessThanOrEqual(32);

    for (const each of begin.splice(0)) each();
    await stage.clock.advance(0);
    expect(launcher.running).toBeGreaterThan(atFirst);

    while (begin.length > 0) {
      for (const each of begin.splice(0)) each();
      await stage.clock.advance(0);
    }
    expect(await stage.queue.stats()).toMatchObject({ waiting: 0, running: 100 });
  });

  it('outlives a queue that is away', async () => {
    const { lease } = stage.queue;
    stage.queue.lease = () => Promise.reject(new TransientError('queue.unreachable', 'down'));
    const scheduler = stage.start();
    await stage.event();
    await stage.clock.advance(60_000);
    expect(stage.launcher.running).toBe(0);

    stage.queue.lease = lease;
    await stage.clock.advance(1000);

    expect(stage.launcher.running).toBe(1);
    await scheduler.stop();
  });

  it('puts back what it leased while it was told to stop', async () => {
    const { lease } = stage.queue;
    const asked = Promise.withResolvers<undefined>();
    stage.queue.lease = async (...args) => {
      await asked.promise;
      return lease.apply(stage.queue, args);
    };
    const scheduler = stage.start();
    await stage.event();

    const stopped = scheduler.stop();
    asked.resolve(undefined);
    await stopped;

    expect(stage.gateway.writes).toEqual([]);
    expect(stage.launcher.agents).toEqual([]);
    expect(await stage.task()).toMatchObject({ state: 'waiting', lease: 1, failures: 0 });
  });

  it('listens to nothing any more once it has stopped', async () => {
    const listeners = new Set<() => void>();
    const { onWake } = stage.queue;
    stage.queue.onWake = (listener) => {
      listeners.add(listener);
      const leave = onWake.call(stage.queue, listener);
      return () => {
        listeners.delete(listener);
        leave();
      };
    };
    const scheduler = stage.start();
    await stage.event();
    await stage.finishReview();

    expect(listeners.size).toBe(1);
    await scheduler.stop();

    expect(listeners.size).toBe(0);
  });
});
