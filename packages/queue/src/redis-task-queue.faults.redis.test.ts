/** What only a real store can do to a queue: forget scripts, die, hang, fill up, hold foreign things. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, attemptOf, silentLog, systemClock, type Log, type LogFacts } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import {
  aFailure,
  aTaskRequest,
  atOnce,
  debounced,
  leaseNext,
  mustLease,
  mustRun,
  room,
  sha,
  taskIdOfIid,
} from './contract/queue-under-test.ts';
import { changeFields, readFields } from './contract/packed-task.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisTaskQueue, connectRedisTaskQueue } from './redis-task-queue.ts';
import type { LeasedTask } from './task-queue.ts';

const describeRedis = whyNoRedisServer() === null ? describe : describe.skip;
const signal = AbortSignal.timeout(600_000);

/** Asks until the answer is right: after a restart the client needs a moment. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === 200) throw error;
      await systemClock.sleep(25, signal);
    }
  }
}

describeRedis('RedisTaskQueue on a store that lives', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  let queue: RedisTaskQueue;
  let queues = 0;
  let prefix = '';
  beforeAll(async () => {
    server = await startRedisServer();
  });
  beforeEach(async () => {
    queues += 1;
    prefix = `test-${queues}:`;
    redis = await connectRedis({ url: new Secret(server.url) }, silentLog);
    queue = new RedisTaskQueue({ redis, keyPrefix: prefix });
  });
  afterEach(async () => {
    await queue.close();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  const key = (name: string) => `${prefix}{drydock}:${name}`;

  it('sends what one turn asks for as one command, in which each has its own answer', async () => {
    await queue.enqueue(aTaskRequest({ iid: 9 }), atOnce);
    await redis.set(key(`task:${taskIdOfIid(2)}`), 'not ours');
    await redis.config('RESETSTAT');
    const asked = await Promise.allSettled([1, 2, 3].map((iid) => queue.enqueue(aTaskRequest({ iid }), atOnce)));
    const stats = await redis.info('commandstats');

    expect(asked).toEqual([
      { status: 'fulfilled', value: { kind: 'queued', taskId: taskIdOfIid(1) } },
      { status: 'rejected', reason: expect.objectContaining({ code: 'queue.wrong_type' }) },
      { status: 'fulfilled', value: { kind: 'queued', taskId: taskIdOfIid(3) } },
    ]);
    expect(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]).toBe('1');
  });

  it('shares a lease among those who ask at once, none twice and none more than may run', async () => {
    for (const iid of [1, 2, 3, 4]) await queue.enqueue(aTaskRequest({ iid }), atOnce);
    const limits = { total: 3, perForge: null, perProject: null };
    const leased = await Promise.all(
      [1, 2, 3, 4, 5].map(() => queue.lease({ owner: 'scheduler-1', ttlMs: 15_000, limits })),
    );

    expect(leased.map((task) => task?.taskId ?? null)).toEqual([
      ...[1, 2, 3].map((iid) => taskIdOfIid(iid)),
      null,
      null,
    ]);
  });

  it('row 19: goes on after Redis forgot the scripts', async () => {
    const held = await mustRun(queue);
    await redis.script('FLUSH');

    expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: null });
    await redis.script('FLUSH');
    expect(await queue.complete(held, { kind: 'done' })).toEqual({ kind: 'completed', requeued: false });
  });

  it('row 41: takes 200 copies of a delivery as one', async () => {
    const options = { ...debounced, deliveryKeys: ['gitlab:delivery', 'gitlab:body'] };

    const kinds = await Promise.all(Array.from({ length: 200 }, () => queue.enqueue(aTaskRequest(), options)));

    expect(kinds.filter(({ kind }) => kind === 'queued')).toHaveLength(1);
    expect(kinds.filter(({ kind }) => kind === 'duplicate')).toHaveLength(199);
    expect(await queue.stats()).toMatchObject({ waiting: 1 });
  });

  it('never lets more run than it may, however many ask at once', async () => {
    for (let iid = 1; iid <= 30; iid += 1) await queue.enqueue(aTaskRequest({ iid }), atOnce);

    const asked = await Promise.all(
      Array.from({ length: 40 }, () => queue.lease({ owner: 'one', ttlMs: 60_000, limits: room(7) })),
    );

    expect(asked.filter((task) => task !== null)).toHaveLength(7);
    expect(await queue.stats()).toMatchObject({ running: 7, waiting: 23 });
  });

  it('takes ages from the time of Redis', async () => {
    await queue.enqueue(aTaskRequest(), { ...atOnce, debounceMs: 30, maxDebounceMs: 60 });
    expect(await queue.lease({ owner: 'one', ttlMs: 40, limits: room(1) })).toBeNull();

    const first = await eventually(async () => {
      const task = await queue.lease({
        owner: 'one',
        ttlMs: 40,
        limits: room(1),
      });
      if (task === null) throw new Error('not ready yet');
      return task;
    });
    const second = await eventually(async () => {
      const task = await queue.lease({
        owner: 'two',
        ttlMs: 15_000,
        limits: room(1),
      });
      if (task === null) throw new Error('still held');
      return task;
    });

    expect([first.lease, second.lease].map(attemptOf)).toEqual([1, 2]);
    const [seconds] = await redis.time();
    expect(Math.abs(second.queuedAtMs / 1000 - Number(seconds))).toBeLessThan(30);
  });

  it('keeps all keys in one slot, and writes a version into each value of its own', async () => {
    const held = await mustRun(queue);
    await queue.complete(held, { kind: 'done' });
    await queue.enqueue(aTaskRequest({ iid: 8 }), { ...debounced, deliveryKeys: ['gitlab:1'] });
    await mustRun(queue, aTaskRequest({ iid: 9 }));
    await queue.ping();

    const keys = await redis.keys(`${prefix}*`);

    expect(keys.every((name) => name.startsWith(key('')))).toBe(true);
    for (const name of keys) {
      const type = await redis.type(name);
      const isTask = name.includes(':task:');
      if (isTask) expect(await readFields(redis, name)).toMatchObject({ v: '3' });
      if (name.endsWith(':clock')) expect(await redis.hget(name, 'v')).toBe('1');
      if (type === 'string' && !isTask) expect(await redis.get(name)).toMatch(/^1\b/);
    }
    expect(await redis.pttl(key(`task:${taskIdOfIid(7)}`))).toBeGreaterThan(29 * 24 * 3_600_000);
    expect(await redis.pttl(key(`task:${taskIdOfIid(8)}`))).toBe(-1);
  });

  it.each([
    'ready:gitlab:42',
    'due',
    'turns:gitlab',
    'project:gitlab:42',
    'parked',
    'state:waiting',
    `task:${taskIdOfIid(7)}`,
  ])('row 21: refuses an event and writes nothing when %s holds something else', async (name) => {
    await redis.lpush(key(name), 'foreign');
    const before = await redis.keys(`${prefix}*`);

    const refused = queue.enqueue(aTaskRequest(), { ...atOnce, deliveryKeys: ['gitlab:1'] });

    await expect(refused).rejects.toMatchObject({
      kind: 'blocked',
      code: 'queue.wrong_type',
      message: expect.stringContaining(key(name)),
    });
    expect(await redis.keys(`${prefix}*`)).toEqual(before);
  });

  it.each(['ready:gitlab:42', 'due', 'leases', 'leases:gitlab', 'state:leased', 'state:dead'])(
    'row 21: refuses to end a task and writes nothing when %s holds something else',
    async (name) => {
      const held = await mustRun(queue);
      const record = await redis.getBuffer(key(`task:${held.taskId}`));
      await redis.del(key(name));
      await redis.lpush(key(name), 'foreign');

      await expect(queue.fail(held, aFailure({ class: 'terminal' }))).rejects.toMatchObject({
        code: 'queue.wrong_type',
      });

      expect(await redis.getBuffer(key(`task:${held.taskId}`))).toEqual(record);
    },
  );

  it('rows 21, 60: parks a task that it cannot read, says so, and goes on with the others', async () => {
    const said: LogFacts[] = [];
    const log: Log = { ...silentLog, error: (facts) => said.push(facts) };
    const speaking = new RedisTaskQueue({ redis, keyPrefix: prefix, log });
    for (const iid of [1, 2, 3]) await speaking.enqueue(aTaskRequest({ iid }), atOnce);
    await speaking.enqueue(aTaskRequest({ iid: 4 }), atOnce);
    await redis.del(key(`task:${taskIdOfIid(1)}`));
    await redis.set(key(`task:${taskIdOfIid(2)}`), 'foreign');
    await changeFields(redis, key(`task:${taskIdOfIid(3)}`), { v: '4' });

    const task = await mustLease(speaking);

    expect(task.taskId).toBe(taskIdOfIid(4));
    expect(said.map(({ taskId }) => taskId)).toEqual([1, 2, 3].map(taskIdOfIid));
    expect(await redis.zrange(key('parked'), '0', '-1')).toEqual([1, 2, 3].map(taskIdOfIid));
    expect((await speaking.list({ limit: 10 })).tasks.map(({ taskId }) => taskId)).toEqual([task.taskId]);
    await expect(speaking.get(taskIdOfIid(3))).rejects.toMatchObject({ code: 'queue.wrong_type' });
    expect(await speaking.stats()).toMatchObject({ parked: 3, setAside: 0 });
    expect(await speaking.parked()).toMatchObject([1, 2, 3].map((iid) => ({ kind: 'task', name: taskIdOfIid(iid) })));
    expect((await speaking.enqueue(aTaskRequest({ iid: 1 }), atOnce)).kind).toBe('queued');
    await changeFields(redis, key(`task:${taskIdOfIid(3)}`), { v: '3' });
    expect(await speaking.retry(taskIdOfIid(3), 'ann')).toBe('waiting');
    expect(await speaking.parked()).toMatchObject([{ name: taskIdOfIid(2) }]);
    expect((await mustLease(speaking)).taskId).toBe(taskIdOfIid(3));
  });

  it.each(['ready:gitlab:42', 'project:gitlab:42', 'leases:gitlab:42', 'turns:gitlab', 'leases:gitlab'])(
    'row 21: leases from others when %s holds something else, says so, and goes on once it is mended',
    async (name) => {
      const said: LogFacts[] = [];
      const log: Log = { ...silentLog, error: (facts) => said.push(facts) };
      const speaking = new RedisTaskQueue({ redis, keyPrefix: prefix, log });
      const at = (forge: string, projectId: string) => ({ ...aTaskRequest(), subject: { forge, projectId, iid: 1 } });
      await speaking.enqueue(at('gitlab', '42'), atOnce);
      await speaking.enqueue(at('github', '43'), atOnce);
      const [kept] = [`${key(name)}-kept`];
      if ((await redis.exists(key(name))) === 1) await redis.rename(key(name), kept);
      await redis.set(key(name), 'foreign');

      const other = await mustLease(speaking);
      const blocked = await leaseAny(speaking);
      const [parked, { setAside }] = [await speaking.parked(), await speaking.stats()];
      await redis.del(key(name));
      if ((await redis.exists(kept)) === 1) await redis.rename(kept, key(name));
      await speaking.enqueue({ ...at('gitlab', '42'), headSha: 'b'.repeat(40) }, atOnce);
      const mended = await mustLease(speaking);

      expect([other.taskId, blocked]).toEqual(['review:github:43:1', null]);
      expect(said.map(({ place }) => place)).toContain(
        name.split(':').length === 3 ? 'project:gitlab:42' : 'forge:gitlab',
      );
      const [kind, place] = name.split(':').length === 3 ? ['project', 'gitlab:42'] : ['forge', 'gitlab'];
      expect([parked, setAside]).toMatchObject([[{ kind, name: place }], 1]);
      expect(await speaking.parked()).toEqual([]);
      expect(mended.taskId).toBe('review:gitlab:42:1');
    },
  );

  it.each(['ready:gitlab:42', 'project:gitlab:42'])(
    'row 21: a task that is due does not stop others when %s holds something else, and runs once it is mended',
    async (name) => {
      let nowMs = Date.now();
      const timed = new RedisTaskQueue({ redis, keyPrefix: prefix, testNowMs: () => nowMs });
      await timed.enqueue(aTaskRequest(), debounced);
      await redis.del(key(name));
      await redis.lpush(key(name), 'foreign');
      nowMs += 60_000;
      const other = { ...aTaskRequest(), subject: { forge: 'gitlab', projectId: '43', iid: 1 } };
      await timed.enqueue(other, atOnce);

      expect(await leaseAny(timed)).toMatchObject({ taskId: 'review:gitlab:43:1' });
      expect(await timed.parked()).toMatchObject([{ kind: 'project', name: 'gitlab:42' }]);

      await redis.del(key(name));
      nowMs += 60_000;
      await leaseAny(timed); // the other's, whose lease ran out
      expect(await leaseAny(timed)).toMatchObject({ taskId: taskIdOfIid(7) });
      expect(await timed.parked()).toEqual([]);
    },
  );

  it('row 20: moves tasks whose delay ended in batches, and loses none', async () => {
    let nowMs = Date.now();
    const timed = new RedisTaskQueue({ redis, keyPrefix: prefix, testNowMs: () => nowMs });
    for (let iid = 1; iid <= 250; iid += 1) await timed.enqueue(aTaskRequest({ iid }), debounced);
    nowMs += 5_000;

    const ids = new Set<string>();
    for (let task = await leaseAny(timed); task !== null; task = await leaseAny(timed)) ids.add(task.taskId);

    expect(ids.size).toBe(250);
  });
});

function leaseAny(queue: RedisTaskQueue): Promise<LeasedTask | null> {
  return queue.lease({ owner: 'one', ttlMs: 60_000, limits: room(1_000) });
}

describeRedis('RedisTaskQueue on a store that fails', () => {
  it('row 16: fails soon when Redis hangs, and comes back with it', async () => {
    await using server = await startRedisServer();
    const queue = await connectRedisTaskQueue({ url: new Secret(server.url), commandTimeoutMs: 300 });
    await mustRun(queue);
    server.pause();
    const startedAt = performance.now();

    await expect(queue.ping()).rejects.toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
    await expect(queue.enqueue(aTaskRequest({ iid: 8 }), atOnce)).rejects.toMatchObject({ code: 'queue.unreachable' });

    expect(performance.now() - startedAt).toBeLessThan(2_000);
    server.resume();
    await eventually(() => queue.ping());
    await queue.enqueue(aTaskRequest({ iid: 8 }), atOnce);
    expect(await leaseNext(queue)).not.toBeNull();
    await queue.close();
  });

  it('answers at once while Redis is away', async () => {
    await using server = await startRedisServer();
    const queue = await connectRedisTaskQueue({ url: new Secret(server.url) });
    await server.kill();
    await expect(queue.ping()).rejects.toMatchObject({ code: 'queue.unreachable' });

    await expect(queue.enqueue(aTaskRequest(), atOnce)).rejects.toMatchObject({ code: 'queue.unreachable' });

    await queue.close();
  });

  it('row 13: refuses events when Redis is full, while what runs still ends', async () => {
    await using server = await startRedisServer();
    const queue = await connectRedisTaskQueue({ url: new Secret(server.url) });
    const admin = await connectRedis({ url: new Secret(server.url) }, silentLog);
    for (const iid of [1, 2, 3]) await queue.enqueue(aTaskRequest({ iid }), atOnce);
    const held = await mustLease(queue);
    await admin.config('SET', 'maxmemory', '1');

    const refused = queue.enqueue(aTaskRequest({ iid: 4 }), { ...atOnce, deliveryKeys: ['gitlab:4'] });

    await expect(refused).rejects.toMatchObject({ kind: 'transient', code: 'queue.full' });
    await expect(queue.ping()).rejects.toMatchObject({ code: 'queue.full' });
    expect(await queue.extend(held, 15_000)).toMatchObject({ kind: 'held' });
    expect(await queue.beginLaunch(held, sha('a'))).toMatchObject({ kind: 'begun' });
    expect(await queue.beginPublishing(held)).toEqual({ kind: 'publishing' });
    expect(await queue.complete(held, { kind: 'done' })).toMatchObject({ kind: 'completed' });
    expect(await queue.fail(await mustLease(queue), aFailure())).toMatchObject({ kind: 'retrying' });
    expect(await queue.release(await mustLease(queue), { delayMs: 0, why: 'test' })).toEqual({ kind: 'released' });
    await admin.config('SET', 'maxmemory', '0');
    expect((await queue.enqueue(aTaskRequest({ iid: 4 }), { ...atOnce, deliveryKeys: ['gitlab:4'] })).kind).toBe(
      'queued',
    );
    await admin.quit();
    await queue.close();
  });

  it('row 12: is not ready when Redis takes no writes', async () => {
    await using master = await startRedisServer();
    await using replica = await startRedisServer({ config: { replicaof: `127.0.0.1 ${master.port}` } });
    const queue = await connectRedisTaskQueue({ url: new Secret(replica.url) });

    await expect(queue.ping()).rejects.toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
    await queue.close();
  });

  it('hears wake-ups again after Redis was away', async () => {
    await using server = await startRedisServer();
    const queue = await connectRedisTaskQueue({ url: new Secret(server.url) });
    let wakes = 0;
    queue.onWake(() => {
      wakes += 1;
    });
    const isWoken = async () => {
      const before = wakes;
      await queue.enqueue(aTaskRequest(), atOnce);
      await systemClock.sleep(5, signal);
      if (wakes === before) throw new Error('not woken yet');
    };
    await eventually(isWoken);

    await server.kill();
    await server.restart();

    await eventually(isWoken);

    await queue.close();
  });
});
