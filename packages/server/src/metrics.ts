import type { TaskKind } from '@drydock/core';
import type { QueueStats } from '@drydock/queue';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the server counts. Labels are bounded; an unknown forge in a path never becomes one. */
export interface ServerMetrics {
  answered(forge: string, code: number, seconds: number): void;
  outcome(outcome: string): void;
  /** `operation` is one of the API's own names. */
  controlAnswered(operation: string, code: number): void;
  queue(stats: QueueStats, pauses: number): void;
}

/** There is one kind of task; the queue will count by kind when there are more. */
const onlyClass: TaskKind = 'review';

/** Registers the metrics. */
export function createServerMetrics(registry: Registry): ServerMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'drydock_webhook_requests_total',
    help: 'Webhook deliveries by answer',
    labelNames: ['forge', 'code'],
    registers,
  });
  const seconds = new Histogram({
    name: 'drydock_webhook_ack_seconds',
    help: 'Time to the answer',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10], // 2: the most that a sender waits while the store hangs
    registers,
  });
  const events = new Counter({
    name: 'drydock_webhook_events_total',
    help: 'What became of deliveries, by the word that their answer carries',
    labelNames: ['outcome'],
    registers,
  });
  const deduplicated = new Counter({
    name: 'drydock_events_deduplicated_total',
    help: 'Deliveries seen before, which changed nothing',
    registers,
  });
  const control = new Counter({
    name: 'drydock_control_requests_total',
    help: 'Requests to the control API by operation and answer; 0: the client left',
    labelNames: ['operation', 'code'],
    registers,
  });
  const waiting = new Gauge({
    name: 'drydock_queue_depth',
    help: 'Tasks waiting, by kind of task',
    labelNames: ['class'],
    registers,
  });
  const leased = new Gauge({ name: 'drydock_queue_leased', help: 'Tasks that hold a lease', registers });
  const dead = new Gauge({ name: 'drydock_queue_dead', help: 'Dead letters that are kept', registers });
  const paused = new Gauge({ name: 'drydock_queue_pauses', help: 'Pauses in force', registers });
  const parked = new Gauge({
    name: 'drydock_queue_parked',
    help: 'What no scheduler can read, so that it waits for a person (drydock get parked): tasks, or whole projects and forges',
    labelNames: ['kind'],
    registers,
  });
  const oldest = new Gauge({
    name: 'drydock_queue_oldest_seconds',
    help: 'Age of the oldest task that is ready and not leased',
    registers,
  });
  return {
    answered: (forge, code, took) => {
      requests.inc({ forge, code });
      seconds.observe(took);
    },
    outcome: (outcome) => {
      events.inc({ outcome });
      if (outcome === 'duplicate') deduplicated.inc();
    },
    controlAnswered: (operation, code) => {
      control.inc({ operation, code });
    },
    queue: (stats, pauses) => {
      waiting.set({ class: onlyClass }, stats.waiting);
      leased.set(stats.running);
      dead.set(stats.dead);
      paused.set(pauses);
      parked.set({ kind: 'task' }, stats.parked);
      parked.set({ kind: 'place' }, stats.setAside);
      oldest.set(stats.oldestReadyMs / 1000);
    },
  };
}
