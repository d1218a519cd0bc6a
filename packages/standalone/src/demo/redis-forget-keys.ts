import type { Log, Secret } from '@drydock/core';
import { Redis } from 'ioredis';

const scanCount = 500;

/**
 * Deletes every key that holds the prefix, so that the demo leaves nothing in a Redis that it was lent. One that does
 * not answer only gets a warning: what made it so is told by whoever met it first.
 */
export async function forgetRedisKeys(url: Secret, keyPrefix: string, log: Log): Promise<void> {
  const redis = new Redis(url.reveal(), {
    lazyConnect: true,
    maxRetriesPerRequest: 1,
    connectTimeout: 5000,
    commandTimeout: 5000,
    retryStrategy: () => null,
  });
  redis.on('error', () => undefined); // the command that fails tells
  try {
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `*${keyPrefix}*`, 'COUNT', scanCount);
      if (keys.length > 0) await redis.unlink(...keys);
      cursor = next;
    } while (cursor !== '0');
  } catch (err) {
    log.warn({ err }, 'keys of the demo not deleted');
  } finally {
    redis.disconnect();
  }
}
