/**
 * `sweep.hour_lost`    500 merge requests of 20 projects changed in an hour in which no webhook came through: the time
 *                      from the beginning of the next sweep until each of them waits in the queue
 * `sweep.store_lost`   the same when the queue has lost its memory, too, so that every project is asked for
 * `sweep.calls.*`      what that takes of the forge's API, looking after webhooks included, for each page of a project
 *
 * The sweep, the queue on Redis and the gateway are the real ones, GitLab is the strict fake. The peer is what nobody can
 * save: the same requests alone, one after another, with nothing done about their answers.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReviewPolicy, Secret, silentLog, systemClock } from '@drydock/core';
import { MemoryRunStore, startGateway, type RunningGateway } from '@drydock/gateway';
import { RedisSweepState, connectRedis, connectRedisTaskQueue, type RedisTaskQueue } from '@drydock/queue';
import { HttpGateway, createSweepMetrics, startSweep } from '@drydock/scheduler';
import {
  startFakeGitLab,
  startRedisServer,
  type FakeGitLab,
  type GitLabProject,
  type RedisServer,
} from '@drydock/testkit';
import { Registry } from 'prom-client';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';

const projectCount = 20;
/** All on one page of their project. */
const perProject = 25;
const changed = projectCount * perProject;
const perPage = 100;
const rounds = 5;
const everyMs = 300_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const pollMs = 5;
const longestRoundMs = 60_000;
const forge = 'gitlab';
const controlToken = new Secret('control-token-of-the-benchmark');
const never = new AbortController().signal;

interface SweepWorld {
  readonly gitlab: FakeGitLab;
  readonly gateway: RunningGateway;
  readonly redis: RedisServer;
  readonly projects: readonly GitLabProject[];
}

interface SweptRound {
  readonly queuedMs: number;
  /** What was asked of GitLab, in order. */
  readonly paths: readonly string[];
}

/** With open merge requests, and a webhook that the bot may look after. */
async function aProject(gitlab: FakeGitLab, path: string): Promise<GitLabProject> {
  const project = await gitlab.createProject({ path, files: { 'a.txt': 'a\n' } });
  gitlab.setRole(project, gitlab.bot, 'maintainer');
  await gitlab.push(project, 'b', { 'a.txt': 'b\n' }, { from: 'main' });
  const open = { project, sourceBranch: 'b', title: 'A change', author: gitlab.bot };
  const first = await gitlab.openMergeRequest(open);
  for (let iid = 2; iid <= perProject; iid += 1) {
    project.mergeRequests.push({ ...first, id: first.id + 100_000 + iid, iid });
  }
  gitlab.addWebhook({ url: 'http://127.0.0.1:9/webhooks/gitlab' }, project);
  return project;
}

async function startBenchGateway(gitlab: FakeGitLab, dataDir: string): Promise<RunningGateway> {
  return await startGateway(
    {
      listen: { host: '127.0.0.1', port: 0 },
      controlTokens: [controlToken],
      viewTokens: [],
      forges: [{ kind: 'gitlab', id: forge, baseUrl: gitlab.url, token: new Secret(gitlab.token) }],
      model: { baseUrl: 'http://127.0.0.1:1', apiKey: null },
      markerKeys: [new Secret('marker-key-of-the-benchmark')],
      policy: ReviewPolicy.parse({}),
      dataDir,
      searchPath: '/usr/local/bin:/usr/bin:/bin',
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      caPem: null,
    },
    { store: new MemoryRunStore(), clock: systemClock, log: silentLog, registry: new Registry() },
  );
}

/** Spread over the last hour. */
function changeAll(projects: readonly GitLabProject[]): void {
  const nowMs = systemClock.nowMs();
  projects.forEach((project, at) => {
    project.mergeRequests.forEach((mergeRequest, index) => {
      mergeRequest.updatedAtMs = nowMs - Math.floor((hourMs * (at * perProject + index)) / changed);
    });
  });
}

/** As if a sweep over everything had ended an hour ago. */
async function rememberSweep(queue: RedisTaskQueue, state: RedisSweepState): Promise<void> {
  const { epoch } = await queue.epoch();
  await queue.sweepDone(epoch);
  const agoMs = systemClock.nowMs() - hourMs;
  const { revision } = await state.read(forge);
  const progress = {
    v: 1,
    watermarkMs: agoMs,
    sweptAtMs: agoMs,
    fullAtMs: agoMs,
    fullEpoch: epoch,
    full: null,
  } as const;
  await state.write(forge, progress, revision);
}

