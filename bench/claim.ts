/**
 * `claim.alone`   how long one scheduler waits for a task when it asks alone, with 100,000 waiting over 1,000 projects
 * `claim.by16`    how long each of 16 waits that ask at the same moment: one run of a script serves them all
 *
 * The peer is what nobody can save: an answer of the same Redis to a command that does nothing (PING), asked for over a
 * connection of the same process right after, and by as many at once. What a busy machine takes from both is seen by it.
 */
import { Secret, silentLog, type TaskRequest } from '@drydock/core';
import { connectRedis, connectRedisTaskQueue, type LeasedTask, type RedisTaskQueue } from '@drydock/queue';
import { startRedisServer } from '@drydock/testkit';
import { latenciesOf } from './quantile.ts';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';

const waiting = 100_000;
const projects = 1000;
const inFlight = 64;
const warmUps = 200;
const turns = 2000;
const manyAtOnce = 16;
const leaseTtlMs = 60_000;
const limits = { total: 10_000, perForge: null, perProject: null };

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

async function fill(queue: RedisTaskQueue): Promise<void> {
  let next = 0;
  const one = async () => {
    for (let serial = next++; serial < waiting; serial = next++) {
      const deliveryKeys = [`delivery-${String(serial)}`];
      await queue.enqueue(eventOf(serial), { deliveryKeys, debounceMs: 0, maxDebounceMs: 0 });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
}

/** Asks so often at once; how long each waited, in milliseconds. */
async function timed<Answer>(count: number, ask: () => Promise<Answer>) {
  const one = async () => {
    const startMs = performance.now();
    const answer = await ask();
    return { answer, tookMs: performance.now() - startMs };
  };
  const all = await Promise.all(Array.from({ length: count }, one));
  return { answers: all.map(({ answer }) => answer), tookMs: all.map(({ tookMs }) => tookMs) };
}

async function run({ progress }: BenchmarkContext): Promise<Result[]> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedisServer());
  const url = new Secret(redis.url);
  const queue = await connectRedisTaskQueue({ url, log: silentLog });
  stack.defer(() => queue.close());
  const bare = await connectRedis({ url }, silentLog);
  stack.defer(() => {
    bare.disconnect();
  });
  progress(`claim: filling to ${String(waiting)}`);
  await fill(queue);

  /** Ended outside the clock, and each replaced by nothing: a few thousand of 100,000 are taken. */
  const end = (tasks: readonly (LeasedTask | null)[]) =>
    Promise.all(
      tasks.map(async (task) => {
        if (task === null) throw new Error('nothing waits');
        await queue.complete(task, { kind: 'done' });
      }),
    );
  const measure = async (name: string, atOnce: number): Promise<Result> => {
    progress(`${name}: ${String(turns)} leases`);
    const [ours, peers]: [number[], number[]] = [[], []];
    for (let turn = -warmUps / atOnce; turn < turns / atOnce; turn += 1) {
      const leased = await timed(atOnce, () => queue.lease({ owner: 'bench', ttlMs: leaseTtlMs, limits }));
      await end(leased.answers);
      const pinged = await timed(atOnce, () => bare.ping());
      if (turn < 0) continue;
      ours.push(...leased.tookMs);
      peers.push(...pinged.tookMs);
    }
    const { p50, p99, p999 } = latenciesOf(ours);
    const peerValue = latenciesOf(peers).p99;
    return { name, value: p99, unit: 'ms', peer: 'PING', peerValue, ratio: p99 / peerValue, p50, p99, p999 };
  };
  return [await measure('claim.alone', 1), await measure('claim.by16', manyAtOnce)];
}

/** What `make bench` runs of this file. */
export const benchmarks: readonly Benchmark[] = [{ name: 'claim', run }];
