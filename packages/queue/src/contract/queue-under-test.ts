import { numbersPerEpoch, taskIdOf, type Clock, type Sha, type TaskId, type TaskRequest } from '@drydock/core';
import type { QueueSettings } from '../queue-settings.ts';
import type { EnqueueOptions, LeaseLimits, LeasedTask, TaskFailure, TaskQueue } from '../task-queue.ts';

/** When the tests take place: noon, so that a day's end is not near. */
export const noonMs = Date.UTC(2026, 0, 15, 12);

/** The epoch of a store whose life begins then. */
export const noonEpoch = (noonMs - Date.UTC(2026, 0, 1)) / 1000;

/** The nth lease or launch of a task in that epoch. */
export function nth(count: number): number {
  return noonEpoch * numbersPerEpoch + count;
}

/** A queue whose time the test moves, and whose retries take half of their longest delay. */
export interface QueueUnderTest {
  readonly queue: TaskQueue;
  readonly nowMs: () => number;
  readonly advance: (ms: number) => void;
}

/** Makes an empty queue; it is closed by the suite that asked for it. */
export type MakeQueue = (settings?: Partial<QueueSettings>) => Promise<QueueUnderTest>;

/** Time that stands still until it is moved. */
export class MovableTime {
  #nowMs = noonMs;

  readonly nowMs = (): number => this.#nowMs;

  readonly advance = (ms: number): void => {
    this.#nowMs += ms;
  };

  /** As a clock of the process. */
  clock(): Clock {
    return { nowMs: this.nowMs, monotonicMs: () => this.#nowMs - noonMs, sleep: () => Promise.resolve() };
  }
}

/** A commit id that shows in a failure which one it was. */
export function sha(digit: string): Sha {
  return digit.repeat(40);
}

/** Iid 7 of project 42 was pushed to head `a`, the forge gave no time. */
export function aTaskRequest(
  overrides: Partial<Omit<TaskRequest, 'subject'>> & { readonly iid?: number } = {},
): TaskRequest {
  const { iid = 7, ...rest } = overrides;
  return {
    v: 1,
    kind: 'review',
    subject: { forge: 'gitlab', projectId: '42', iid },
    projectPath: 'group/project',
    trigger: 'pushed',
    headSha: sha('a'),
    occurredAtMs: null,
    command: null,
    ...rest,
  };
}

/** A person's order. */
export function aCommand(overrides: Parameters<typeof aTaskRequest>[0] = {}): TaskRequest {
  return aTaskRequest({
    trigger: 'commanded',
    command: { verb: 'review', noteId: '900', userId: '5' },
    ...overrides,
  });
}

/** The id of the merge request with this iid. */
export function taskIdOfIid(iid: number): TaskId {
  return taskIdOf('review', aTaskRequest({ iid }).subject);
}

/** At once, with no delivery to know it by. */
export const atOnce: EnqueueOptions = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };

/** Waits 5 s for more, 30 s at the longest. */
export const debounced: EnqueueOptions = { deliveryKeys: [], debounceMs: 5_000, maxDebounceMs: 30_000 };

/** A fault of a run. */
export function aFailure(overrides: Partial<TaskFailure> = {}): TaskFailure {
  return { class: 'transient', code: 'run.crashed', message: 'the agent ended', retryAfterMs: null, ...overrides };
}

/** Room for so many, of whatever forge and project. */
export function room(total: number, others: Partial<LeaseLimits> = {}): LeaseLimits {
  return { total, perForge: null, perProject: null, ...others };
}

/** Leases for 15 s, with room for ten. */
export async function leaseNext(queue: TaskQueue): Promise<LeasedTask | null> {
  return queue.lease({ owner: 'scheduler-1', ttlMs: 15_000, limits: room(10) });
}

/** As `leaseNext`, where the test knows that there is one. */
export async function mustLease(queue: TaskQueue): Promise<LeasedTask> {
  const task = await leaseNext(queue);
  if (task === null) throw new Error('nothing to lease');
  return task;
}

/** Enqueues at once and leases. */
export async function mustRun(queue: TaskQueue, request: TaskRequest = aTaskRequest()): Promise<LeasedTask> {
  await queue.enqueue(request, atOnce);
  return mustLease(queue);
}
