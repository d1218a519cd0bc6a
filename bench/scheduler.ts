/**
 * `scheduler.launch`     an event in the queue to the call that makes its Job, at 10 a second and nothing else to do; with
 *                        a gateway that answers at once. Its peer is the queue's part of that, asked for by one client.
 * `scheduler.takeover`   a scheduler is killed to another one having gone on with its agents; each of several tasks
 *                        counts. Its peer is the lease: nobody may take the tasks over before it has run out.
 *
 * Schedulers are processes of their own (`scheduler-process.ts`), with the times that they have by default.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Secret, silentLog, systemClock, taskIdOf, type RunId, type TaskId, type TaskRequest } from '@drydock/core';
import { connectRedisTaskQueue, type RedisTaskQueue } from '@drydock/queue';
import { startRedisServer } from '@drydock/testkit';
import { z } from 'zod';
import { startBenchGateway, type BenchGateway } from './kube-gateway.ts';
import { latenciesOf } from './quantile.ts';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';

const leaseTtlMs = 15_000;
const pollMs = 1000;
const perSecond = 10;
const warmUps = 20;
const events = 200;
const takeoverRounds = 4;
const tasksARound = 8;
const limits = { total: 10_000, perForge: null, perProject: null };
const atOnce = { debounceMs: 0, maxDebounceMs: 0 };
const never = new AbortController().signal;
const headSha = 'a'.repeat(40);

const Line = z.discriminatedUnion('what', [
  z.object({ what: z.literal('started'), atMs: z.number() }),
  z.object({ what: z.literal('launched'), atMs: z.number(), runId: z.string(), taskId: z.string() }),
  z.object({ what: z.literal('adopted'), atMs: z.number(), runId: z.string() }),
]);
type Line = z.infer<typeof Line>;

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function anEvent(serial: number): TaskRequest {
  const subject = { forge: 'gitlab', projectId: String((serial % 10) + 1), iid: serial + 1 };
  const facts = { trigger: 'opened', headSha, occurredAtMs: null, command: null } as const;
  return { v: 1, kind: 'review', subject, projectPath: `group/project-${subject.projectId}`, ...facts };
}

function enqueue(queue: RedisTaskQueue, serial: number) {
  return queue.enqueue(anEvent(serial), { deliveryKeys: [`delivery-${String(serial)}`], ...atOnce });
}

/** A scheduler's process, and what it told so far. */
class SchedulerProcess implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(redisUrl: string, { url: gatewayUrl, controlToken }: BenchGateway) {
    const program = new URL('scheduler-process.ts', import.meta.url).pathname;
    const settings = JSON.stringify({ redisUrl, gatewayUrl, controlToken, leaseTtlMs, pollMs });
    const child = spawn(process.execPath, [program, settings], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    this.#ended = once(child, 'close');
    createInterface({ input: child.stdout }).on('line', (text) => this.lines.push(Line.parse(JSON.parse(text))));
  }

