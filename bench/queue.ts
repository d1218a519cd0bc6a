/**
 * `queue.enqueue.*` and `queue.process.*`: the queue with 1,000, 100,000 and 1,000,000 tasks waiting over 1,000 projects,
 * beside BullMQ with as many jobs in the same Redis, the two taking turns. `queue.process` is a lease and its
 * completion, a job taken and moved to completed; `queue.lease` is how long one lease takes meanwhile.
 * `queue.cpu.*` is what an event, and a task leased and completed, takes of processors, at the client and Redis together:
 * on a busy machine steadier than either rate.
 * `queue.memory` is what a waiting task adds to Redis, its history and places included, beside a BullMQ job.
 */
import { priorityOf, Secret, silentLog, type TaskRequest } from '@drydock/core';
import { connectRedisTaskQueue, type RedisTaskQueue } from '@drydock/queue';
import { startRedisServer } from '@drydock/testkit';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';

const levels = [
  { name: '1k', waiting: 1000 },
  { name: '100k', waiting: 100_000 },
  { name: '1m', waiting: 1_000_000 },
] as const;
const projects = 1000;
const rounds = 5;
const batch = 4000;
const inFlight = 64;
const workers = 16;
const leaseTtlMs = 60_000;
const limits = { total: 10_000, perForge: null, perProject: null };

/** Something with a number, once each, never repeated. */
interface Side {
  /** Puts so many in. */
  readonly fill: (count: number) => Promise<void>;
  /** Takes so many out, one at a time by each worker; answers with how long each taking took, in milliseconds. */
  readonly process: (count: number) => Promise<number[]>;
}

/** Runs `work` for 0 to `count`, so many at once. */
async function spread(count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async () => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, one));
}

function eventOf(serial: number): TaskRequest {
  const project = serial % projects;
  return {
    v: 1,
    kind: 'review',
    subject: { forge: 'gitlab', projectId: String(project + 1), iid: Math.floor(serial / projects) + 1 },
    projectPath: `group-${String(project % 50)}/project-${String(project)}`,
    trigger: 'opened',
    headSha: serial.toString(16).padStart(40, '0'),
    occurredAtMs: 1_780_000_000_000 + serial,
    command: null,
  };
}

function drydockSide(queue: RedisTaskQueue): Side {
  let serial = 0;
  return {
    async fill(count) {
      const first = serial;
      serial += count;
      await spread(count, inFlight, async (index) => {
        const request = eventOf(first + index);
        const deliveryKeys = [`delivery-${String(first + index)}`];
        const { kind } = await queue.enqueue(request, { deliveryKeys, debounceMs: 0, maxDebounceMs: 0 });
        if (kind !== 'queued') throw new Error(`a new event was ${kind}`);
      });
    },
    async process(count) {
      const tookMs: number[] = [];
      await spread(count, workers, async () => {
        const startMs = performance.now();
        const task = await queue.lease({ owner: 'bench', ttlMs: leaseTtlMs, limits });
        tookMs.push(performance.now() - startMs);
        if (task === null) throw new Error('nothing waits');
        const ended = await queue.complete(task, { kind: 'done' });
        if (ended.kind === 'lost') throw new Error('a lease was lost');
      });
      return tookMs;
    },
  };
}

function bullSide(queue: Queue, worker: Worker): Side {
  let serial = 0;
  return {
    async fill(count) {
      const first = serial;
      serial += count;
      await spread(count, inFlight, async (index) => {
        const request = eventOf(first + index);
        // Priorities as ours has them; the smallest number is first there.
        const priority = 100 - priorityOf(request.trigger);
        await queue.add('review', request, { jobId: `delivery-${String(first + index)}`, priority });
      });
    },
    async process(count) {
      const tookMs: number[] = [];
      await spread(count, workers, async () => {
        const startMs = performance.now();
        const job = await worker.getNextJob('bench', { block: false });
        tookMs.push(performance.now() - startMs);
        await job.moveToCompleted('done', 'bench', false);
      });
      return tookMs;
    },
  };
}

