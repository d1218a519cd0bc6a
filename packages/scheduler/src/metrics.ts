import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the scheduler counts. Labels are bounded: classes and reasons, never a project or a merge request. */
export interface SchedulerMetrics {
  decided(decision: string, reason: string): void;
  launched(eventToLaunchMs: number): void;
  adopted(): void;
  superseded(): void;
  blocked(code: string): void;
  published(comments: number, resolved: number): void;
  taskEnded(outcome: string, durationMs: number): void;
  running(count: number): void;
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
    name: 'drydock_event_to_launch_seconds',
    help: 'From the event to the launch of an agent',
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
    help: 'Tasks by how they ended',
    labelNames: ['outcome'],
    registers,
  });
  const taskSeconds = new Histogram({
    name: 'drydock_task_seconds',
    help: 'Time in the hands of a scheduler',
    labelNames: ['outcome'],
    buckets: secondsBuckets,
    registers,
  });
  const running = new Gauge({ name: 'drydock_running_tasks', help: 'Tasks in the hands of this scheduler', registers });
  return {
    decided: (decision, reason) => {
      decisions.inc({ decision, reason });
    },
    launched: (ms) => {
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
    taskEnded: (outcome, ms) => {
      tasks.inc({ outcome });
      taskSeconds.observe({ outcome }, ms / 1000);
    },
    running: (count) => {
      running.set(count);
    },
  };
}
