/** What is asked for at once, and served by one run of a script, is as if it were asked for one by one. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, silentLog, type TaskRequest } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { aTaskRequest, atOnce, room } from './contract/queue-under-test.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisKeys } from './redis-keys.ts';
import { RedisTaskQueue } from './redis-task-queue.ts';

const describeRedis = whyNoRedisServer() === null ? describe : describe.skip;
const leaseRequest = { owner: 'one', ttlMs: 60_000, limits: room(100) };
const of = (forge: string, projectId: string, iid: number): TaskRequest => ({
  ...aTaskRequest(),
  subject: { forge, projectId, iid },
});

describeRedis('RedisTaskQueue asked at once', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  let queues = 0;
  beforeAll(async () => {
    server = await startRedisServer();
    redis = await connectRedis({ url: new Secret(server.url) }, silentLog);
  });
  beforeEach(() => {
    queues += 1;
  });
  afterAll(async () => {
    redis.disconnect();
    await server[Symbol.asyncDispose]();
  });
  const prefixOf = (name: string) => `test-${queues}-${name}:`;
  const queueOf = (name: string) =>
    new RedisTaskQueue({ redis, keyPrefix: prefixOf(name), testNowMs: () => 1_000_000 });

  it('gives the same leases in the same order as one by one, with weights, forges and projects that run dry', async () => {
    const [shared, single] = [queueOf('shared'), queueOf('single')];
    for (const queue of [shared, single]) {
      await queue.setShares(
        new Map([
          ['gitlab:1', { weight: 3, maxRunning: null }],
          ['github:3', { weight: 1, maxRunning: 2 }],
        ]),
      );
      for (let iid = 1; iid <= 6; iid += 1) {
        for (const [forge, projectId] of [
          ['gitlab', '1'],
          ['gitlab', '2'],
          ['github', '3'],
        ] as const)
          await queue.enqueue(of(forge, projectId, iid), atOnce);
      }
      await queue.enqueue(of('gitlab', '4', 1), atOnce);
    }

    const atOneTime = await Promise.all(Array.from({ length: 16 }, () => shared.lease(leaseRequest)));
    const oneByOne = [];
    for (let i = 0; i < 16; i += 1) oneByOne.push(await single.lease(leaseRequest));

    const ids = atOneTime.map((task) => task?.taskId ?? null);
    expect(ids).toEqual(oneByOne.map((task) => task?.taskId ?? null));
    expect(new Set(ids).size).toBe(16);
  });

  it('refuses an event and writes nothing when the name of its delivery holds something else', async () => {
    const keys = new RedisKeys(prefixOf('foreign'));
    await redis.lpush(`${keys.root}${keys.delivery('gitlab:2')}`, 'foreign');
    const queue = queueOf('foreign');

    const [refused, other] = await Promise.allSettled([
      queue.enqueue(of('gitlab', '1', 1), { ...atOnce, deliveryKeys: ['gitlab:1', 'gitlab:2'] }),
      queue.enqueue(of('gitlab', '1', 2), { ...atOnce, deliveryKeys: ['gitlab:3'] }),
    ]);

    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'queue.wrong_type' } });
    expect(other).toMatchObject({ status: 'fulfilled', value: { kind: 'queued' } });
    expect(await redis.exists(`${keys.root}${keys.delivery('gitlab:1')}`)).toBe(0);
    expect(await redis.type(`${keys.root}${keys.delivery('gitlab:2')}`)).toBe('list');
    expect(await queue.stats()).toMatchObject({ waiting: 1 });
  });

  it.each(['event', 'end'] as const)('brings a project whose turn was lost back with its next %s', async (what) => {
    const queue = queueOf('lost');
    for (const iid of [1, 2, 3]) await queue.enqueue(of('gitlab', '1', iid), atOnce);
    const held = await queue.lease(leaseRequest);
    if (held === null) throw new Error('nothing to lease');
    await redis.del(`${new RedisKeys(prefixOf('lost')).root}turns:gitlab`);
    expect(await queue.lease(leaseRequest)).toBeNull();

    if (what === 'event') await queue.enqueue(of('gitlab', '1', 4), atOnce);
    else await queue.complete(held, { kind: 'done' });

    expect(await queue.lease(leaseRequest)).toMatchObject({ taskId: 'review:gitlab:1:2' });
  });
});