async function usedBytes(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

/** Processor time of this process and Redis since they began, in microseconds. */
async function usedCpuUs(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const ofRedis = ['used_cpu_sys', 'used_cpu_user'].map((name) => Number(new RegExp(`${name}:(.+)`).exec(info)?.[1]));
  const { user, system } = process.cpuUsage();
  return ofRedis.reduce((sum, seconds) => sum + seconds * 1e6, user + system);
}

/** How many a second, and what each took of processors. */
async function paceOf(redis: Redis, count: number, work: () => Promise<unknown>) {
  const [startMs, startUs] = [performance.now(), await usedCpuUs(redis)];
  await work();
  return {
    perSecond: (count * 1000) / (performance.now() - startMs),
    cpuUs: ((await usedCpuUs(redis)) - startUs) / count,
  };
}

/** Redis writes its file anew whenever it has doubled: that is for all that was filled in, not for one round of one side. */
async function untilFileWritten(redis: Redis): Promise<void> {
  while (/aof_rewrite_in_progress:1/.test(await redis.info('persistence'))) await sleep(500);
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

async function measure({ progress, median, inPairs }: BenchmarkContext): Promise<Result[]> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startRedisServer());
  const admin = new Redis(server.url);
  stack.defer(() => admin.disconnect());
  const queue = await connectRedisTaskQueue({ url: new Secret(server.url), log: silentLog });
  stack.defer(() => queue.close());
  const { hostname: host, port } = new URL(server.url);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const bull = new Queue('bench', { connection });
  stack.defer(() => bull.close());
  const worker = new Worker('bench', null, { connection, autorun: false, lockDuration: leaseTtlMs });
  stack.defer(() => worker.close(true));
  await Promise.all([bull.waitUntilReady(), worker.waitUntilReady()]);
  const ours = drydockSide(queue);
  const peer = bullSide(bull, worker);

  const results: Result[] = [];
  let waiting = 0;
  for (const level of levels) {
    const more = level.waiting - waiting;
    const before = await usedBytes(admin);
    progress(`queue: filling to ${level.name}, drydock`);
    await ours.fill(more);
    const between = await usedBytes(admin);
    progress(`queue: filling to ${level.name}, BullMQ`);
    await peer.fill(more);
    const after = await usedBytes(admin);
    waiting = level.waiting;
    if (level.name === '100k') {
      const [value, peerValue] = [(between - before) / more, (after - between) / more];
      results.push({ name: 'queue.memory', value, unit: 'B', peer: 'BullMQ job', peerValue, ratio: value / peerValue });
    }
    const turn = (side: Side) => async () => {
      const enqueue = await paceOf(admin, batch, () => side.fill(batch));
      const tookMs: number[] = [];
      const processed = await paceOf(admin, batch, async () => tookMs.push(...(await side.process(batch))));
      return { enqueue, process: processed, tookMs };
    };
    await untilFileWritten(admin);
    const seen = await inPairs({ name: `queue at ${level.name}`, rounds, ours: turn(ours), peer: turn(peer) });
    for (const what of ['enqueue', 'process'] as const) {
      const [paces, peerPaces] = [seen.ours.map((round) => round[what]), seen.peer.map((round) => round[what])];
      const value = median(paces.map(({ perSecond }) => perSecond));
      const peerValue = median(peerPaces.map(({ perSecond }) => perSecond));
      const name = `queue.${what}.${level.name}`;
      results.push({ name, value, unit: '/s', peer: 'BullMQ', peerValue, ratio: value / peerValue });
      const [us, peerUs] = [median(paces.map(({ cpuUs }) => cpuUs)), median(peerPaces.map(({ cpuUs }) => cpuUs))];
      const cpuName = `queue.cpu.${what}.${level.name}`;
      results.push({ name: cpuName, value: us, unit: 'µs', peer: 'BullMQ', peerValue: peerUs, ratio: us / peerUs });
    }
    const [mine, theirs] = [seen.ours, seen.peer].map((all) => all.flatMap(({ tookMs }) => tookMs));
    const p50 = quantile(mine ?? [], 0.5);
    const peerValue = quantile(theirs ?? [], 0.5);
    const p99 = quantile(mine ?? [], 0.99);
    const name = `queue.lease.${level.name}`;
    results.push({ name, value: p50, unit: 'ms', peer: 'BullMQ', peerValue, ratio: p50 / peerValue, p50, p99 });
  }
  return results;
}

/** What `make bench` runs of this file. */
export const benchmarks: readonly Benchmark[] = [{ name: 'queue', run: measure }];
