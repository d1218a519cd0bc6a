/**
 * `kube.*`: the scheduler in front of a real API server with its Job controller, and no node: nothing runs, so nothing
 * but Drydock, Redis and the control plane is measured. The scheduler is a process of its own, as it is installed.
 *
 * `kube.event_to_job`      an event in the queue to its Job seen by a watch, at 10 tasks a second, each to its end
 * `kube.cpu`               the scheduler's processor time for one of these tasks, from event to deleted Job
 * `kube.jobs_per_second`   Jobs made of many events that came at once
 * `kube.memory`            what 1,000 tasks at work add to the scheduler's memory
 *
 * Peers are the same client alone, on the same API server: it creates the same Jobs, one call each.
 */
import { systemClock, taskIdOf, type TaskId } from '@drydock/core';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';
import { bareNodeMb, KubeWorld, wholeJobs, type KubeRound } from './kube-world.ts';

const perSecond = 10;
const tasksAtRate = 300;
/** The forge and the network behind each answer of a gateway. */
const gatewayLatencyMs = 20;
const agentMs = 2_000;
const burstRounds = 3;
const burst = 400;
const warmUps = 20;
const atOnce = 16;
const runningTasks = 1_000;
const never = new AbortController().signal;

function taskIdAt(serial: number): TaskId {
  const projects = 100;
  const subject = {
    forge: 'gitlab',
    projectId: String((serial % projects) + 1),
    iid: Math.floor(serial / projects) + 1,
  };
  return taskIdOf('review', subject);
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((one, other) => one - other)[Math.ceil(values.length * part) - 1] ?? NaN;
}

/** Begins one piece of work after another, so many a second, however long each takes. */
async function atRate(count: number, work: (index: number) => Promise<void>): Promise<void> {
  const startMs = performance.now();
  const begun: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    await systemClock.sleep(Math.max(0, startMs + (index * 1000) / perSecond - performance.now()), never);
    begun.push(work(index));
  }
  await Promise.all(begun);
}

/** What the scheduler made of the first task, to be made by the peer under other names. */
async function jobTemplate(round: KubeRound): Promise<(name: string) => Promise<void>> {
  const { namespace, client } = round;
  const { items } = await client.list(wholeJobs, { namespace, pageSize: 1 }, { signal: never });
  const [made] = items;
  if (made === undefined) throw new Error('there is no Job to take for a template');
  const { labels, annotations } = made.metadata;
  const asked = Object.fromEntries(
    Object.entries(labels).filter(([key]) => !key.startsWith('batch.') && !/controller-uid|job-name/.test(key)),
  );
  const spec = withoutDefaults(made.spec, asked);
  return async (name) => {
    const metadata = {
      namespace,
      name,
      labels: { ...asked, 'drydock.dev/instance': 'peer' },
      annotations: { ...annotations, 'drydock.dev/task-id': name },
    };
    await client.create(wholeJobs, { apiVersion: 'batch/v1', kind: 'Job', metadata, spec }, { signal: never });
  };
}

/** A selector and the labels that go with it are the API server's own. */
function withoutDefaults(spec: unknown, labels: object): unknown {
  if (typeof spec !== 'object' || spec === null || !('template' in spec)) throw new Error('a Job has no template');
  const { template } = spec;
  if (typeof template !== 'object' || template === null || !('spec' in template)) throw new Error('a pod has no spec');
  return { ...spec, selector: undefined, template: { metadata: { labels }, spec: template.spec } };
}

async function benchRate(world: KubeWorld, { progress }: BenchmarkContext): Promise<readonly Result[]> {
  await using round = await world.openRound(gatewayLatencyMs);
  await using scheduler = await round.startScheduler();
  round.runAgents(agentMs);
  progress('kube.event_to_job: warming up');
  await atRate(warmUps, (index) => round.enqueue(index));
  await round.jobsSeen(warmUps);
  const create = await jobTemplate(round);
  const tasks = Array.from({ length: tasksAtRate }, (_, index) => warmUps + index);
  await idle(round);

  progress(`kube.event_to_job: ${String(tasksAtRate)} tasks, ${String(perSecond)} a second`);
  const cpuBeforeMs = await scheduler.cpuMs();
  const begunMs = new Map<TaskId, number>();
  await atRate(tasks.length, async (index) => {
    begunMs.set(taskIdAt(warmUps + index), performance.now());
    await round.enqueue(warmUps + index);
  });
  await round.jobsSeen(warmUps + tasks.length);
  const ours = [...begunMs].map(([taskId, atMs]) => (round.seenMs(taskId) ?? NaN) - atMs);
  await idle(round);
  const cpuMs = ((await scheduler.cpuMs()) - cpuBeforeMs) / tasks.length;

  progress('kube.event_to_job: the client alone');
  const names = Array.from({ length: tasksAtRate / 3 }, (_, index) => `peer-${String(index)}`);
  const peerMs = new Map<string, number>();
  const peerCpu = process.cpuUsage();
  await atRate(names.length, async (index) => {
    const name = names[index] ?? '';
    peerMs.set(name, performance.now());
    await create(name);
  });
  const { user, system } = process.cpuUsage(peerCpu);
  await round.jobsSeen(warmUps + tasks.length + names.length);
  const peer = names.map((name) => (round.seenMs(name) ?? NaN) - (peerMs.get(name) ?? NaN));
  const [p50, p99] = [percentile(ours, 0.5), percentile(ours, 0.99)];
  const peerP50 = percentile(peer, 0.5);
  const peerCpuMs = (user + system) / 1000 / names.length;
  return [
    {
      name: 'kube.event_to_job',
      value: p50,
      unit: 'ms',
      peer: 'a bare create, seen by a watch',
      peerValue: peerP50,
      ratio: p50 / peerP50,
      p50,
      p99,
    },
    {
      name: 'kube.cpu',
      value: cpuMs,
      unit: 'ms/task',
      peer: 'a bare create, its watch with it',
      peerValue: peerCpuMs,
      ratio: cpuMs / peerCpuMs,
    },
  ];
}

