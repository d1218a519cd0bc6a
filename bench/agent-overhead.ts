/**
 * `agent.overhead`: the time of a review of ten files outside the model, from the launch of the agent by the local
 * launcher to its exit with its result stored. Gateway, GitLab and a model that answers at once are in this process;
 * what the model took, as seen at its door, is taken off. The agent's program is compiled before, as the standalone
 * process does it once at its start.
 * Peer: what cannot be saved. Node started with nothing to do, and git alone fetching the same commits and the blobs
 * that the change needs from the same GitLab.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { agentMainPath } from '@drydock/agent';
import { ReviewPolicy, Secret, silentLog, systemClock, taskIdOf, type RunId } from '@drydock/core';
import { MemoryRunStore, startGateway } from '@drydock/gateway';
import { HttpGateway, LocalLauncher, compileAgent } from '@drydock/scheduler';
import { startFakeGitLab, startInstantClaude } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { prepareChange, type PreparedChange } from './agent-overhead-change.ts';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';
import { ServingTime } from './serving-time.ts';

const rounds = 9;
const warmUps = 2;
const historyDepth = 100;
const searchPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
const never = new AbortController().signal;
const run = promisify(execFile);

/** The agent tells its peak as its last words. In rounds that are timed it has nothing but its program. */
const tellPeak = `data:text/javascript,process.on('exit',()=>process.stderr.write('peakKb='+process.resourceUsage().maxRSS))`;

interface Bench extends AsyncDisposable {
  /** One review; answers with the milliseconds outside the model, and what the agent said last. */
  review(nodeArgs: readonly string[]): Promise<{ readonly overheadMs: number; readonly lastWords: string }>;
  /** The peer, in milliseconds. */
  fetchAlone(): Promise<number>;
}

