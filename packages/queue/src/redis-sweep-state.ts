import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { RedisConnection } from './redis-connection.ts';
import { translateRedisError } from './redis-error.ts';
import {
  knownProgress,
  type KnownProgress,
  type SweepLock,
  type SweepProgress,
  type SweepState,
} from './sweep-state.ts';

const scripts = {
  hold: readScript('sweep-hold'),
  release: readScript('sweep-release'),
  write: readScript('sweep-write'),
};
const Flag = z.union([z.literal(0), z.literal(1)]);

/**
 * The sweep that all schedulers of a Redis share. Keys: `<prefix>{drydock}:sweep:lock`, a string that runs out, and
 * `<prefix>{drydock}:sweep:progress:<forge>`, JSON.
 */
export class RedisSweepState implements SweepState, SweepLock {
  readonly #redis: RedisConnection;
  readonly #root: string;

  /** The connection belongs to it from here on: `close` ends it. `keyPrefix` as the queue's. */
  constructor(redis: RedisConnection, { keyPrefix = '' }: { readonly keyPrefix?: string } = {}) {
    this.#redis = redis;
    this.#root = `${keyPrefix}{drydock}:sweep:`;
  }

  async hold(owner: string, ttlMs: number): Promise<boolean> {
    return this.#run(scripts.hold, 'lock', [owner, ttlMs]);
  }

  async release(owner: string): Promise<void> {
    await this.#run(scripts.release, 'lock', [owner]);
  }

  async read(forge: string): Promise<KnownProgress> {
    try {
      return knownProgress(await this.#redis.get(`${this.#root}progress:${forge}`));
    } catch (error) {
      throw translateRedisError(error);
    }
  }

  async write(forge: string, progress: SweepProgress, revision: string): Promise<KnownProgress | null> {
    const text = JSON.stringify(progress);
    const isWritten = await this.#run(scripts.write, `progress:${forge}`, [revision, text]);
    return isWritten ? knownProgress(text) : null;
  }

  /** Ends the connection. */
  close(): void {
    this.#redis.disconnect();
  }

  /** Sent as text each time: a sweep makes a few calls in minutes. */
  async #run(source: string, key: string, args: readonly (string | number)[]): Promise<boolean> {
    try {
      return Flag.parse(await this.#redis.eval(source, 1, this.#root + key, ...args)) === 1;
    } catch (error) {
      throw translateRedisError(error);
    }
  }
}

function readScript(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}
