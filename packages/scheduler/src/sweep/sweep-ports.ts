import type { Clock, Log, ProjectAllowList } from '@drydock/core';
import type { SweepState, TaskQueue } from '@drydock/queue';
import type { SweepGateway } from './sweep-gateway.ts';
import type { SweepMetrics } from './sweep-metrics.ts';

/** What the sweep of a forge needs. */
export interface SweepPorts {
  readonly gateway: SweepGateway;
  readonly queue: Pick<TaskQueue, 'get' | 'enqueue' | 'audit' | 'epoch' | 'sweepDone'>;
  readonly state: SweepState;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SweepMetrics;
  readonly isProjectAllowed: ProjectAllowList;
}

/** Times and bounds of the sweep; times are milliseconds. */
export interface SweepSettings {
  readonly everyMs: number;
  /** A sweep over everything looks this far back: what nobody touched for longer is not reviewed unasked. */
  readonly reachMs: number;
}
