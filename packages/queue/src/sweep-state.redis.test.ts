import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, Secret, silentLog, systemClock } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { MemorySweepState } from './memory-sweep-state.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisSweepState } from './redis-sweep-state.ts';
import type { SweepLock, SweepProgress, SweepState } from './sweep-state.ts';

const some: SweepProgress = { v: 1, watermarkMs: 1, sweptAtMs: 2, full: null, fullAtMs: null, fullEpoch: null };

function contract(open: () => SweepLock & SweepState): void {
  it('lets one process hold the right, and keep it, until it gives it up', async () => {
    const state = open();

    expect(await state.hold('a', 60_000)).toBe(true);
    expect(await state.hold('b', 60_000)).toBe(false);
    expect(await state.hold('a', 60_000)).toBe(true);
    await state.release('b');
    expect(await state.hold('b', 60_000)).toBe(false);
    await state.release('a');
    expect(await state.hold('b', 60_000)).toBe(true);
  });

  it('lets another hold it once it ran out', async () => {
    const state = open();
    await state.hold('a', 1);
    await systemClock.sleep(20, new AbortController().signal);

    expect(await state.hold('b', 1000)).toBe(true);
  });

  it('keeps progress of each forge, and refuses it from who read an older one', async () => {
    const state = open();
    const none = await state.read('gitlab');

    const first = await state.write('gitlab', some, none.revision);
    const late = await state.write('gitlab', { ...some, watermarkMs: 0 }, none.revision);
    const second = await state.write('gitlab', { ...some, watermarkMs: 9 }, first?.revision ?? '');

    expect(none.progress).toBeNull();
    expect(late).toBeNull();
    expect(second?.progress?.watermarkMs).toBe(9);
    expect(await state.read('gitlab')).toEqual(second);
    expect((await state.read('github')).progress).toBeNull();
  });
}

describe('MemorySweepState', () => {
  contract(() => new MemorySweepState(systemClock));
});

(whyNoRedisServer() === null ? describe : describe.skip)('RedisSweepState', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  beforeAll(async () => {
    server = await startRedisServer();
    redis = await connectRedis({ url: new Secret(server.url) }, silentLog);
  });
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await server[Symbol.asyncDispose]();
  });
  const open = () => new RedisSweepState(redis, { keyPrefix: 'test:' });

  contract(open);

  it('refuses what was read before the store lost everything', async () => {
    const state = open();
    const first = await state.write('gitlab', some, (await state.read('gitlab')).revision);
    await redis.flushall();

    expect(await state.write('gitlab', some, first?.revision ?? '')).toBeNull();
    expect((await state.read('gitlab')).progress).toBeNull();
  });

  it('takes progress that it cannot read for none, and writes over it', async () => {
    const state = open();
    await redis.set('test:{drydock}:sweep:progress:gitlab', '{"v":2}');
    const known = await state.read('gitlab');

    expect(known.progress).toBeNull();
    expect((await state.write('gitlab', some, known.revision))?.progress).toEqual(some);
  });

  it('says so when one of its keys holds something else, and leaves it there', async () => {
    await redis.lpush('test:{drydock}:sweep:lock', 'x');

    await expect(open().hold('a', 1000)).rejects.toThrow(BlockedError);
    expect(await redis.type('test:{drydock}:sweep:lock')).toBe('list');
  });
});
