import type { RedisConnection } from './redis-connection.ts';
import { translateRedisError } from './redis-error.ts';
import type { QueueEpoch } from './task-queue.ts';

/**
 * Looks after each connect whether it is still the same Redis process that answers: one that restarted, or a replica
 * that took over, may know less than was acknowledged, so a new epoch begins there.
 */
export class RedisEpoch {
  readonly #redis: RedisConnection;
  readonly #renew: (runId: string) => Promise<QueueEpoch>;
  #checked: object | null = null;
  #runId = '';

  constructor(redis: RedisConnection, renew: (runId: string) => Promise<QueueEpoch>) {
    this.#redis = redis;
    this.#renew = renew;
  }

  /** To be awaited before whatever gives out numbers. */
  async check(): Promise<void> {
    if (this.#checked !== this.#redis.stream) await this.read();
  }

  async read(): Promise<QueueEpoch> {
    const { stream } = this.#redis;
    if (this.#checked !== stream) this.#runId = await this.#readRunId();
    const epoch = await this.#renew(this.#runId);
    this.#checked = stream;
    return epoch;
  }

  /** Empty where a managed service does not tell: then only a store that lost its number begins a new epoch. */
  async #readRunId(): Promise<string> {
    try {
      const info = await this.#redis.info('server');
      return /^run_id:(\w+)/m.exec(info)?.[1] ?? '';
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOPERM')) return '';
      throw translateRedisError(error);
    }
  }
}
