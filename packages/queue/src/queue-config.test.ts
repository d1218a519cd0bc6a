import { describe, expect, it } from '@jest/globals';
import { readConfig, type TaskRequest } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { MemoryTaskQueue } from './memory-task-queue.ts';
import { QueueConfig, queueSettings } from './queue-config.ts';

const event: TaskRequest = {
  v: 1,
  kind: 'review',
  subject: { forge: 'gitlab', projectId: '42', iid: 7 },
  projectPath: 'shop/api',
  trigger: 'opened',
  headSha: 'a'.repeat(40),
  occurredAtMs: null,
  command: null,
};
const dayMs = 24 * 3_600_000;

describe('queueSettings', () => {
  it('keeps how a task ended for as many days as is set', async () => {
    const clock = new ManualClock();
    const settings = queueSettings(readConfig(QueueConfig, { DRYDOCK_KEEP_DAYS: '2' }));
    const queue = new MemoryTaskQueue({ clock, settings });
    const { taskId } = await queue.enqueue(event, { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    const limits = { total: 1, perForge: null, perProject: null };
    const task = await queue.lease({ owner: 'test', ttlMs: 1000, limits });
    if (task === null) throw new Error('nothing waits');
    await queue.complete(task, { kind: 'done' });

    await clock.advance(2 * dayMs - 1000);
    const before = await queue.get(taskId);
    await clock.advance(2000);

    expect(before?.state).toBe('done');
    expect(await queue.get(taskId)).toBeNull();
  });

  it('keeps it for 30 days unless said otherwise', () => {
    expect(queueSettings(readConfig(QueueConfig, {}))).toEqual({ retentionMs: 30 * dayMs });
  });
});
