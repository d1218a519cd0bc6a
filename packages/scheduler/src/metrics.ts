import type { TaskKind } from '@drydock/core';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the scheduler counts. Labels are bounded: classes and reasons, never a project or a merge request. */
export interface SchedulerMetrics {
  decided(decision: string, reason: string): void;
  launched(eventToLaunchMs: number): void;
  adopted(): void;
  superseded(): void;
  blocked(code: string): void;
  published(comments: number, resolved: number): void;
  taskEnded(outcome: string, kind: TaskKind, durationMs: number): void;
  /** Something was not written because another scheduler has the task. */
  fenced(): void;
  /** Of this scheduler; `slots` is the most it may have. */
  running(count: number, slots: number): void;
}

const secondsBuckets = [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1200];

/** Registers the metrics. */
export function createSchedulerMetrics(registry: Registry): SchedulerMetrics {
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
    help: 'Results of earlier launches that were taken over',
    registers,
  });
  const superseded = new Counter({ name: 'drydock_superseded_total', help: 'Runs stopped by a newer head', registers });
  const blocked = new Counter({
    name: 'drydock_blocked_total',
    help: 'Tasks put back until a person acts',
    labelNames: ['code'],
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
    help: 'Agents launched',
    registers,
  });
  const fenced = new Counter({
    name: 'drydock_fence_rejections_total',
    help: 'Tasks let go because another scheduler had taken them over; nothing more was written',
    registers,
  });
  const free = new Gauge({
    name: 'drydock_slots_free',
    help: 'Tasks that this scheduler could take beside those in its hands',
    registers,
  });
  const running = new Gauge({ name: 'drydock_running_tasks', help: 'Tasks in the hands of this scheduler', registers });
  return {
    decided: (decision, reason) => {
      decisions.inc({ decision, reason });
    },
    launched: (ms) => {
      attempts.inc();
      eventToLaunch.observe(ms / 1000);
    },
    adopted: () => {
      adopted.inc();
    },
    superseded: () => {
      superseded.inc();
    },
    blocked: (code) => {
      blocked.inc({ code });
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
    running: (count, slots) => {
      running.set(count);
      free.set(Math.max(0, slots - count));
    },
  };
}
