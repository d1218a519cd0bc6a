/** What the scripts pack is what TypeScript reads. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { unpackTask } from './redis-packed-task.ts';

(whyNoRedisServer() === null ? describe : describe.skip)('unpackTask', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedisServer();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server[Symbol.asyncDispose]();
  });
  const pack = `local task = {}
    for i = 1, #ARGV, 2 do task[ARGV[i]] = ARGV[i + 1] end
    redis.call('SET', KEYS[1], cmsgpack.pack(task))`;
  async function packed(fields: Readonly<Record<string, string>>): Promise<Buffer> {
    await redis.eval(pack, 1, 'packed', ...Object.entries(fields).flat());
    return (await redis.getBuffer('packed')) ?? Buffer.alloc(0);
  }
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.constantFrom(31, 32, 255, 256, 65_535, 65_536).map((length) => 'x'.repeat(length)),
  );
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((word) => word !== '__proto__');

  it('reads every map of texts that a script packs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, text, { minKeys: 1, maxKeys: 40, noNullPrototype: true }),
        async (fields) => {
          expect(unpackTask(await packed(fields))).toEqual(fields);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('refuses what is cut off anywhere, and what goes on', async () => {
    const whole = await packed({ v: '3', path: 'group/project', history: 'x'.repeat(300) });

    for (let length = 0; length < whole.length; length += 1) {
      expect(() => unpackTask(whole.subarray(0, length))).toThrow();
    }
    expect(() => unpackTask(Buffer.concat([whole, whole]))).toThrow();
  });

  it.each(['foreign', '3', '{"v":"3"}', '\u0081'])('refuses %j', (other) => {
    expect(() => unpackTask(Buffer.from(other))).toThrow();
  });
});
