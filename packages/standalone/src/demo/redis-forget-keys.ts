import type { Secret } from '@drydock/core';
import { Redis } from 'ioredis';

const scanCount = 500;

/** Deletes every key that holds the prefix, so that the demo leaves nothing in a Redis that it was lent. */
export async function forgetRedisKeys(url: Secret, keyPrefix: string): Promise<void> {
  const redis = new Redis(url.reveal(), {
    maxRetriesPerRequest: 1,
    connectTimeout: 5000,
    commandTimeout: 5000,
    retryStrategy: () => null,
  });
  try {
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `*${keyPrefix}*`, 'COUNT', scanCount);
      if (keys.length > 0) await redis.unlink(...keys);
      cursor = next;
    } while (cursor !== '0');
  } finally {
    redis.disconnect();
  }
}
