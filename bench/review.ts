/**
 * `drydock review` as it is installed: the built package, a change of ten files in a repository of this machine, and a
 * model that answers at once in this process.
 * `review.start`: from the start of the command to its first line of progress. Peer: Node started with nothing to do,
 * and git asked for the range.
 * `review.total`: from the start of the command to its end, without what the model took as seen at its door. Peer: what
 * cannot be saved: Node started for the command and for the agent, and git's own diff.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startFakeGitLab, startInstantClaude } from '@drydock/testkit';
import { prepareChange } from './agent-overhead-change.ts';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';
import { ServingTime } from './serving-time.ts';

const rounds = 9;
const warmUps = 2;
const root = new URL('..', import.meta.url).pathname;
const run = promisify(execFile);

interface Timed {
  readonly startMs: number;
  readonly totalMs: number;
}

interface Bench extends AsyncDisposable {
  /** One review by the command. */
  review(): Promise<Timed>;
  /** The peers of both. */
  bare(): Promise<Timed>;
}

async function prepare(): Promise<Bench> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'drydock-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const bin = await install(join(folder, 'package'));
  const gitlab = stack.use(await startFakeGitLab());
  const { project, refs, model } = await prepareChange(gitlab);
  const claude = stack.use(await startInstantClaude({ apiKey: 'sk-ant-of-the-benchmark', script: model }));
  const modelPort = Number(new URL(claude.url).port);
  const gitDir = project.repository.dir;
  const { baseSha, headSha } = refs;
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    TMPDIR: folder,
    ANTHROPIC_API_KEY: claude.apiKey,
    DRYDOCK_MODEL_URL: claude.url,
  };
  const args = ['review', '--base', baseSha, '--head', headSha, '--format', 'json', '--no-cache'];
  const kept = stack.move();
  return {
    async review() {
      using served = new ServingTime(modelPort);
      const beganMs = performance.now();
      const child = spawn(process.execPath, [bin, ...args], { cwd: gitDir, env: environment });
      let stdout = '';
      let stderr = '';
      let startMs = NaN;
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => {
        if (stderr === '') startMs = performance.now() - beganMs;
        stderr += chunk.toString();
      });
      await once(child, 'close');
      const totalMs = performance.now() - beganMs - served.totalMs;
      requireReview(stdout, stderr);
      return { startMs, totalMs };
    },
    async bare() {
      const git = (...words: readonly string[]) => run('git', words, { cwd: gitDir, maxBuffer: 1 << 28 });
      const nothing = () => run(process.execPath, ['-e', '']);
      const beganMs = performance.now();
      await nothing();
      await git('rev-parse', baseSha, headSha);
      await git('merge-base', baseSha, headSha);
      const startMs = performance.now() - beganMs;
      await nothing();
      await git('diff', baseSha, headSha);
      return { startMs, totalMs: performance.now() - beganMs };
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The package as npm unpacks it: without sources beside it, so that it is what runs. */
async function install(folder: string): Promise<string> {
  await run(process.execPath, [join(root, 'scripts/package.ts')], { cwd: root });
  await mkdir(folder, { recursive: true });
  for (const part of ['bin', 'dist', 'package.json']) {
    await cp(join(root, 'packages/cli', part), join(folder, part), { recursive: true });
  }
  return join(folder, 'bin/drydock.js');
}

/** A command that fails is quick, too. */
function requireReview(stdout: string, stderr: string): void {
  try {
    const { findings, turns } = JSON.parse(stdout) as { readonly findings: readonly unknown[]; readonly turns: number };
    if (findings.length === 3 && turns === 5) return;
  } catch {
    // told below
  }
  throw new Error(`the command made another review: ${stdout.slice(0, 2000)}\n${stderr}`);
}

const review: Benchmark = {
  name: 'review',
  run: async ({ inPairs, median }: BenchmarkContext): Promise<Result[]> => {
    await using bench = await prepare();
    for (let warmUp = 0; warmUp < warmUps; warmUp += 1) {
      await bench.review();
      await bench.bare();
    }
    const seen = await inPairs({ name: 'review', rounds, ours: () => bench.review(), peer: () => bench.bare() });
    const result = (name: string, peer: string, timeOf: (timed: Timed) => number): Result => {
      const sorted = seen.ours.map(timeOf).toSorted((left, right) => left - right);
      const value = median(sorted);
      const peerValue = median(seen.peer.map(timeOf));
      return {
        name,
        value,
        unit: 'ms',
        peer,
        peerValue,
        ratio: value / peerValue,
        p50: value,
        p99: sorted.at(-1) ?? NaN,
      };
    };
    return [
      result('review.start', 'node + git rev-parse, merge-base', ({ startMs }) => startMs),
      result('review.total', '2 node + git rev-parse, merge-base, diff', ({ totalMs }) => totalMs),
    ];
  },
};

/** What `make bench` runs of this file. */
export const benchmarks: readonly Benchmark[] = [review];
