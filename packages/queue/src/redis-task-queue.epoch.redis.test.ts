/** What a store that lost its memory, or has that of an older version, does to a queue. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, attemptOf, systemClock } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { Redis } from 'ioredis';
import { readFields } from './contract/packed-task.ts';
import { aTaskRequest, atOnce, mustLease, mustRun, sha, taskIdOfIid } from './contract/queue-under-test.ts';
import { connectRedisTaskQueue, type RedisTaskQueue } from './redis-task-queue.ts';

/** Stores a task as version 2 did: a hash, with the history in a ring of fields. */
async function toVersion2(redis: Redis, key: string): Promise<void> {
  const { history = '', ...fields } = await readFields(redis, key);
  const lines = history.split('\n').slice(0, -1);
  const ring = Object.fromEntries(lines.map((line, i) => [`e${(i + 1) % 50}`, line]));
  await redis.del(key);
  await redis.hset(key, { ...fields, v: '2', events: `${lines.length}`, ...ring });
}

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

  it('reads what version 2 kept as a hash, and writes it as version 3 with its next change', async () => {
    const held = await mustRun(queue);
    const key = `{drydock}:task:${held.taskId}`;
    await queue.complete(held, { kind: 'done' });
    const [view, events] = [await queue.get(held.taskId), await queue.events(held.taskId)];
    await toVersion2(admin, key);

    expect([await queue.get(held.taskId), await queue.events(held.taskId)]).toEqual([view, events]);
    expect(await queue.list({ limit: 10 })).toMatchObject({ tasks: [view] });
    expect(await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce)).toMatchObject({ kind: 'queued' });
    expect((await queue.events(held.taskId)).slice(0, -1)).toEqual(events);
    expect(await admin.type(key)).toBe('string');
    expect(await admin.pttl(key)).toBe(-1);
    const again = await mustLease(queue);
    expect(again.lease).toBe(held.lease + 1);
    await toVersion2(admin, key);
    expect(await queue.complete(again, { kind: 'done' })).toEqual({ kind: 'completed', requeued: false });
    expect((await queue.events(held.taskId)).slice(0, events.length)).toEqual(events);
    expect(await admin.pttl(key)).toBeGreaterThan(29 * 24 * 3_600_000);
  });

  it('goes on with a history of version 2 that had run full', async () => {
    const held = await mustRun(queue);
    const key = `{drydock}:task:${held.taskId}`;
    await toVersion2(admin, key);
    const ring = Array.from({ length: 50 }, (_, i) => 51 + i).flatMap((n) => [
      `e${n % 50}`,
      `${n}|queued|server|no ${n}`,
    ]);
    await admin.hset(key, 'events', '100', ...ring);

    await queue.interrupt(held.taskId, 'cancelled');
    await queue.complete(held, { kind: 'done' });

    const details = (await queue.events(held.taskId)).map(({ detail }) => detail);
    expect(details).toHaveLength(50);
    expect([details.at(0), details.at(-3)]).toEqual(['no 53', 'no 100']);
  });
});
