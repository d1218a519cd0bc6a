/**
 * The blind spot of the model, which never meets a store that somebody else wrote to: one key or field of a store in full
 * work is damaged, it is worked off as far as that goes, mended or left as it is, audited, and worked off to the end. Every
 * task must end; only a damaged record that nobody mended may stand among the parked ones instead.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { BlockedError, Secret, silentLog, type TaskId } from '@drydock/core';
import { startRedisServer, type RedisServer } from '@drydock/testkit';
import fc from 'fast-check';
import { aFailure, aTaskRequest, atOnce, debounced, MovableTime, room, sha } from '../contract/queue-under-test.ts';
import { connectRedis, type RedisConnection } from '../redis-connection.ts';
import { RedisTaskQueue } from '../redis-task-queue.ts';
import { damageTask, fieldsOfTask, putForeign } from './damage.ts';
import { describeFaults } from './fault-stage.ts';

const places = [
  ['gitlab', '42'],
  ['gitlab', '43'],
  ['github', '44'],
] as const;
/** Those that need a lease come first, so that each gets the one that was made for it. */
const stages = ['done', 'dead', 'retrying', 'leased', 'running', 'publishing', 'dirty', 'due', 'waiting'] as const;
const kinds = ['wrong type', 'rubbish', 'deleted'] as const;
const minuteMs = 60_000;
const runs = 150;

interface Damage {
  readonly key: string;
  readonly field?: string;
  readonly mend: () => Promise<void>;
  /** Whether all is as it was, once it is mended. */
  readonly isWhole: boolean;
}

const world = fc.record({
  tasks: fc.array(fc.record({ stage: fc.constantFrom(...stages), place: fc.constantFrom(...places) }), {
    minLength: 3,
    maxLength: 8,
  }),
  victim: fc.nat(),
  field: fc.nat(),
  kind: fc.constantFrom(...kinds),
  isMended: fc.boolean(),
});

describeFaults('a store that somebody damages', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  let run = 0;
  beforeAll(async () => {
    server = await startRedisServer({ config: { appendonly: 'no' } });
    redis = await connectRedis({ url: new Secret(server.url), commandTimeoutMs: 30_000 }, silentLog);
  });
  afterAll(async () => {
    await redis.quit();
    await server[Symbol.asyncDispose]();
  });

  it('row 21: loses no task to one damaged key or field, and lets the others go on', async () => {
    await fc.assert(
      fc.asyncProperty(world, async ({ tasks, victim, field, kind, isMended }) => {
        run += 1;
        const root = `damaged-${String(run)}:{drydock}:`;
        const time = new MovableTime();
        const queue = new RedisTaskQueue({ redis, keyPrefix: `damaged-${String(run)}:`, testNowMs: time.nowMs });
        await queue.epoch();
        const sorted = tasks.toSorted((left, right) => stages.indexOf(left.stage) - stages.indexOf(right.stage));
        const ids: TaskId[] = [];
        for (const [i, { stage, place }] of sorted.entries()) ids.push(await bringTo(queue, stage, place, i + 1));
        const open = (await queue.list({ states: ['waiting', 'leased', 'running', 'publishing'], limit: 100 })).tasks;

        const damage = await damageOne(redis, root, { victim, field, kind });
        await drain(queue, time);
        const spared = open.filter(({ taskId }) => isSpared(damage.key.slice(root.length), taskId));
        const left = await leftOf(queue, spared);
        if (isMended) await damage.mend();
        else if (kind === 'wrong type') await redis.del(damage.key);
        // A holder that nobody knows of any more has its time first.
        for (let round = 0; round < 2; round += 1) {
          await auditAll(queue);
          await drain(queue, time);
        }

        const facts = { damaged: `${damage.key.slice(root.length)} ${damage.field ?? ''}: ${kind}`, isMended };
        expect({ ...facts, left }).toEqual({ ...facts, left: [] });
        const parked = (await queue.parked()).map(({ name }) => name);
        const isParkedOnly = (taskId: TaskId) =>
          damage.key === `${root}task:${taskId}` && !(isMended && damage.isWhole);
        const lost = (await leftOf(queue, open)).filter((id) => !(isParkedOnly(id) && parked.includes(id)));
        expect({ ...facts, lost }).toEqual({ ...facts, lost: [] });
        await redis.flushdb();
      }),
      { numRuns: runs, endOnFailure: true },
    );
  }, 600_000);
});

