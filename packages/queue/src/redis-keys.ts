import { hash } from 'node:crypto';
import type { TaskId, TaskState } from '@drydock/core';

/** Names of the keys that are not made by the scripts. The hash tag keeps all in one slot of a cluster. */
export class RedisKeys {
  /** What all names begin with. */
  readonly root: string;
  readonly clock: string;
  readonly shares: string;
  readonly pauses: string;
  readonly pauseEvents: string;
  readonly parked: string;
  readonly aside: string;
  readonly ping: string;
  /** Where wake-ups are published: a channel, no key. */
  readonly wakeChannel: string;

  /** `prefix` comes before the tag, so that several installations can share a Redis. */
  constructor(prefix: string) {
    this.root = `${prefix}{drydock}:`;
    this.clock = `${this.root}clock`;
    this.shares = `${this.root}shares`;
    this.pauses = `${this.root}pauses`;
    this.pauseEvents = `${this.root}pause-events`;
    this.parked = `${this.root}parked`;
    this.aside = `${this.root}aside`;
    this.ping = `${this.root}ping`;
    this.wakeChannel = `${this.root}wake`;
  }

  task(taskId: TaskId): string {
    return `${this.root}task:${taskId}`;
  }

  /** An index of the tasks in a state, by the time of their last change. */
  state(state: TaskState): string {
    return `${this.root}state:${state}`;
  }

  /** Hashed: what a sender calls its delivery may be long. Without the root, which the script adds. */
  delivery(deliveryKey: string): string {
    return `delivery:${hash('sha256', deliveryKey, 'base64url')}`;
  }
}
