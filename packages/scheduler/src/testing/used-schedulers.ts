import { afterEach, beforeEach, expect } from '@jest/globals';
import { ReviewPolicy, TransientError, runIdOf, silentLog, systemClock } from '@drydock/core';
import { MemoryTaskQueue, type TaskQueue, type TaskView } from '@drydock/queue';
import type { KubeFaultProxy } from '@drydock/testkit';
import { Registry } from 'prom-client';
import type { KubeLauncherSettings } from '../launchers/kube/kube-launcher.ts';
import type { PodSettings } from '../launchers/pod-settings.ts';
import type { LeaseLoopSettings } from '../lease-loop.ts';
import { createSchedulerMetrics } from '../metrics.ts';
import { startScheduler, type RunningScheduler } from '../start-scheduler.ts';
import { KubeStage, eventually, type StagedLauncher } from './kube-stage.ts';
import { WorldGateway, anEvent, subject, taskId } from './world-gateway.ts';

interface StartedScheduler {
  readonly scheduler: RunningScheduler;
  readonly staged: StagedLauncher;
  readonly registry: Registry;
}

/** How a scheduler's launcher differs from the others, and through whose proxy it asks. */
type StagedSettings = Partial<KubeLauncherSettings> & { readonly pod?: PodSettings; readonly behind?: KubeFaultProxy };

const quickRetries = {
  retry: { maxAttempts: 3, baseMs: 100, capMs: 100 },
  infraRetry: { maxAttempts: 40, baseMs: 100, capMs: 100 },
};

/** For each test of a suite: a namespace of a real API server, a queue, a gateway, and the schedulers it starts. */
export class UsedSchedulers {
  #stage: KubeStage | null = null;
  #queue = newQueue();
  #gateway = new WorldGateway();
  #started: StartedScheduler[] = [];

  constructor() {
    beforeEach(async () => {
      this.#stage = await KubeStage.open();
      this.#queue = newQueue();
      this.#gateway = new WorldGateway();
      this.#started = [];
      // As the gateway records them; nobody is told a token.
      this.#gateway.grant = (request) => {
        expect(request.credential).toBe('exchange');
        return { kind: 'to-exchange', runId: this.#gateway.record(request), deadlineSeconds: 600 };
      };
    });
    afterEach(async () => {
      await Promise.all(this.#started.map(({ scheduler }) => scheduler.stop()));
      await this.stage[Symbol.asyncDispose]();
    });
  }

  get stage(): KubeStage {
    if (this.#stage === null) throw new Error('no test has begun');
    return this.#stage;
  }

  get queue(): MemoryTaskQueue {
    return this.#queue;
  }

  get gateway(): WorldGateway {
    return this.#gateway;
  }

  /** Its queue neither answers a heartbeat nor gives a task while `isCut`. */
  async start(
    changes: Partial<LeaseLoopSettings> = {},
    isCut: () => boolean = () => false,
    { pod, behind, ...launcher }: StagedSettings = {},
  ): Promise<StartedScheduler> {
    const staged = await this.stage.startLauncher(launcher, behind);
    const registry = new Registry();
    const scheduler = startScheduler(
      {
        ...{ queue: mayBeCut(this.#queue, isCut), gateway: this.#gateway, launcher: staged.launcher },
        ...{ clock: systemClock, log: silentLog, metrics: createSchedulerMetrics(registry) },
        policy: ReviewPolicy.parse({}),
        isProjectAllowed: () => true,
        ...(pod === undefined ? {} : { pod }),
      },
      { owner: 'one', maxRunning: 1, leaseTtlMs: 5000, pollMs: 100, blockedDelayMs: 60_000, ...changes },
    );
    const started = { scheduler, staged, registry };
    this.#started.push(started);
    return started;
  }

  /** An event of a merge request comes, of the usual one if not told otherwise. */
  async enqueue(changes: { readonly iid?: number; readonly headSha?: string } = {}): Promise<void> {
    const { iid = subject.iid, ...rest } = changes;
    const event = anEvent({ ...rest, subject: { ...subject, iid } });
    await this.#queue.enqueue(event, { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
  }

  async task(id = taskId): Promise<TaskView> {
    const found = await this.#queue.get(id);
    if (found === null) throw new Error('there is no such task');
    return found;
  }

  inState(state: string, id = taskId): Promise<boolean> {
    return eventually(async () => (await this.task(id)).state === state);
  }

  /** Resolves with the run when it is begun in the gateway. */
  recorded(runId: string): Promise<string> {
    return eventually(async () => this.#gateway.runs.has(runId) && runId);
  }

  /** There is no Job any more. */
  noJobs(): Promise<boolean> {
    return eventually(async () => (await this.stage.jobs()).length === 0);
  }
}

/** The id of a run of the usual task, or of another. */
export function runId(launch = 1, id = taskId): string {
  return runIdOf(id, launch);
}

/** What a scheduler asked of the API server, but for its watches. */
export function callsOf({ staged }: Pick<StartedScheduler, 'staged'>): readonly string[] {
  return staged.proxy.requests
    .filter(({ verb }) => verb !== 'watch')
    .map(({ verb, resource }) => `${verb} ${resource}`);
}

function newQueue(): MemoryTaskQueue {
  return new MemoryTaskQueue({ clock: systemClock, settings: quickRetries });
}

function mayBeCut(queue: MemoryTaskQueue, isCut: () => boolean): TaskQueue {
  return new Proxy(queue, {
    get(target, name) {
      if ((name === 'extend' || name === 'lease') && isCut())
        return () => Promise.reject(new TransientError('queue.unreachable', 'cut'));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value;
    },
  });
}
