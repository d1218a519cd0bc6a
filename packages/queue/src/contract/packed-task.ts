import type { RedisConnection } from '../redis-connection.ts';
import { unpackTask } from '../redis-packed-task.ts';

/** The fields of a stored task; none when there is no such key. */
export async function readFields(redis: RedisConnection, key: string): Promise<Readonly<Record<string, string>>> {
  const packed = await redis.getBuffer(key);
  return packed === null ? {} : unpackTask(packed);
}

/** Changes fields of a stored task behind the queue's back, packed as the scripts do it. */
export async function changeFields(
  redis: RedisConnection,
  key: string,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const source = `
    local task = cmsgpack.unpack(redis.call('GET', KEYS[1]))
    for i = 1, #ARGV, 2 do task[ARGV[i]] = ARGV[i + 1] end
    return redis.call('SET', KEYS[1], cmsgpack.pack(task), 'KEEPTTL')`;
  await redis.eval(source, 1, key, ...Object.entries(fields).flat());
}
