import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the server counts. Labels are bounded; an unknown forge in a path never becomes one. */
export interface ServerMetrics {
  answered(forge: string, code: number, seconds: number): void;
  outcome(outcome: string): void;
  depth(waiting: number, running: number, oldestReadyMs: number): void;
}

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
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
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
    help: 'Deliveries seen before',
    registers,
  });
  const waiting = new Gauge({ name: 'drydock_queue_depth', help: 'Tasks waiting', registers });
  const leased = new Gauge({ name: 'drydock_queue_leased', help: 'Tasks that hold a lease', registers });
  const oldest = new Gauge({ name: 'drydock_queue_oldest_seconds', help: 'Age of the oldest ready task', registers });
  return {
    answered: (forge, code, took) => {
      requests.inc({ forge, code });
      seconds.observe(took);
    },
    outcome: (outcome) => {
      events.inc({ outcome });
      if (outcome === 'duplicate') deduplicated.inc();
    },
    depth: (waitingCount, runningCount, oldestReadyMs) => {
      waiting.set(waitingCount);
      leased.set(runningCount);
      oldest.set(oldestReadyMs / 1000);
    },
  };
}
