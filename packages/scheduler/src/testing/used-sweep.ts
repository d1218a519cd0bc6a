import { afterEach, beforeEach } from '@jest/globals';
import { silentLog, type Log, type LogFacts } from '@drydock/core';
import { MemorySweepState, MemoryTaskQueue } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { startSweep, type RunningSweep } from '../sweep/start-sweep.ts';
import type { SweepLoopPorts } from '../sweep/sweep-loop.ts';
import { createSweepMetrics } from '../sweep/sweep-metrics.ts';
import { SweepWorld } from './sweep-world.ts';
import { sha } from './world-gateway.ts';

/** How often these sweeps go their round. */
export const everyMs = 300_000;
export const dayMs = 24 * 3_600_000;
export const minuteMs = 60_000;

/** For each test of a suite: a clock that it moves, a world of projects, a queue, and the sweeps that it starts. */
export class UsedSweep {
  clock = new ManualClock();
  queue = new MemoryTaskQueue({ clock: this.clock });
  state = new MemorySweepState(this.clock);
  world = new SweepWorld();
  logged: { readonly message: string; readonly facts: LogFacts }[] = [];
  readonly #running: RunningSweep[] = [];
  #registry = new Registry();

  constructor() {
    beforeEach(() => {
      this.clock = new ManualClock();
      this.queue = new MemoryTaskQueue({ clock: this.clock, random: () => 0.5 });
      this.state = new MemorySweepState(this.clock);
      this.world = new SweepWorld();
      this.logged = [];
    });
    afterEach(async () => {
      const stopping = Promise.all(this.#running.splice(0).map((sweep) => sweep.stop()));
      await this.clock.advance(0);
      await stopping;
    });
  }

  /** A store of this epoch, whose other contents are gone. */
  queueOf(epoch: () => number): MemoryTaskQueue {
    return new MemoryTaskQueue({ clock: this.clock, random: () => 0.5, epoch });
  }

  start(owner = 'a', ports: Partial<SweepLoopPorts> = {}): RunningSweep {
    const keep = (facts: LogFacts, message: string) => {
      this.logged.push({ message, facts });
    };
    const log: Log = { ...silentLog, info: keep, warn: keep, error: keep, child: () => log };
    this.#registry = new Registry();
    const sweep = startSweep(
      {
        ...{ gateway: this.world, queue: this.queue, state: this.state, lock: this.state, clock: this.clock, log },
        metrics: createSweepMetrics(this.#registry),
        isProjectAllowed: () => true,
        random: () => 0.5,
        ...ports,
      },
      { forges: ['gitlab'], owner, everyMs, reachMs: 7 * dayMs },
    );
    this.#running.push(sweep);
    return sweep;
  }

  /** What was asked of the gateway in some time. */
  async callsIn(ms: number): Promise<readonly string[]> {
    const before = this.world.calls.length;
    await this.clock.advance(ms);
    return this.world.calls.slice(before);
  }

  /** The tasks that wait, in the order of their names. */
  async waiting(): Promise<readonly string[]> {
    const { tasks } = await this.queue.list({ states: ['waiting'], limit: 1000 });
    return tasks.map(({ taskId }) => taskId).sort();
  }

  /** Every waiting task ends as done; how many there were. */
  async reviewAll(): Promise<number> {
    await this.clock.advance(minuteMs);
    for (let count = 0; ; count += 1) {
      const limits = { total: 1000, perForge: null, perProject: null };
      const task = await this.queue.lease({ owner: 's', ttlMs: 1000, limits });
      if (task === null) return count;
      await this.queue.beginLaunch(task, task.headSha ?? sha('0'));
      await this.queue.complete(task, { kind: 'done' });
    }
  }

  /** A metric of the sweep that was started last. */
  metric(name: string): Promise<string> {
    return this.#registry.getSingleMetricAsString(name);
  }
}
