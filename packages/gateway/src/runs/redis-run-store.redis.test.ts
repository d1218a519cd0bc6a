import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, silentLog } from '@drydock/core';
import { connectRedis, type RedisConnection } from '@drydock/queue';
import { startRedisServer, type RedisServer } from '@drydock/testkit';
import { exchangeContract } from './exchange.contract.ts';
import { progressContract } from './progress.contract.ts';
import { RedisRunStore } from './redis-run-store.ts';
import { aReservation, aRunRecord } from './run-builders.ts';
import { runStoreContract } from './run-store-contract.ts';
import type { ProgressLimits } from './run-store.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function openClient(): Promise<RedisConnection> {
  const redis = await connectRedis({ url: new Secret(server.url) }, silentLog);
  await redis.flushall();
  return redis;
}

const open = async (limits?: ProgressLimits) =>
  new RedisRunStore(await openClient(), limits === undefined ? {} : { progressLimits: limits });
runStoreContract(open);
exchangeContract(open);
progressContract(open);

describe('RedisRunStore', () => {
  it('gives every key a time to live and stores no token', async () => {
    const redis = await openClient();
    const store = new RedisRunStore(redis);
    const record = aRunRecord();
    await store.start(record, 'hash-1');
    await store.addProgress(record.runId, [{ kind: 'turn', turn: 1 }], 1);
    await store.reserve(aReservation(), { runNanoUsd: 1e9, runTokens: 1e9, dayNanoUsd: 1e9, dayTokens: 1e9 });

    const keys = await redis.keys('*');
    const ttls = await Promise.all(keys.map((key) => redis.ttl(key)));
    await store.close();

    expect(keys).toHaveLength(7);
    expect(ttls.filter((ttl) => ttl <= 0)).toEqual([]);
  });

  it('reads records of before there was an answer store', async () => {
    const redis = await openClient();
    const store = new RedisRunStore(redis);
    const { runId } = aRunRecord();
    await store.start(aRunRecord(), 'hash-1');
    const usage = { calls: 4, tokens: { input: 10, output: 5, cacheRead: 3, cacheWrite: 2 }, costUsd: 7e-9 };
    const facts = { v: 1, headSha: 'c'.repeat(40), state: 'done', verdict: 'clean', comments: [], resolved: 0 };
    const publication = { ...facts, heldBack: {}, usage, summaryUrl: null };
    await redis.hset(
      `{drydock}:gateway:run:${runId}`,
      'calls',
      '4',
      'seq',
      '1',
      'publication',
      JSON.stringify(publication),
    );
    await redis.rpush(`{drydock}:gateway:progress:${runId}`, '1\n1000\n4 0 7 10 5 3 2\n{"kind":"turn","turn":4}');

    const run = await store.get(runId);
    const progress = await store.progressAfter(runId, 0);
    await store.close();

    expect(run).toMatchObject({ usage: { calls: 4, reusedCalls: 0 }, publication: { usage: { reusedCalls: 0 } } });
    expect(progress).toEqual([
      { seq: 1, atMs: 1000, event: { kind: 'turn', turn: 4 }, usage: { ...usage, reusedCalls: 0 } },
    ]);
  });

  it('goes on when the server forgot its scripts', async () => {
    const redis = await openClient();
    const store = new RedisRunStore(redis);
    await store.start(aRunRecord(), 'hash-1');
    await redis.script('FLUSH');

    expect(await store.start(aRunRecord({ launch: 2 }), 'hash-2')).toBe('started');
    await store.close();
  });

  it('says that the store does not answer, and nothing of what was asked', async () => {
    const redis = await openClient();
    const store = new RedisRunStore(redis);
    redis.disconnect();

    const error: unknown = await store.start(aRunRecord(), 'hash-1').catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/hash-1|feature/);
  });
});
