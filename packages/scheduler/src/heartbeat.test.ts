import { beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, TransientError, silentLog } from '@drydock/core';
import { MemoryTaskQueue, type LeasedTask } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { Heartbeats, StopSignal, type Heartbeat } from './heartbeat.ts';
import { anEvent, sha, taskId } from './testing/world-gateway.ts';

const ttlMs = 15_000;
const atOnce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };

describe('Heartbeats', () => {
  let clock: ManualClock;
  let queue: MemoryTaskQueue;
  let task: LeasedTask;
  let stop: AbortController;
  let heartbeats: Heartbeats;
  let heartbeat: Heartbeat;
  let extended: number;

  beforeEach(async () => {
    clock = new ManualClock();
    queue = new MemoryTaskQueue({ clock });
    await queue.enqueue(anEvent(), atOnce);
    const leased = await queue.lease({ owner: 'test', ttlMs, limits: { total: 1, perForge: null, perProject: null } });
    if (leased === null) throw new Error('nothing to lease');
    task = leased;
    extended = 0;
    const { extend } = queue;
    queue.extend = (...args) => {
      extended += 1;
      return extend.apply(queue, args);
    };
    stop = new AbortController();
    heartbeats = new Heartbeats({ queue, clock }, ttlMs);
    heartbeat = heartbeats.start(task, silentLog, stop);
  });

  const reason = () => (stop.signal.reason instanceof StopSignal ? stop.signal.reason.reason : null);
  const failExtend = (error: Error) => {
    queue.extend = () => Promise.reject(error);
  };

  it('holds the lease for as long as it beats', async () => {
    await clock.advance(10 * ttlMs);

    expect(heartbeat.isHeld()).toBe(true);
    expect(stop.signal.aborted).toBe(false);
    expect(
      await queue.lease({ owner: 'other', ttlMs, limits: { total: 9, perForge: null, perProject: null } }),
    ).toBeNull();
    await heartbeat.end();
  });

  it('asks three times per lifetime, and at a wake-up at once', async () => {
    await clock.advance(ttlMs);
    expect(extended).toBe(3);

    await queue.enqueue(anEvent({ headSha: sha('b') }), atOnce);
    await clock.advance(0);

    expect(extended).toBe(4);
    expect(reason()).toBe('superseded');
    await heartbeat.end();
  });

  it('goes on after an interrupt: what is stopped still has to be put back', async () => {
    await queue.interrupt(taskId, 'cancelled');
    await clock.advance(10 * ttlMs);

    expect(reason()).toBe('cancelled');
    expect(heartbeat.isHeld()).toBe(true);
    expect(() => {
      heartbeat.check();
    }).toThrow('stopped: cancelled');
    await heartbeat.end();
  });

  it('tells when somebody else has it', async () => {
    clock.jump(2 * ttlMs);
    await queue.lease({ owner: 'other', ttlMs, limits: { total: 9, perForge: null, perProject: null } });
    await clock.advance(0);

    expect(reason()).toBe('lease-lost');
    await heartbeat.end();
  });

  it('tells a process that was frozen before its timers fire', () => {
    clock.jump(ttlMs);

    expect(heartbeat.isHeld()).toBe(false);
    expect(() => {
      heartbeat.check();
    }).toThrow('stopped: lease-lost');
  });

  it.each([
    new TransientError('queue.unreachable', 'down'),
    new BlockedError('queue.wrong_type', 'a key of ours holds something else'),
  ])('outlives $code for as long as the lease lasts, and not longer', async (error) => {
    const { extend } = queue;
    failExtend(error);
    await clock.advance(ttlMs - 1);
    expect(stop.signal.aborted).toBe(false);
    queue.extend = extend;
    await clock.advance(ttlMs);
    expect(heartbeat.isHeld()).toBe(true);

    failExtend(error);
    await clock.advance(2 * ttlMs);

    expect(reason()).toBe('lease-lost');
    await heartbeat.end();
  });

  it('counts from when it asked, not from when it was answered', async () => {
    const { extend } = queue;
    queue.extend = async (...args) => {
      const answer = await extend.apply(queue, args);
      clock.jump(ttlMs); // the answer was on its way for a whole lifetime
      return answer;
    };
    await clock.advance(ttlMs / 3);

    expect(heartbeat.isHeld()).toBe(false);
    await heartbeat.end();
  });

  it('stops the work on a bug, and tells it at its end', async () => {
    failExtend(new TypeError('undefined is not a function'));
    await clock.advance(ttlMs);

    expect(stop.signal.reason).toBeInstanceOf(TypeError);
    await expect(heartbeat.end()).rejects.toThrow(TypeError);
  });

  it('ends without waiting for its time', async () => {
    await heartbeat.end();
    await clock.advance(10 * ttlMs);

    expect(extended).toBe(0);
  });

  it('leaves no timer behind when the last has ended', async () => {
    const others = Array.from({ length: 3 }, () => heartbeats.start(task, silentLog, new AbortController()));
    await clock.advance(ttlMs);
    expect(clock.sleeping).toBe(1);

    await Promise.all([heartbeat, ...others].map((each) => each.end()));

    expect(clock.sleeping).toBe(0);
  });

  it('asks in one turn for leases whose times are close together, and begins anew after the last has gone', async () => {
    await clock.advance(100);
    const second = heartbeats.start(task, silentLog, new AbortController());
    await clock.advance(ttlMs / 3 - 100);
    expect(extended).toBe(2);

    await Promise.all([heartbeat.end(), second.end()]);
    const third = heartbeats.start(task, silentLog, new AbortController());
    await clock.advance(ttlMs);

    expect(extended).toBe(5);
    await third.end();
  });

  it('asks again when it was woken while it waited for an answer', async () => {
    const { extend } = queue;
    const answered = Promise.withResolvers<undefined>();
    queue.extend = async (...args) => {
      queue.extend = extend;
      await answered.promise;
      return extend.apply(queue, args);
    };
    await clock.advance(ttlMs / 3);
    await queue.enqueue(anEvent({ headSha: sha('b') }), atOnce);
    await queue.interrupt(taskId, 'cancelled');

    answered.resolve(undefined);
    await clock.advance(0);

    expect(extended).toBe(2);
    expect(stop.signal.aborted).toBe(true);
    await heartbeat.end();
  });
});