async function prepare(): Promise<Bench> {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'drydock-bench-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const gitlab = stack.use(await startFakeGitLab());
  const change = await prepareChange(gitlab);
  const claude = stack.use(await startInstantClaude({ apiKey: 'sk-ant-of-the-benchmark', script: change.model }));
  const controlToken = new Secret('control-token-of-the-benchmark');
  const policy = ReviewPolicy.parse({});
  const gateway = await startGateway(
    {
      listen: { host: '127.0.0.1', port: 0 },
      controlTokens: [controlToken],
      forges: [{ kind: 'gitlab', id: 'gitlab', baseUrl: gitlab.url, token: new Secret(gitlab.token) }],
      model: { baseUrl: claude.url, apiKey: new Secret(claude.apiKey) },
      markerKeys: [new Secret('marker-key-of-the-benchmark')],
      policy,
      dataDir: join(dataDir, 'mirrors'),
      searchPath,
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      caPem: null,
    },
    { store: new MemoryRunStore(), clock: systemClock, log: silentLog, registry: new Registry() },
  );
  stack.defer(() => gateway.close());
  const client = new HttpGateway({ url: gateway.url, controlToken, timeoutMs: 60_000, longTimeoutMs: 60_000 });
  const subject = { forge: 'gitlab', projectId: String(change.project.id), iid: change.iid };
  const taskId = taskIdOf('review', subject);
  const modelPort = Number(new URL(claude.url).port);
  const compiled = stack.use(
    compileAgent({ command: [process.execPath, agentMainPath], parentDir: dataDir }, silentLog),
  );
  await compiled.ended;
  if (compiled.dir === null) throw new Error('the agent could not be compiled');
  const kept = stack.move();
  let launch = 0;

  return {
    async review(nodeArgs) {
      launch += 1;
      const launcher = new LocalLauncher(
        {
          command: [process.execPath, ...nodeArgs, agentMainPath],
          compiled,
          gatewayUrl: gateway.url,
          workRoot: join(dataDir, 'runs'),
          path: searchPath,
          graceMs: 5000,
        },
        systemClock,
      );
      const diffRefs = change.refs;
      const grant = await client.startRun({ v: 1, taskId, launch, subject, diffRefs, trigger: 'opened' }, never);
      if (grant.kind !== 'granted') throw new Error(`the run was not granted: ${JSON.stringify(grant)}`);
      const { runId, deadlineSeconds } = grant;
      using model = new ServingTime(modelPort);
      const startMs = performance.now();
      const exit = await launcher.run({ runId, token: new Secret(grant.token), deadlineSeconds }, never);
      const elapsedMs = performance.now() - startMs;
      const lastWords = exit.kind === 'exited' ? exit.lastWords : exit.kind;
      await requireReview(client, runId, lastWords);
      return { overheadMs: elapsedMs - model.totalMs, lastWords };
    },
    fetchAlone: () => fetchAlone(change, `${gitlab.url}/${change.project.pathWithNamespace}.git`),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** An agent that fails is quick, too. */
async function requireReview(client: HttpGateway, runId: RunId, lastWords: string): Promise<void> {
  const result = (await client.readRun(runId, never))?.result;
  if (result?.kind === 'review' && result.findings.length === 3 && result.turns === 5) return;
  throw new Error(`the agent handed in another review: ${JSON.stringify(result)}\n${lastWords}`);
}

async function fetchAlone({ refs, project }: PreparedChange, url: string): Promise<number> {
  const blobs = await changedBlobs(project.repository.dir, refs);
  const folder = await mkdtemp(join(tmpdir(), 'drydock-bench-'));
  const git = (...args: readonly string[]) => run('git', ['-C', folder, ...args]);
  const remote = ['-c', 'remote.bare.promisor=true', '-c', 'remote.bare.partialclonefilter=blob:none'];
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--refmap='];
  const named = ['-c', `remote.bare.url=${url}`, ...remote];
  try {
    const startMs = performance.now();
    await run(process.execPath, ['-e', '']);
    await git('init', '--quiet', '--bare', '--template=');
    await git(...named, ...fetch, `--depth=${historyDepth}`, 'bare', ...new Set(Object.values(refs)));
    await git(...named, '-c', 'fetch.negotiationAlgorithm=noop', ...fetch, 'bare', ...blobs);
    return performance.now() - startMs;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function changedBlobs(gitDir: string, { baseSha, headSha }: PreparedChange['refs']): Promise<readonly string[]> {
  const args = ['-C', gitDir, 'diff-tree', '-r', '--no-renames', '--no-abbrev', baseSha, headSha];
  const ids = (await run('git', args)).stdout.split('\n').flatMap((line) => line.split(' ').slice(2, 4));
  return [...new Set(ids.filter((id) => !/^0+$/.test(id)))];
}

const agentOverhead: Benchmark = {
  name: 'agent.overhead',
  run: async ({ inPairs, median }: BenchmarkContext): Promise<Result[]> => {
    await using bench = await prepare();
    const peaksMb: number[] = [];
    for (let warmUp = 0; warmUp < warmUps; warmUp += 1) {
      const { lastWords } = await bench.review(['--import', tellPeak]);
      peaksMb.push(Number(/peakKb=(\d+)/.exec(lastWords)?.[1]) / 1024);
      await bench.fetchAlone();
    }
    const seen = await inPairs({
      name: 'agent.overhead',
      rounds,
      ours: async () => (await bench.review([])).overheadMs,
      peer: () => bench.fetchAlone(),
    });
    const sorted = seen.ours.toSorted((left, right) => left - right);
    const value = median(sorted);
    const peerValue = median(seen.peer);
    return [
      {
        name: 'agent.overhead',
        value,
        unit: 'ms',
        peer: 'node + git fetch',
        peerValue,
        ratio: value / peerValue,
        p50: value,
        p99: sorted.at(-1) ?? NaN,
        peakMb: Math.max(...peaksMb),
      },
    ];
  },
};

/** Milliseconds outside the model; the peak is that of the agent's process, without the gits it starts. */
export const benchmarks: readonly Benchmark[] = [agentOverhead];
