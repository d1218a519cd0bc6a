import { MovableTime } from './contract/queue-under-test.ts';
import { MemoryTaskQueue } from './memory-task-queue.ts';
import { describeTaskQueue } from './task-queue.contract.ts';

describeTaskQueue('MemoryTaskQueue', async (settings = {}) => {
  const time = new MovableTime();
  const queue = new MemoryTaskQueue({ clock: time.clock(), settings, random: () => 0.5 });
  return { queue, nowMs: time.nowMs, advance: time.advance };
});
