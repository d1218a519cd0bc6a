import type { RedisConnection } from '../redis-connection.ts';

/**
 * Sets a field of a stored task as somebody might by hand, null removes it; answers what stood there. `onlyIf`: as long as
 * it is still so.
 */
export async function damageTask(
  redis: RedisConnection,
  key: string,
  field: string,
  value: string | null,
  onlyIf?: string | null,
): Promise<string | null> {
  const before = await redis.eval(
    `local packed = redis.call('GET', KEYS[1])
     if not packed then return false end
     local task = cmsgpack.unpack(packed)
     local before = task[ARGV[1]]
     if ARGV[4] == '1' and before ~= (ARGV[5] ~= '' and ARGV[5] or nil) then return before or false end
     task[ARGV[1]] = ARGV[2] == '1' and ARGV[3] or nil
     redis.call('SET', KEYS[1], cmsgpack.pack(task))
     return before or false`,
    1,
    key,
    field,
    value === null ? '' : '1',
    value ?? '',
    onlyIf === undefined ? '' : '1',
    onlyIf ?? '',
  );
  return typeof before === 'string' ? before : null;
}

/** The names of a stored task's fields. */
export async function fieldsOfTask(redis: RedisConnection, key: string): Promise<string[]> {
  const names = await redis.eval(
    `local names = {}
     for name in pairs(cmsgpack.unpack(redis.call('GET', KEYS[1]))) do names[#names + 1] = name end
     table.sort(names)
     return names`,
    1,
    key,
  );
  return Array.isArray(names) ? names.map(String) : [];
}

/** Puts a text where something else belongs, and keeps what stood there; the answer mends it. */
export async function putForeign(redis: RedisConnection, key: string): Promise<() => Promise<void>> {
  const kept = `kept-${key}`;
  const stood = (await redis.exists(key)) === 1;
  if (stood) await redis.rename(key, kept);
  await redis.rpush(key, 'foreign');
  return async () => {
    await redis.del(key);
    if (stood) await redis.rename(kept, key);
  };
}