async function bringTo(
  queue: RedisTaskQueue,
  stage: (typeof stages)[number],
  [forge, projectId]: (typeof places)[number],
  iid: number,
): Promise<TaskId> {
  const request = { ...aTaskRequest(), subject: { forge, projectId, iid } };
  const { taskId } = await queue.enqueue(request, stage === 'due' ? debounced : atOnce);
  if (stage === 'waiting' || stage === 'due') return taskId;
  const held = await lease(queue);
  if (held?.taskId !== taskId) throw new Error('it was another one');
  if (stage === 'done') await queue.complete(held, { kind: 'done' });
  if (stage === 'dead') await queue.fail(held, aFailure({ class: 'terminal' }));
  if (stage === 'retrying') await queue.fail(held, aFailure());
  if (stage === 'running' || stage === 'publishing' || stage === 'dirty') await queue.beginLaunch(held, sha('a'));
  if (stage === 'publishing') await queue.beginPublishing(held);
  if (stage === 'dirty') await queue.enqueue({ ...request, headSha: sha('b') }, atOnce);
  return taskId;
}

function lease(queue: RedisTaskQueue) {
  return queue.lease({ owner: 'one', ttlMs: minuteMs, limits: room(1_000) });
}

/** Works off what it gets, over some hours; where the store refuses all, it goes on later. */
async function drain(queue: RedisTaskQueue, time: MovableTime): Promise<void> {
  for (let hour = 0; hour < 3; hour += 1) {
    time.advance(60 * minuteMs);
    try {
      for (let task = await lease(queue); task !== null; task = await lease(queue))
        await queue.complete(task, { kind: 'done' });
    } catch (error) {
      if (!(error instanceof BlockedError)) throw error;
    }
  }
}

async function auditAll(queue: RedisTaskQueue): Promise<void> {
  let cursor: string | null = null;
  do ({ cursor } = await queue.audit(cursor));
  while (cursor !== null);
}

/** Those that have not ended. */
async function leftOf(queue: RedisTaskQueue, tasks: readonly { readonly taskId: TaskId }[]): Promise<TaskId[]> {
  const left = await Promise.all(
    tasks.map(async ({ taskId }) => {
      const task = await queue.get(taskId).catch(() => null);
      return task?.outcome !== null &&
        task?.outcome !== undefined &&
        task.endedAtMs !== null &&
        task.state !== 'waiting'
        ? []
        : [taskId];
    }),
  );
  return left.flat();
}

async function damageOne(
  redis: RedisConnection,
  root: string,
  { victim, field, kind }: { victim: number; field: number; kind: (typeof kinds)[number] },
): Promise<Damage> {
  const keys = (await redis.keys(`${root}*`)).sort();
  const key = keys[victim % keys.length] ?? '';
  if (kind === 'wrong type') return { key, mend: await putForeign(redis, key), isWhole: true };
  const type = await redis.type(key);
  const isTask = key.startsWith(`${root}task:`);
  if (kind === 'deleted' && (type === 'zset' || field % 10 === 0)) {
    await redis.del(key);
    return { key, mend: () => Promise.resolve(), isWhole: false };
  }
  if (type === 'zset') {
    await redis.zadd(key, field % 2 === 0 ? 0 : 'inf', 'rubbish');
    return { key, mend: () => redis.zrem(key, 'rubbish').then(() => undefined), isWhole: true };
  }
  const names = isTask ? await fieldsOfTask(redis, key) : type === 'hash' ? (await redis.hkeys(key)).sort() : [];
  const name = names[field % Math.max(1, names.length)];
  const value = kind === 'rubbish' ? 'rubbish' : null;
  if (name === undefined) {
    await redis.set(key, 'rubbish');
    return { key, mend: () => redis.del(key).then(() => undefined), isWhole: true };
  }
  if (isTask) {
    const before = await damageTask(redis, key, name, value);
    return {
      key,
      field: name,
      mend: () => damageTask(redis, key, name, before, value).then(() => undefined),
      isWhole: true,
    };
  }
  const before = (await redis.hget(key, name)) ?? '';
  if (value === null) await redis.hdel(key, name);
  else await redis.hset(key, name, value);
  return { key, field: name, mend: () => redis.hset(key, name, before).then(() => undefined), isWhole: true };
}

/** Whether this task has nothing to do with what stands under that key. */
function isSpared(name: string, taskId: TaskId): boolean {
  const [, forge = '', projectId = ''] = taskId.split(':');
  const [kind = '', ...of] = name.split(':');
  if (kind === 'task') return name !== `task:${taskId}`;
  if (kind === 'turns' || (kind === 'leases' && of.length === 1)) return of[0] !== forge;
  if (['ready', 'project', 'leases', 'path'].includes(kind) && of.length === 2)
    return of.join(':') !== `${forge}:${projectId}`;
  return false;
}
