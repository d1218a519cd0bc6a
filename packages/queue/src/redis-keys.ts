import { createHash } from 'node:crypto';
import { TaskState, type TaskId } from '@drydock/core';

/** Names of all keys. The hash tag keeps them in one slot of a cluster, as scripts need it. */
export class RedisKeys {
  readonly #root: string;
  readonly ready: string;
  readonly delayed: string;
  readonly leases: string;
  readonly parked: string;
  /** What every script gets first, in the order of `lua/prelude.lua`. */
  readonly common: readonly string[];
  readonly ping: string;
  /** Where wake-ups are published: a channel, no key. */
  readonly wakeChannel: string;

  /** `prefix` comes before the tag, so that several installations can share a Redis. */
  constructor(prefix: string) {
    this.#root = `${prefix}{drydock}:`;
    this.ready = `${this.#root}ready`;
    this.delayed = `${this.#root}delayed`;
    this.leases = `${this.#root}leases`;
    this.parked = `${this.#root}parked`;
    this.ping = `${this.#root}ping`;
    this.wakeChannel = `${this.#root}wake`;
    const indexes = TaskState.options.map((state) => this.state(state));
    this.common = [this.ready, this.delayed, this.leases, this.parked, ...indexes];
  }

  get taskPrefix(): string {
    return `${this.#root}task:`;
  }

  get dayPrefix(): string {
    return `${this.#root}day:`;
  }

  task(taskId: TaskId): string {
    return `${this.taskPrefix}${taskId}`;
  }

  /** An index of the tasks in a state, by the time of their last change. */
  state(state: TaskState): string {
    return `${this.#root}state:${state}`;
  }

  /** Hashed: what a sender calls its delivery may be long. */
  delivery(deliveryKey: string): string {
    return `${this.#root}delivery:${createHash('sha256').update(deliveryKey).digest('base64url')}`;
  }
}
