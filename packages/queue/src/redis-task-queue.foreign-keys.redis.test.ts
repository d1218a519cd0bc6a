/** Somebody else's keys and damaged records under ours: no task is lost by them, and none stops another. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, silentLog, type LogFacts, type TaskId } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { aTaskRequest, atOnce, debounced, MovableTime, room, sha, taskIdOfIid } from './contract/queue-under-test.ts';
import { damageTask, putForeign } from './faults/damage.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisTaskQueue } from './redis-task-queue.ts';
import type { LeaseLimits, LeasedTask } from './task-queue.ts';

const describeRedis = whyNoRedisServer() === null ? describe : describe.skip;
const minuteMs = 60_000;

describeRedis('foreign keys and damaged records', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  let queue: RedisTaskQueue;
  let time: MovableTime;
  let said: LogFacts[];
  let queues = 0;
  let prefix = '';
  beforeAll(async () => {
    server = await startRedisServer({ config: { appendonly: 'no' } });
  });
  beforeEach(async () => {
    queues += 1;
    prefix = `test-${queues}:`;
    time = new MovableTime();
    said = [];
    redis = await connectRedis({ url: new Secret(server.url), commandTimeoutMs: 30_000 }, silentLog);
    const log = { ...silentLog, error: (facts: LogFacts) => said.push(facts) };
    queue = new RedisTaskQueue({ redis, keyPrefix: prefix, testNowMs: time.nowMs, log });
  });
  afterEach(async () => {
    await queue.close();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  const key = (name: string) => `${prefix}{drydock}:${name}`;
  const taskKey = (iid: number) => key(`task:${taskIdOfIid(iid)}`);
  const enqueue = async (iid: number, projectId = '42', forge = 'gitlab') => {
    const { taskId } = await queue.enqueue({ ...aTaskRequest(), subject: { forge, projectId, iid } }, atOnce);
    return taskId;
  };
  const lease = (limits: Partial<LeaseLimits> = {}) =>
    queue.lease({ owner: 'one', ttlMs: minuteMs, limits: room(1_000, limits) });
  const mustLease = async (limits: Partial<LeaseLimits> = {}): Promise<LeasedTask> => {
    const task = await lease(limits);
    if (task === null) throw new Error('nothing to lease');
    return task;
  };
  const leaseAll = async (): Promise<TaskId[]> => {
    const ids: TaskId[] = [];
    for (let task = await lease(); task !== null; task = await lease()) ids.push(task.taskId);
    return ids.sort();
  };
  const audit = async () => {
    let [healed, broken] = [0, 0];
    let cursor: string | null = null;
    do {
      const slice = await queue.audit(cursor);
      healed += slice.healed;
      broken += slice.broken;
      ({ cursor } = slice);
    } while (cursor !== null);
    return { healed, broken };
  };

  describe('a lease that is given', () => {
    it('stands, whatever stands where idle projects do', async () => {
      for (const iid of [1, 2]) await enqueue(iid);
      await putForeign(redis, key('idle'));

      const task = await mustLease();

      expect(await queue.extend(task, minuteMs)).toMatchObject({ kind: 'held' });
      expect(await redis.zrange(key('leases'), '0', '-1')).toEqual([task.taskId]);
      expect(await leaseAll()).toEqual([taskIdOfIid(2)]);
    });

    it('stands, whatever stands under another project that is idle', async () => {
      await enqueue(1, '41');
      await queue.complete(await mustLease(), { kind: 'done' });
      await putForeign(redis, key('project:gitlab:41'));
      for (const iid of [1, 2, 3]) await enqueue(iid);

      const ids = await leaseAll();

      expect(ids).toEqual([1, 2, 3].map(taskIdOfIid));
      expect(await redis.zcard(key('leases'))).toBe(3);
    });
  });

  describe('a task that was parked in the middle of its run', () => {
    const parkRunning = async () => {
      await enqueue(7);
      const task = await mustLease();
      await queue.beginLaunch(task, sha('a'));
      await damageTask(redis, taskKey(7), 'v', '999');
      time.advance(2 * minuteMs);
      expect(await lease()).toBeNull();
      expect(await queue.parked()).toMatchObject([{ kind: 'task', name: taskIdOfIid(7) }]);
      await damageTask(redis, taskKey(7), 'v', '3');
      return task;
    };

    it('is taken over once a person retries it', async () => {
      await parkRunning();

      expect(await queue.retry(taskIdOfIid(7), 'ann')).toBe('running');

      expect(await mustLease()).toMatchObject({ taskId: taskIdOfIid(7), adopted: { state: 'running' } });
      expect(await queue.parked()).toEqual([]);
    });

    it.each(['an event', 'an audit', 'a cancel'])('is taken over after %s', async (what) => {
      await parkRunning();

      if (what === 'an event') await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);
      else if (what === 'an audit') expect(await audit()).toEqual({ healed: 1, broken: 0 });
      else expect(await queue.cancel(taskIdOfIid(7), 'ann')).toBe('cancelling');
      time.advance(2 * minuteMs);

      expect(await mustLease()).toMatchObject({ taskId: taskIdOfIid(7), adopted: { state: 'running' } });
      expect(await queue.parked()).toEqual([]);
      expect((await queue.list({ limit: 10 })).tasks).toHaveLength(1);
    });

    it('stays with its holder when that one lives', async () => {
      const held = await parkRunning();

      expect(await queue.extend(held, minuteMs)).toMatchObject({ kind: 'held' });
      await audit();

      expect(await queue.parked()).toEqual([]);
      expect(await queue.complete(held, { kind: 'done' })).toMatchObject({ kind: 'completed' });
    });
  });

  it.each(['retry', 'event', 'audit'])('takes over by %s a task whose entry among the leases is lost', async (how) => {
    await enqueue(7);
    await mustLease();
    await redis.del(key('leases'));
    time.advance(2 * minuteMs);
    expect(await lease()).toBeNull();

    if (how === 'retry') await queue.retry(taskIdOfIid(7), 'ann');
    else if (how === 'event') await enqueue(7);
    else await audit();
    time.advance(2 * minuteMs);

    expect(await mustLease()).toMatchObject({ taskId: taskIdOfIid(7), adopted: { state: 'leased' } });
  });

  it('leaves who holds a task the time to say so, when all leases are lost', async () => {
    await enqueue(7);
    const held = await mustLease();
    await redis.del(key('leases'));

    await audit();
    const taken = await lease();
    const extended = await queue.extend(held, minuteMs);

    expect(taken).toBeNull();
    expect(extended).toMatchObject({ kind: 'held' });
  });

  it('takes a parked task that waited back once its record can be read', async () => {
    await enqueue(7);
    await damageTask(redis, taskKey(7), 'v', '999');
    expect(await lease()).toBeNull();
    expect(await audit()).toEqual({ healed: 0, broken: 0 });
    await damageTask(redis, taskKey(7), 'v', '3');

    expect(await audit()).toEqual({ healed: 1, broken: 0 });

    expect((await mustLease()).taskId).toBe(taskIdOfIid(7));
    expect(await queue.parked()).toEqual([]);
    expect((await queue.events(taskIdOfIid(7))).at(-2)).toMatchObject({ what: 'queued', detail: 'parked before' });
  });

  it('keeps what is parked until a person acts, however long that takes', async () => {
    await enqueue(7);
    await damageTask(redis, taskKey(7), 'v', '999');
    await lease();
    time.advance(40 * 24 * 60 * minuteMs);
    await enqueue(8);
    await mustLease();

    expect(await queue.parked()).toMatchObject([{ name: taskIdOfIid(7) }]);
    expect(await queue.stats()).toMatchObject({ parked: 1 });
    await redis.del(taskKey(7));
    expect(await queue.retry(taskIdOfIid(7), 'ann')).toBe('absent');
    expect(await queue.parked()).toEqual([]);
  });

  describe('during an upgrade', () => {
    /** What a version does that knew tasks as hashes alone, when it leases and finds ours. */
    const parkAsBefore = async (iid: number, state: string) => {
      const taskId = taskIdOfIid(iid);
      for (const name of ['leases', 'leases:gitlab', 'leases:gitlab:42', 'due', 'ready:gitlab:42', `state:${state}`])
        await redis.zrem(key(name), taskId);
      await redis.zadd(key('parked'), time.nowMs(), taskId);
    };

    it('takes back what an older version has parked, waiting or running', async () => {
      for (const iid of [1, 2]) await enqueue(iid);
      const running = await mustLease();
      await parkAsBefore(running.subject.iid, 'leased');
      await parkAsBefore(2, 'waiting');

      expect(await audit()).toEqual({ healed: 2, broken: 0 });
      time.advance(2 * minuteMs);

      expect(await leaseAll()).toEqual([1, 2].map(taskIdOfIid));
    });

    it('takes back a hash of an older version that was parked', async () => {
      const taskId = taskIdOfIid(7);
      const [readyAt, path] = [String(time.nowMs()), 'group/project'];
      const old = { v: '2', path, state: 'waiting', updated: readyAt, wTrigger: 'pushed', wPriority: '50' };
      await redis.hset(taskKey(7), { ...old, wHead: sha('a'), wQueued: readyAt, wReady: readyAt });
      await redis.zadd(key('parked'), time.nowMs(), taskId);

      await audit();

      expect(await mustLease()).toMatchObject({ taskId, projectPath: 'group/project' });
    });
  });

  it.each(['leases:gitlab:42', 'leases:gitlab', 'project:gitlab:42', 'turns:gitlab'])(
    'leases from others while one whose lease ran out cannot be taken over, as %s holds something else',
    async (name) => {
      await enqueue(1);
      await enqueue(2);
      for (let i = 0; i < 2; i += 1) await mustLease();
      await enqueue(3, '43', 'github');
      const mend = await putForeign(redis, key(name));
      time.advance(2 * minuteMs);

      const others = await leaseAll();
      const place = name === 'project:gitlab:42' || name === 'leases:gitlab:42' ? 'project:gitlab:42' : 'forge:gitlab';
      expect(said).toContainEqual(expect.objectContaining({ place }));
      await mend();
      await audit();

      expect(others).toEqual(['review:github:43:3']);
      expect(await leaseAll()).toEqual([1, 2].map(taskIdOfIid));
      expect(await queue.parked()).toEqual([]);
    },
  );

  it('gives the slot of a parked task to the next of its project', async () => {
    await enqueue(1);
    await mustLease({ perProject: 1 });
    await enqueue(2);
    expect(await lease({ perProject: 1 })).toBeNull();
    await damageTask(redis, taskKey(1), 'v', '999');
    time.advance(2 * minuteMs);

    expect((await mustLease({ perProject: 1 })).taskId).toBe(taskIdOfIid(2));
  });

  it('leases from a project at its limit once an audit came after the limit was raised', async () => {
    for (const iid of [1, 2]) await enqueue(iid);
    await mustLease({ perProject: 1 });
    expect(await lease({ perProject: 1 })).toBeNull();

    await audit();

    expect((await mustLease({ perProject: 5 })).taskId).toBe(taskIdOfIid(2));
  });

  it.each(['projects', 'forges', 'idle', 'aside', 'pauses'])(
    'refuses an event and writes nothing when %s holds something else',
    async (name) => {
      await putForeign(redis, key(name));
      const before = await redis.keys(`${prefix}*`);

      await expect(enqueue(7)).rejects.toMatchObject({ code: 'queue.wrong_type' });

      expect(await redis.keys(`${prefix}*`)).toEqual(before);
    },
  );

  it.each(['ready:gitlab:42', 'due', 'turns:gitlab', 'forges', 'project:gitlab:42', 'projects', 'idle', 'clock'])(
    'gives every task its place again that was lost with %s',
    async (name) => {
      for (const iid of [1, 2]) await enqueue(iid);
      await queue.enqueue(aTaskRequest({ iid: 3 }), debounced);
      await queue.epoch();
      await redis.del(key(name));
      time.advance(minuteMs);

      const before = await leaseAll();
      await audit();
      const after = await leaseAll();

      expect([...before, ...after].sort()).toEqual([1, 2, 3].map(taskIdOfIid));
      expect(await audit()).toEqual({ healed: 0, broken: 0 });
      expect((await queue.projects({ limit: 10 })).projects).toHaveLength(1);
    },
  );

  it('finds foreign keys that every task needs, and says which', async () => {
    await putForeign(redis, key('shares'));

    expect(await audit()).toMatchObject({ broken: 1 });

    expect(said).toEqual([{ place: 'shares' }]);
  });

  it("goes through many in slices, of which none sees another's", async () => {
    for (let iid = 1; iid <= 250; iid += 1) await enqueue(iid);
    await redis.del(key('ready:gitlab:42'));
    let slices = 0;
    let cursor: string | null = null;
    do {
      ({ cursor } = await queue.audit(cursor));
      slices += 1;
    } while (cursor !== null);

    expect(slices).toBeGreaterThanOrEqual(8);
    expect(await leaseAll()).toHaveLength(250);
  });

  it('parks a task whose time has come and whose wReady is rubbish, and goes on with the others', async () => {
    await queue.enqueue(aTaskRequest({ iid: 1 }), debounced);
    await queue.enqueue(aTaskRequest({ iid: 2 }), debounced);
    await damageTask(redis, taskKey(1), 'wReady', 'rubbish');
    time.advance(minuteMs);

    expect(await leaseAll()).toEqual([taskIdOfIid(2)]);

    expect(await queue.parked()).toMatchObject([{ kind: 'task', name: taskIdOfIid(1) }]);
  });

  it.each(['wPriority', 'wQueued', 'wTrigger', 'wFailures', 'wHead', 'wCommand', 'lease', 'newest'])(
    'parks a task that waits when its %s is rubbish, and goes on with the others',
    async (field) => {
      for (const iid of [1, 2]) await enqueue(iid);
      await damageTask(redis, taskKey(1), field, 'rubbish');

      expect(await leaseAll()).toEqual([taskIdOfIid(2)]);

      expect(await queue.parked()).toMatchObject([{ kind: 'task', name: taskIdOfIid(1) }]);
      expect(said).toContainEqual(expect.objectContaining({ taskId: taskIdOfIid(1) }));
    },
  );

  it.each(['cInfra', 'cPriority', 'cQueued', 'cFailures', 'cTrigger', 'cHead', 'lease', 'launch', 'adoptions'])(
    'parks a task whose lease ran out when its %s is rubbish, and goes on with the others',
    async (field) => {
      await enqueue(1);
      await mustLease();
      await enqueue(2);
      await damageTask(redis, taskKey(1), field, 'rubbish');
      time.advance(2 * minuteMs);

      expect(await leaseAll()).toEqual([taskIdOfIid(2)]);

      expect(await queue.parked()).toMatchObject([{ kind: 'task', name: taskIdOfIid(1) }]);
    },
  );

  it.each([
    ['clock', 'time'],
    ['clock', 'arrivals'],
    ['clock', 'epoch'],
    ['project:gitlab:42', 'finish'],
    ['project:gitlab:42', 'delayed'],
    ['project:gitlab:42', 'turn'],
    ['shares', 'gitlab:42'],
    ['day', 'done'],
  ])('goes on when %s has a %s that is rubbish', async (name, field) => {
    await enqueue(1);
    await queue.complete(await mustLease(), { kind: 'done' });
    const which = name === 'day' ? `day:${String(Math.floor(time.nowMs() / 86_400_000))}` : name;
    await redis.hset(key(which), field, 'rubbish');
    for (const iid of [2, 3]) await enqueue(iid);
    await queue.enqueue(aTaskRequest({ iid: 4 }), debounced);
    time.advance(minuteMs);

    const ids: TaskId[] = [];
    for (let task = await lease(); task !== null; task = await lease()) {
      ids.push(task.taskId);
      await queue.complete(task, { kind: 'done' });
    }

    expect(ids.sort()).toEqual([2, 3, 4].map(taskIdOfIid));
    expect((await queue.list({ states: ['done'], limit: 10 })).tasks).toHaveLength(4);
  });

  it.each(['paused', 'at its limit', 'set aside', 'nowhere'])(
    'counts the age of the oldest that is ready, also of a project that is %s',
    async (how) => {
      await enqueue(1);
      if (how === 'at its limit') {
        await mustLease({ perProject: 1 });
        await enqueue(2);
        await lease({ perProject: 1 });
      }
      if (how === 'paused') await queue.pause({ kind: 'project', forge: 'gitlab', projectId: '42' }, 'ann', '');
      if (how === 'set aside') {
        await putForeign(redis, key('leases:gitlab:42'));
        await lease();
      }
      if (how === 'nowhere') await redis.del(key('ready:gitlab:42'));
      time.advance(30_000);

      expect(await queue.stats()).toMatchObject({ oldestReadyMs: 30_000 });
    },
  );
});