/** Every task has ended, and its Job is gone. */
async function idle(round: KubeRound): Promise<void> {
  for (;;) {
    const { waiting, running } = await round.queue.stats();
    const { items } = await round.client.list(wholeJobs, { namespace: round.namespace }, { signal: never });
    const isOurs = ({ metadata }: (typeof items)[number]) => metadata.name.startsWith('dd-');
    if (waiting === 0 && running === 0 && !items.some(isOurs)) return;
    await systemClock.sleep(500, never);
  }
}

/** Jobs made a second of events that are all there at once: from the first event to the last Job seen. */
async function burstOfOurs(world: KubeWorld): Promise<number> {
  await using round = await world.openRound(0);
  await using _scheduler = await round.startScheduler();
  for (let serial = 0; serial < warmUps; serial += 1) await round.enqueue(serial);
  await round.jobsSeen(warmUps);
  const startMs = performance.now();
  await Promise.all(Array.from({ length: burst }, (_, index) => round.enqueue(warmUps + index)));
  await round.jobsSeen(warmUps + burst);
  return (burst * 1000) / (performance.now() - startMs);
}

async function burstOfPeer(world: KubeWorld): Promise<number> {
  await using round = await world.openRound(0);
  const create = await (async () => {
    await using _scheduler = await round.startScheduler();
    for (let serial = 0; serial < warmUps; serial += 1) await round.enqueue(serial);
    await round.jobsSeen(warmUps);
    return await jobTemplate(round);
  })();
  const startMs = performance.now();
  let next = 0;
  const one = async () => {
    for (let index = next++; index < burst; index = next++) await create(`peer-${String(index)}`);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  await round.jobsSeen(warmUps + burst);
  return (burst * 1000) / (performance.now() - startMs);
}

async function benchBurst(world: KubeWorld, { inPairs, median }: BenchmarkContext): Promise<readonly Result[]> {
  const seen = await inPairs({
    name: 'kube.jobs_per_second',
    rounds: burstRounds,
    ours: () => burstOfOurs(world),
    peer: () => burstOfPeer(world),
  });
  const [value, peerValue] = [median(seen.ours), median(seen.peer)];
  return [
    {
      name: 'kube.jobs_per_second',
      value,
      unit: '/s',
      peer: `a bare loop, ${String(atOnce)} creates at once`,
      peerValue,
      ratio: value / peerValue,
    },
  ];
}

/** Once tasks are at work and nothing more happens; garbage that was not collected by then counts. */
async function settledMb(scheduler: { memoryMb(): Promise<number> }): Promise<number> {
  const samples: number[] = [];
  for (let index = 0; index < 10; index += 1) {
    await systemClock.sleep(2_000, never);
    samples.push(await scheduler.memoryMb());
  }
  return percentile(samples, 0.5);
}

async function benchMemory(world: KubeWorld, { progress }: BenchmarkContext): Promise<readonly Result[]> {
  await using round = await world.openRound(0);
  round.isLast = true;
  await using scheduler = await round.startScheduler();
  for (let serial = 0; serial < warmUps; serial += 1) await round.enqueue(serial);
  await round.jobsSeen(warmUps);
  progress('kube.memory: before');
  const beforeMb = await settledMb(scheduler);
  progress(`kube.memory: ${String(runningTasks)} tasks`);
  for (let index = 0; index < runningTasks; index += 1) await round.enqueue(warmUps + index);
  await round.jobsSeen(warmUps + runningTasks);
  const afterMb = await settledMb(scheduler);
  const nodeMb = await bareNodeMb();
  return [
    {
      name: 'kube.memory',
      value: afterMb - beforeMb,
      unit: 'MB/1,000 tasks',
      peer: 'Node with nothing to do',
      peerValue: nodeMb,
      ratio: (afterMb - beforeMb) / nodeMb,
      peakMb: afterMb,
    },
  ];
}

type InWorld = (world: KubeWorld, context: BenchmarkContext) => Promise<readonly Result[]>;

/** Each with a control plane of its own, so that one can be measured alone. */
function inWorld(bench: InWorld): Benchmark['run'] {
  return async (context) => {
    context.progress('kube: starting a control plane');
    await using world = await KubeWorld.open();
    return await bench(world, context);
  };
}

export const benchmarks: readonly Benchmark[] = [
  { name: 'kube.event_to_job', run: inWorld(benchRate) },
  { name: 'kube.jobs_per_second', run: inWorld(benchBurst) },
  { name: 'kube.memory', run: inWorld(benchMemory) },
];
