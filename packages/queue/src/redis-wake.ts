import type { TaskId } from '@drydock/core';
import type { RedisConnection } from './redis-connection.ts';
import { WakeListeners } from './wake-listeners.ts';

/**
 * Hears of wake-ups on a connection of its own, made when the first listener comes. What is published while it is not
 * connected is missed, so listeners are also woken when it connects again.
 */
export class RedisWake {
  readonly #redis: RedisConnection;
  readonly #channel: string;
  readonly #listeners = new WakeListeners();
  #subscriber: RedisConnection | null = null;

  constructor(redis: RedisConnection, channel: string) {
    this.#redis = redis;
    this.#channel = channel;
  }

  add(listener: () => void, interruptOf?: TaskId): () => void {
    this.#subscriber ??= this.#subscribe();
    return this.#listeners.add(listener, interruptOf);
  }

  close(): void {
    this.#subscriber?.disconnect();
    this.#subscriber = null;
  }

  #subscribe(): RedisConnection {
    // Silence is normal here, so no socket timeout; a dead peer shows by TCP keep-alive.
    const subscriber = this.#redis.duplicate({ lazyConnect: false, autoResubscribe: false, socketTimeout: undefined });
    subscriber.on('error', () => undefined); // the main connection reports what is wrong with Redis
    subscriber.on('message', (_channel, about) => {
      this.#listeners.wake(about === '1' ? undefined : about);
    });
    subscriber.on('ready', () => {
      subscriber.subscribe(this.#channel).then(
        () => {
          this.#listeners.wakeAll();
        },
        () => {
          if (this.#subscriber === subscriber) subscriber.disconnect(true);
        },
      );
    });
    return subscriber;
  }
}
