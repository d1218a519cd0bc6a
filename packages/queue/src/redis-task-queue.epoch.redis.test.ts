/** What a store that lost its memory, or has that of an older version, does to a queue. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, attemptOf, systemClock } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { Redis } from 'ioredis';
import { aTaskRequest, atOnce, mustLease, mustRun, sha, taskIdOfIid } from './contract/queue-under-test.ts';
import { connectRedisTaskQueue, type RedisTaskQueue } from './redis-task-queue.ts';

(whyNoRedisServer() === null ? describe : describe.skip)('RedisTaskQueue and the memory of its store', () => {
  let server: RedisServer;
  let queue: RedisTaskQueue;
  let admin: Redis;
  beforeEach(async () => {
    server = await startRedisServer();
    queue = await connectRedisTaskQueue({ url: new Secret(server.url) });
    admin = new Redis(server.url);
    admin.on('error', () => undefined);
  });
  afterEach(async () => {
    admin.disconnect();
    await queue.close();
    await server[Symbol.asyncDispose]();
  });
  async function answers<T>(ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        if (attempt === 200) throw error;
        await systemClock.sleep(25, AbortSignal.timeout(60_000));
      }
    }
  }

  it('gives greater numbers after it was emptied while connected, refuses old holders, and wants a sweep', async () => {
    const old = await mustRun(queue);
    const launched = await queue.beginLaunch(old, sha('a'));
    const { epoch } = await queue.epoch();
    await queue.sweepDone(epoch);
    await admin.flushall();

    const held = await mustRun(queue);

    expect(held.lease).toBeGreaterThan(old.lease + 2 ** 21);
    expect(await queue.epoch()).toMatchObject({ isSweepDue: true });
    expect(launched).toMatchObject({ kind: 'begun' });
  });

  it('begins a new epoch when the store restarts, and lets who still holds a lease go on', async () => {
    const held = await mustRun(queue);
    const first = await queue.epoch();
    await server.kill();
    await server.restart();

    const second = await answers(() => queue.epoch());

    expect(second.epoch).toBeGreaterThan(first.epoch);
    expect(second.isSweepDue).toBe(true);
    expect(await queue.extend(held, 15_000)).toMatchObject({ kind: 'held' });
    const begun = await queue.beginLaunch(held, sha('a'));
    expect(begun).toMatchObject({ kind: 'begun' });
    expect(begun.kind === 'begun' ? [Math.floor(begun.launch / 2 ** 22), attemptOf(begun.launch)] : []).toEqual([
      second.epoch,
      1,
    ]);
    await queue.release(held, { delayMs: 0, why: 'test' });
    expect((await mustLease(queue)).lease).toBeGreaterThan(held.lease + 1);
  });

  it('takes over what a version without projects left behind', async () => {
    const now = Date.now();
    const hash = (state: object) => ({
      v: '1',
      path: 'group/project',
      lease: '3',
      launch: '2',
      launchLease: '3',
      launchHead: sha('a'),
      newest: '',
      updated: `${now}`,
      wTrigger: 'pushed',
      wPriority: '20',
      wCommand: '',
      wHead: sha('b'),
      wQueued: `${now}`,
      wFailures: '1',
      wInfra: '0',
      wReady: `${now}`,
      wNotBefore: '0',
      wUrgent: '',
      wWhy: '',
      errorCode: '',
      errorMessage: '',
      ...state,
    });
    for (const [iid, place, score] of [
      [1, 'ready', 79e13 + now],
      [2, 'delayed', now + 1],
    ] as const) {
      const id = taskIdOfIid(iid);
      await admin.hset(`{drydock}:task:${id}`, hash({ state: 'waiting' }));
      await admin.zadd('{drydock}:state:waiting', now, id);
      await admin.zadd(`{drydock}:${place}`, score, id);
    }
    await queue.enqueue(aTaskRequest({ iid: 3 }), atOnce);

    const leased = [
      await mustLease(queue),
      await answers(() => mustLease(queue)),
      await answers(() => mustLease(queue)),
    ];

    expect(leased.map(({ subject }) => subject.iid).sort()).toEqual([1, 2, 3]);
    expect(leased.find(({ subject }) => subject.iid === 1)).toMatchObject({
      headSha: sha('b'),
      failures: 1,
      launch: 2,
    });
    expect(leased.map(({ lease }) => attemptOf(lease)).sort()).toEqual([1, 4, 4]);
    expect(await admin.exists('{drydock}:ready', '{drydock}:delayed')).toBe(0);
  });
});
