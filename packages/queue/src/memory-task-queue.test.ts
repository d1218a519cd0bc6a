import { describe, expect, it } from '@jest/globals';
import {
  MovableTime,
  aTaskRequest,
  atOnce,
  leaseNext,
  mustRun,
  noonEpoch,
  noonMs,
} from './contract/queue-under-test.ts';
import { MemoryTaskQueue } from './memory-task-queue.ts';
import { describeTaskQueue } from './task-queue.contract.ts';

describeTaskQueue('MemoryTaskQueue', async (settings = {}) => {
  const time = new MovableTime();
  const queue = new MemoryTaskQueue({ clock: time.clock(), settings, random: () => 0.5, epoch: () => noonEpoch });
  return { queue, nowMs: time.nowMs, advance: time.advance };
});

describe('MemoryTaskQueue in its process', () => {
  it('lets leases age by elapsed time, whatever becomes of the wall clock', async () => {
    let wallMs = noonMs;
    let elapsedMs = 0;
    const clock = { nowMs: () => wallMs, monotonicMs: () => elapsedMs, sleep: () => Promise.resolve() };
    const queue = new MemoryTaskQueue({ clock });
    await mustRun(queue);

    wallMs += 24 * 3_600_000;
    expect(await leaseNext(queue)).toBeNull();

    wallMs = 0;
    elapsedMs = 15_000;
    expect(await leaseNext(queue)).toMatchObject({ lease: 2, queuedAtMs: noonMs });
  });

  it('wakes nobody who no longer listens', async () => {
    const queue = new MemoryTaskQueue({ clock: new MovableTime().clock() });
    const woken: string[] = [];
    const stopFirst = queue.onWake(() => woken.push('first'));
    queue.onWake(() => woken.push('second'));
    stopFirst();

    await queue.enqueue(aTaskRequest(), atOnce);
    await Promise.resolve();

    expect(woken).toEqual(['second']);
  });
});
