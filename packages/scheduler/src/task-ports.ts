import type { Clock, Log, ProjectAllowList, ReachPoint, ReviewPolicy } from '@drydock/core';
import type { TaskQueue } from '@drydock/queue';
import type { Gateway } from './gateway.ts';
import type { Heartbeats } from './heartbeat.ts';
import type { Launcher } from './launchers/launcher.ts';
import type { PodSettings } from './launchers/pod-settings.ts';
import type { SchedulerMetrics } from './metrics.ts';
import type { OverdueRuns } from './overdue-runs.ts';
import type { PolicySource } from './policies/policy-source.ts';

/** What driving a task needs. */
export interface TaskPorts {
  readonly queue: TaskQueue;
  readonly gateway: Gateway;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
  /** What holds for projects that no other policy is for. */
  readonly policy: ReviewPolicy;
  /** Settings of agents' pods for these projects, which other policies begin from; absent: the defaults. */
  readonly pod?: PodSettings | undefined;
  /** Which policy applies to a project; absent: `policy` to all. */
  readonly policies?: PolicySource | undefined;
  /** Asked about the project as the forge names it: the path in a webhook is only what its sender says. */
  readonly isProjectAllowed: ProjectAllowList;
  /** Spreads waits; numbers from 0 to below 1. Default: chance. */
  readonly random?: () => number;
  /** Told of each step, such as a durable write that was made. */
  readonly reach?: ReachPoint | undefined;
}

/** What the tasks of one process share, in the stead of something of their own for each. */
export interface SharedWork {
  readonly heartbeats: Heartbeats;
  readonly overdue: OverdueRuns;
}

/** Times of the scheduler, in milliseconds. */
export interface TaskTimes {
  readonly leaseTtlMs: number;
  /** How long a task rests whose forge or model refuses our credential. */
  readonly blockedDelayMs: number;
}