  async until<What extends Line['what']>(what: What, count: number): Promise<Extract<Line, { what: What }>[]> {
    const isIt = (line: Line): line is Extract<Line, { what: What }> => line.what === what;
    for (;;) {
      const found = this.lines.filter(isIt);
      if (found.length >= count) return found;
      if (this.#child.exitCode !== null) throw new Error('a scheduler ended by itself');
      await systemClock.sleep(20, never);
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** What the scheduler asks of the queue until then, by one client and with nothing between. */
async function queueAlone(queue: RedisTaskQueue, serial: number): Promise<number> {
  const startMs = performance.now();
  await enqueue(queue, serial);
  const task = await queue.lease({ owner: 'peer', ttlMs: leaseTtlMs, limits });
  if (task === null) throw new Error('nothing waits');
  await queue.beginLaunch(task, headSha);
  const tookMs = performance.now() - startMs;
  await queue.complete(task, { kind: 'done' });
  return tookMs;
}

async function benchLaunch({ progress }: BenchmarkContext): Promise<Result[]> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedisServer());
  const gateway = stack.use(await startBenchGateway(0));
  const queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog });
  stack.defer(() => queue.close());
  progress(`scheduler.launch: ${String(events)} events, ${String(perSecond)} a second`);
  const tookMs: number[] = [];
  {
    await using scheduler = new SchedulerProcess(redis.url, gateway);
    await scheduler.until('started', 1);
    const acceptedMs = new Map<TaskId, number>();
    const startMs = performance.now();
    for (let serial = 0; serial < warmUps + events; serial += 1) {
      await systemClock.sleep(Math.max(0, startMs + (serial * 1000) / perSecond - performance.now()), never);
      acceptedMs.set(taskIdOf('review', anEvent(serial).subject), nowMs());
      await enqueue(queue, serial);
    }
    for (const { taskId, atMs } of (await scheduler.until('launched', warmUps + events)).slice(warmUps)) {
      tookMs.push(atMs - (acceptedMs.get(taskId) ?? NaN));
    }
  }
  progress('scheduler.launch: the queue alone');
  const alone: number[] = [];
  const other = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog, keyPrefix: 'peer' });
  stack.defer(() => other.close());
  for (let serial = 0; serial < warmUps + events; serial += 1) alone.push(await queueAlone(other, serial));
  const { p50, p99, p999 } = latenciesOf(tookMs);
  const peerValue = latenciesOf(alone.slice(warmUps)).p50;
  const peer = 'the queue alone: event, lease, record';
  return [
    { name: 'scheduler.launch', value: p50, unit: 'ms', peer, peerValue, ratio: p50 / peerValue, p50, p99, p999 },
  ];
}

/** How long each task was in nobody's hands; the killing falls `afterMs` into the life of the leases. */
async function takeOver(redisUrl: string, gateway: BenchGateway, afterMs: number): Promise<number[]> {
  await using stack = new AsyncDisposableStack();
  const queue = await connectRedisTaskQueue({ url: new Secret(redisUrl), log: silentLog });
  stack.defer(() => queue.close());
  const victim = stack.use(new SchedulerProcess(redisUrl, gateway));
  await victim.until('started', 1);
  for (let serial = 0; serial < tasksARound; serial += 1) await enqueue(queue, serial);
  const launched = new Set<RunId>((await victim.until('launched', tasksARound)).map(({ runId }) => runId));
  const heir = stack.use(new SchedulerProcess(redisUrl, gateway));
  await heir.until('started', 1);
  await systemClock.sleep(leaseTtlMs + afterMs, never);
  const killedMs = nowMs();
  await victim.kill();
  const adopted = await heir.until('adopted', tasksARound);
  const isDoubled = [victim, heir].some(
    ({ lines }) => lines.filter(({ what }) => what === 'launched').length > tasksARound,
  );
  const isOther = adopted.length > tasksARound || adopted.some(({ runId }) => !launched.has(runId));
  if (isDoubled || isOther || heir.lines.some(({ what }) => what === 'launched')) throw new Error('an agent ran twice');
  return adopted.map(({ atMs }) => atMs - killedMs);
}

async function benchTakeover({ progress }: BenchmarkContext): Promise<Result[]> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedisServer());
  const gateway = stack.use(await startBenchGateway(0));
  const tookMs: number[] = [];
  for (let round = 0; round < takeoverRounds; round += 1) {
    progress(`scheduler.takeover: round ${String(round + 1)} of ${String(takeoverRounds)}`);
    // A lease is extended three times in its life: the kills fall between two of these at different moments.
    const afterMs = (round * leaseTtlMs) / 3 / takeoverRounds;
    tookMs.push(...(await takeOver(`${redis.url}/${String(round + 1)}`, gateway, afterMs)));
  }
  const { p50, p99, max } = latenciesOf(tookMs);
  const beside = { peer: 'the lease', peerValue: leaseTtlMs, ratio: max / leaseTtlMs };
  return [{ name: 'scheduler.takeover', value: max, unit: 'ms', ...beside, p50, p99 }];
}

/** What `make bench` runs of this file. */
export const benchmarks: readonly Benchmark[] = [
  { name: 'scheduler.launch', run: benchLaunch },
  { name: 'scheduler.takeover', run: benchTakeover },
];
