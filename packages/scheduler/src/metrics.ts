import { DrydockError, type TaskKind } from '@drydock/core';
import type { TaskQueue } from '@drydock/queue';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the scheduler counts. Labels are bounded: classes and reasons, never a project or a merge request. */
export interface SchedulerMetrics {
  decided(decision: string, reason: string): void;
  launched(eventToLaunchMs: number): void;
  /** An agent's run is over for good: `done`, or the class of what ended it. */
  attemptEnded(cls: string): void;
  adopted(): void;
  superseded(): void;
  /** The agent of a superseded run has ended, so long after its scheduler heard of the newer head. */
  supersededGone(ms: number): void;
  blocked(code: string): void;
  /** Something of the cluster that a person must mend: `config`, `isolation-unenforced`, … */
  alarm(what: string): void;
  published(comments: number, resolved: number): void;
  taskEnded(outcome: string, kind: TaskKind, durationMs: number): void;
  /** Something was not written because another scheduler has the task. */
  fenced(): void;
  /** `count`: of this scheduler. `limit`: of all schedulers of the queue together. */
  running(count: number, limit: number): void;
}

const secondsBuckets = [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1200];

/** Registers the metrics. `queue` counts what all its schedulers run together; absent: this one is alone. */
export function createSchedulerMetrics(registry: Registry, queue?: Pick<TaskQueue, 'stats'>): SchedulerMetrics {
  const registers = [registry];
  const decisions = new Counter({
    name: 'drydock_decisions_total',
    help: 'Decisions by reason',
    labelNames: ['decision', 'reason'],
    registers,
  });
  const eventToLaunch = new Histogram({
    name: 'drydock_event_to_job_seconds',
    help: 'From the event that queued a task to the launch of its agent',
    buckets: secondsBuckets,
    registers,
  });
  const adopted = new Counter({
    name: 'drydock_adopted_total',
    help: 'Tasks taken over from a scheduler whose lease ran out',
    registers,
  });
  const superseded = new Counter({ name: 'drydock_superseded_total', help: 'Runs stopped by a newer head', registers });
  const supersedeToDead = new Histogram({
    name: 'drydock_supersede_to_dead_seconds',
    help: 'From hearing of a newer head to the end of the agent that reviewed the older one',
    buckets: secondsBuckets,
    registers,
  });
  const blocked = new Counter({
    name: 'drydock_blocked_total',
    help: 'Tasks put back until a person acts',
    labelNames: ['code'],
    registers,
  });
  const alarms = new Counter({
    name: 'drydock_alarms_total',
    help: 'What a person must look at',
    labelNames: ['what'],
    registers,
  });
  const comments = new Counter({
    name: 'drydock_comments_posted_total',
    help: 'New comments on merge requests',
    registers,
  });
  const resolved = new Counter({ name: 'drydock_threads_resolved_total', help: 'Own threads resolved', registers });
  const tasks = new Counter({
    name: 'drydock_tasks_total',
    help: 'Tasks by how the work on them ended, and kind of task',
    labelNames: ['outcome', 'class'],
    registers,
  });
  const taskSeconds = new Histogram({
    name: 'drydock_task_seconds',
    help: 'Time in the hands of a scheduler',
    labelNames: ['outcome'],
    buckets: secondsBuckets,
    registers,
  });
  const attempts = new Counter({
    name: 'drydock_attempts_total',
    help: 'Runs of agents by how they ended: done, or the class of what ended them',
    labelNames: ['class'],
    registers,
  });
  const fenced = new Counter({
    name: 'drydock_fence_rejections_total',
    help: 'Tasks let go because another scheduler had taken them over; nothing more was written',
    registers,
  });
  let slots = 0;
  let ownRunning = 0;
  new Gauge({
    name: 'drydock_slots_free',
    help: 'Tasks that could begin now, within the limit on all schedulers together; NaN while the queue does not answer',
    registers,
    async collect() {
      this.set(await freeSlots(slots, ownRunning, queue));
    },
  });
  const running = new Gauge({ name: 'drydock_running_tasks', help: 'Tasks in the hands of this scheduler', registers });
  return {
    decided: (decision, reason) => {
      decisions.inc({ decision, reason });
    },
    launched: (ms) => {
      eventToLaunch.observe(ms / 1000);
    },
    attemptEnded: (cls) => {
      attempts.inc({ class: cls });
    },
    adopted: () => {
      adopted.inc();
    },
    superseded: () => {
      superseded.inc();
    },
    supersededGone: (ms) => {
      supersedeToDead.observe(ms / 1000);
    },
    blocked: (code) => {
      blocked.inc({ code });
    },
    alarm: (what) => {
      alarms.inc({ what });
    },
    published: (added, closed) => {
      comments.inc(added);
      resolved.inc(closed);
    },
    taskEnded: (outcome, kind, ms) => {
      tasks.inc({ outcome, class: kind });
      taskSeconds.observe({ outcome }, ms / 1000);
    },
    fenced: () => {
      fenced.inc();
    },
    running: (count, limit) => {
      running.set(count);
      slots = limit;
      ownRunning = count;
    },
  };
}

async function freeSlots(slots: number, ownRunning: number, queue?: Pick<TaskQueue, 'stats'>): Promise<number> {
  try {
    return Math.max(0, slots - (queue === undefined ? ownRunning : (await queue.stats()).running));
  } catch (error) {
    if (error instanceof DrydockError) return NaN;
    throw error;
  }
}
