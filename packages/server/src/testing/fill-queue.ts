import type { Sha, TaskId } from '@drydock/core';
import type { LeasedTask, TaskQueue } from '@drydock/queue';
import { head } from './test-server.ts';

/** What a task is to be about. */
export interface QueuedTask {
  readonly iid?: number;
  readonly projectId?: string;
  readonly projectPath?: string;
  readonly forge?: string;
  readonly headSha?: Sha;
}

/** Puts a task in as a webhook would. */
export async function enqueue(queue: TaskQueue, task: QueuedTask = {}): Promise<TaskId> {
  const { iid = 7, projectId = '42', projectPath = 'shop/orders', forge = 'gitlab', headSha = head } = task;
  const { taskId } = await queue.enqueue(
    {
      v: 1,
      kind: 'review',
      subject: { forge, projectId, iid },
      projectPath,
      trigger: 'opened',
      headSha,
      occurredAtMs: null,
      command: null,
    },
    { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 },
  );
  return taskId;
}

/** Takes the next task as a scheduler would; there must be one. */
export async function lease(queue: TaskQueue): Promise<LeasedTask> {
  const task = await queue.lease({
    owner: 'scheduler-1',
    ttlMs: 60_000,
    limits: { total: 1000, perForge: null, perProject: null },
  });
  if (task === null) throw new Error('nothing to lease');
  return task;
}

/** Lets the next task run and end as a dead letter. */
export async function letDie(queue: TaskQueue, code = 'run.crashed'): Promise<TaskId> {
  const task = await lease(queue);
  await queue.beginLaunch(task, head);
  await queue.fail(task, { class: 'terminal', code, message: 'it broke', retryAfterMs: null });
  return task.taskId;
}
