import { Counter, type Registry } from 'prom-client';
import type { ReapReason, SkipReason } from './plan-reap.ts';

/** What reaping counts. */
export interface ReapMetrics {
  reaped(why: ReapReason): void;
  skipped(why: SkipReason): void;
}

/** Registers the metrics. */
export function createReapMetrics(registry: Registry): ReapMetrics {
  const registers = [registry];
  const reaped = new Counter({
    name: 'drydock_reaped_total',
    help: 'Jobs removed that nobody needed, by why',
    labelNames: ['reason'],
    registers,
  });
  const skipped = new Counter({
    name: 'drydock_reap_skipped_total',
    help: 'Jobs looked at and left alone, by why',
    labelNames: ['reason'],
    registers,
  });
  return {
    reaped: (reason) => {
      reaped.inc({ reason });
    },
    skipped: (reason) => {
      skipped.inc({ reason });
    },
  };
}