async function untilQueued(queue: RedisTaskQueue): Promise<void> {
  const startMs = performance.now();
  while ((await queue.stats()).waiting < changed) {
    if (performance.now() - startMs > longestRoundMs) throw new Error('the sweep did not find everything');
    await systemClock.sleep(pollMs, never);
  }
}

/** One round of a sweep that begins at once, on a queue of its own. */
async function sweepOnce({ gitlab, gateway, redis, projects }: SweepWorld, isStoreLost: boolean): Promise<SweptRound> {
  await using stack = new AsyncDisposableStack();
  const keyPrefix = `bench-${randomUUID()}`;
  const url = new Secret(redis.url);
  const queue = await connectRedisTaskQueue({ url, log: silentLog, keyPrefix });
  stack.defer(() => queue.close());
  const state = new RedisSweepState(await connectRedis({ url }, silentLog), { keyPrefix });
  stack.defer(() => {
    state.close();
  });
  changeAll(projects);
  if (!isStoreLost) await rememberSweep(queue, state);
  const askedBefore = gitlab.requests.length;
  const roundEnded = Promise.withResolvers<string>();
  const metrics = createSweepMetrics(new Registry());

  const startMs = performance.now();
  const timeouts = { timeoutMs: 30_000, longTimeoutMs: 30_000 };
  const sweep = startSweep(
    {
      gateway: new HttpGateway({ url: gateway.url, controlToken, ...timeouts }),
      queue,
      state,
      lock: state,
      clock: systemClock,
      log: silentLog,
      metrics: { ...metrics, swept: roundEnded.resolve },
      isProjectAllowed: () => true,
      random: () => 0,
    },
    { forges: [forge], owner: 'bench', everyMs, reachMs: 7 * dayMs },
  );
  stack.defer(() => sweep.stop());
  await untilQueued(queue);
  const queuedMs = performance.now() - startMs;
  const outcome = await roundEnded.promise;
  if (outcome !== 'swept') throw new Error(`a sweep ended as ${outcome}`);
  return { queuedMs, paths: gitlab.requests.slice(askedBefore).map(({ path }) => path) };
}

/** The same requests, until the last page of merge requests is there. */
async function askAlone({ gitlab }: SweepWorld, paths: readonly string[]): Promise<number> {
  const lists = paths.filter((path) => !path.includes('/hooks'));
  const startMs = performance.now();
  for (const path of lists) {
    const response = await fetch(new URL(path, gitlab.url), { headers: { 'private-token': gitlab.token } });
    if (!response.ok) throw new Error(`GitLab answered ${String(response.status)}`);
    await response.arrayBuffer();
  }
  return performance.now() - startMs;
}

async function benchSweep(world: SweepWorld, name: string, { inPairs, median }: BenchmarkContext): Promise<Result[]> {
  const isStoreLost = name === 'store_lost';
  let paths: readonly string[] = [];
  const seen = await inPairs({
    name: `sweep.${name}`,
    rounds,
    ours: async () => {
      const round = await sweepOnce(world, isStoreLost);
      paths = round.paths;
      return round;
    },
    peer: () => askAlone(world, paths),
  });
  const took = seen.ours.map(({ queuedMs }) => queuedMs);
  const [value, peerValue] = [median(took), median(seen.peer)];
  const peer = 'the same requests alone';
  // The worst round counts: the goal is a bound.
  const calls = Math.max(...seen.ours.map((round) => round.paths.length)) / projectCount;
  const fewest = (1 + (isStoreLost ? projectCount : changed / perPage)) / projectCount;
  return [
    { name: `sweep.${name}`, value, unit: 'ms', peer, peerValue, ratio: value / peerValue },
    {
      name: `sweep.calls.${name}`,
      value: calls,
      unit: 'calls/page',
      peer: 'each list asked for once',
      peerValue: fewest,
      ratio: calls / fewest,
    },
  ];
}

async function run(context: BenchmarkContext): Promise<Result[]> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'drydock-bench-sweep-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const gitlab = stack.use(await startFakeGitLab({ requestsPerMinute: null }));
  const gateway = await startBenchGateway(gitlab, join(folder, 'mirrors'));
  stack.defer(() => gateway.close());
  const redis = stack.use(await startRedisServer());
  const projects: GitLabProject[] = [];
  for (let at = 1; at <= projectCount; at += 1) projects.push(await aProject(gitlab, `shop/p${String(at)}`));
  const world = { gitlab, gateway, redis, projects };
  return [...(await benchSweep(world, 'hour_lost', context)), ...(await benchSweep(world, 'store_lost', context))];
}

/** What `make bench` runs of this file. */
export const benchmarks: readonly Benchmark[] = [{ name: 'sweep', run }];
