import { ReviewPolicy, silentLog, type Clock, type Log, type LogFacts, type TaskRequest } from '@drydock/core';
import { MemoryTaskQueue, type TaskView } from '@drydock/queue';
import { Registry } from 'prom-client';
import type { LeaseLoopSettings } from '../lease-loop.ts';
import type { AgentExit } from '../launchers/launcher.ts';
import { createSchedulerMetrics } from '../metrics.ts';
import type { TaskPorts } from '../task-ports.ts';
import { startScheduler, type RunningScheduler } from '../start-scheduler.ts';
import { HandLauncher, exitedWell } from './hand-launcher.ts';
import { WorldGateway, anEvent, taskId } from './world-gateway.ts';

/** A clock that tests move by hand. */
export interface MovedClock extends Clock {
  advance(ms: number): Promise<void>;
  jump(ms: number): void;
}

export const leaseTtlMs = 15_000;

/** A scheduler between a queue in memory, a gateway with one merge request, and agents that are ended by hand. */
export class SchedulerStage {
  readonly clock: MovedClock;
  readonly queue: MemoryTaskQueue;
  readonly gateway = new WorldGateway();
  readonly launcher = new HandLauncher();
  readonly registry = new Registry();
  /** Messages of the log, with what they told. */
  readonly logged: { readonly message: string; readonly facts: LogFacts }[] = [];
  readonly #schedulers: RunningScheduler[] = [];

  constructor(clock: MovedClock) {
    this.clock = clock;
    this.queue = new MemoryTaskQueue({ clock, random: () => 0.5 });
  }

  start(changes: Partial<LeaseLoopSettings> = {}, ports: Partial<TaskPorts> = {}): RunningScheduler {
    const { queue, gateway, launcher, clock } = this;
    const scheduler = startScheduler(
      {
        queue,
        gateway,
        launcher,
        clock,
        log: this.#log(),
        metrics: createSchedulerMetrics(new Registry()),
        policy: ReviewPolicy.parse({}),
        isProjectAllowed: () => true,
        random: () => 0.5,
        ...ports,
      },
      { owner: 'test', maxRunning: 1, leaseTtlMs, pollMs: 1000, blockedDelayMs: 60_000, ...changes },
    );
    this.#schedulers.push(scheduler);
    return scheduler;
  }

  /** An event comes in, and everything happens that needs no time. */
  async event(changes: Partial<TaskRequest> = {}): Promise<void> {
    await this.queue.enqueue(anEvent(changes), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    await this.clock.advance(0);
  }

  /** The agent that was launched last hands in a review and ends. */
  async finishReview(): Promise<void> {
    this.gateway.submitReview(this.#lastAgent().launch.runId);
    await this.endAgent(exitedWell);
  }

  /** The agent that was launched last ends. */
  async endAgent(exit: AgentExit): Promise<void> {
    this.#lastAgent().end(exit);
    await this.clock.advance(0);
  }

  async task(): Promise<TaskView> {
    const task = await this.queue.get(taskId);
    if (task === null) throw new Error('there is no such task');
    return task;
  }

  /** Stops every scheduler that still runs. */
  async stop(): Promise<void> {
    const stopping = Promise.all(this.#schedulers.map((scheduler) => scheduler.stop().catch(() => undefined)));
    await this.clock.advance(0);
    await stopping;
  }

  #lastAgent() {
    const agent = this.launcher.agents.at(-1);
    if (agent === undefined) throw new Error('no agent was launched');
    return agent;
  }

  #log(): Log {
    const keep = (facts: LogFacts, message: string) => {
      this.logged.push({ message, facts });
    };
    const log: Log = { ...silentLog, info: keep, warn: keep, error: keep, child: () => log };
    return log;
  }
}
