import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** How one round of a forge's sweep ended. */
export type SweepOutcome =
  /** All that was due is done. */
  | 'swept'
  /** More is due than one round does. */
  | 'unfinished'
  /** Another scheduler swept a moment ago, or is at it. */
  | 'rested'
  /** The forge refuses our credential. */
  | 'blocked'
  | 'rate-limited'
  | 'failed';

/** What the sweep counts. Labels are bounded. */
export interface SweepMetrics {
  swept(outcome: SweepOutcome, durationMs: number): void;
  /** Tasks that no webhook had brought. */
  healed(count: number): void;
  /** Merge requests that were passed over, as their tasks cannot be read. */
  unreadable(count: number): void;
  /** What a look at the queue's own tasks put right, and what only a person can. */
  audited(found: { readonly healed: number; readonly broken: number }): void;
  /** Deliveries that the forge was asked to send again, by how that went. */
  resent(outcome: 'delivered' | 'failed' | 'given-up'): void;
  hooksDisabled(forge: string, count: number): void;
}

/** Registers the metrics. */
export function createSweepMetrics(registry: Registry): SweepMetrics {
  const registers = [registry];
  const sweeps = new Counter({
    name: 'drydock_sweeps_total',
    help: 'Rounds of the sweep over open merge requests, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'drydock_sweep_seconds',
    help: 'Time of one round of the sweep',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900],
    registers,
  });
  const healed = new Counter({
    name: 'drydock_sweep_healed_total',
    help: 'Tasks that the sweep found and no webhook had brought',
    registers,
  });
  const unreadable = new Counter({
    name: 'drydock_sweep_unreadable_total',
    help: 'Merge requests that the sweep passed over, as their tasks in the store cannot be read',
    registers,
  });
  const audited = new Counter({
    name: 'drydock_queue_audit_total',
    help: 'Tasks and places of the queue that foreign keys or damage had made homeless: healed, or broken until a person acts',
    labelNames: ['outcome'],
    registers,
  });
  const resent = new Counter({
    name: 'drydock_hook_resends_total',
    help: 'Failed deliveries of webhooks that the forge was asked to send again, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const hooksDisabled = new Gauge({
    name: 'drydock_hooks_disabled',
    help: 'Webhooks to us that the forge has paused or switched off',
    labelNames: ['forge'],
    registers,
  });
  return {
    swept: (outcome, durationMs) => {
      sweeps.inc({ outcome });
      if (outcome !== 'rested') seconds.observe(durationMs / 1000);
    },
    healed: (count) => {
      healed.inc(count);
    },
    unreadable: (count) => {
      unreadable.inc(count);
    },
    audited: ({ healed: count, broken }) => {
      audited.inc({ outcome: 'healed' }, count);
      audited.inc({ outcome: 'broken' }, broken);
    },
    resent: (outcome) => {
      resent.inc({ outcome });
    },
    hooksDisabled: (forge, count) => {
      hooksDisabled.set({ forge }, count);
    },
  };
}
