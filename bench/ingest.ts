/**
 * Signed deliveries, each of a merge request of its own, durably queued.
 *
 * `ingest.6k`, `ingest.60k`   as many as are answered, of these sizes
 * `ingest.latency`            500 a second are due, whatever became of those before: what each waits from then on
 * `ingest.connections`        2,000 connections at once, a delivery over each: the longest wait, connecting included
 *
 * Peers, in the same run on a Redis of the same kind: a bare express route with the same signature check, and that route
 * calling BullMQ's add. Servers, Redis and load are processes of their own; the variants take turns.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startRedisServer } from '@drydock/testkit';
import { z } from 'zod';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';

const signingKey = Buffer.alloc(32, 5).toString('base64');
const connections = 64;
const warmUpRequests = 3000;
const variants = ['drydock', 'express', 'express+bullmq'] as const;
type Variant = (typeof variants)[number];

/** How a benchmark loads a server, as `ingest-load.ts` reads it. */
interface Load {
  readonly kind: 'saturating' | 'offered' | 'at-once';
  readonly requests: number;
  readonly bodyBytes: number;
  readonly connections?: number;
  readonly perSecond?: number;
}

/** Latencies are milliseconds. */
const Measured = z.object({
  perSecond: z.number(),
  p50: z.number(),
  p99: z.number(),
  p999: z.number(),
  max: z.number(),
  /** Not answered with 200. */
  failed: z.int(),
});
type Measured = z.infer<typeof Measured> & { readonly peakMb: number };

async function measure(variant: Variant, load: Load): Promise<Measured> {
  await using redis = await startRedisServer();
  const program = new URL('ingest-server.ts', import.meta.url).pathname;
  const settings = JSON.stringify({ variant, redisUrl: redis.url, signingKey });
  const server = spawn(process.execPath, [program, settings], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => z.string().parse((await lines.next()).value);
  try {
    const port = Number(await nextLine());
    const { bodyBytes } = load;
    // Warms the just-in-time compiler.
    await sendLoad(port, { kind: 'saturating', requests: warmUpRequests, bodyBytes, connections });
    const measured = await sendLoad(port, load);
    if (load.kind === 'saturating' && measured.failed > 0) throw new Error(`${String(measured.failed)} were refused`);
    server.stdin.end();
    const { peakMb } = z.object({ peakMb: z.number() }).parse(JSON.parse(await nextLine()));
    return { ...measured, peakMb };
  } finally {
    server.kill('SIGKILL');
  }
}

async function sendLoad(port: number, load: Load): Promise<z.infer<typeof Measured>> {
  const program = new URL('ingest-load.ts', import.meta.url).pathname;
  const settings = JSON.stringify({ ...load, port, signingKey });
  const sender = spawn(process.execPath, [program, settings], { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  sender.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(sender, 'close');
  return Measured.parse(JSON.parse(Buffer.concat(chunks).toString()));
}

/** What a benchmark tells first of what was measured, and of several rounds. */
interface Figure {
  readonly unit: string;
  readonly of: (rounds: readonly Measured[], median: BenchmarkContext['median']) => number;
}

const throughput: Figure = {
  unit: 'requests/s',
  of: (rounds, median) => median(rounds.map(({ perSecond }) => perSecond)),
};
const mostlyWaits: Figure = { unit: 'ms', of: (rounds, median) => median(rounds.map(({ p99 }) => p99)) };
/** A sender with a time limit gives up once: no round may be left out. */
const longestWait: Figure = { unit: 'ms', of: (rounds) => Math.max(...rounds.map(({ max }) => max)) };

function ingest(name: string, figure: Figure, rounds: number, load: Load): Benchmark {
  return {
    name,
    run: async ({ progress, median }: BenchmarkContext): Promise<Result[]> => {
      const seen: Record<Variant, Measured[]> = { drydock: [], express: [], 'express+bullmq': [] };
      for (let round = 1; round <= rounds; round += 1) {
        for (const variant of variants) {
          progress(`${name}: round ${String(round)} of ${String(rounds)}, ${variant}`);
          seen[variant].push(await measure(variant, load));
        }
      }
      const ours = (key: keyof Measured) => median(seen.drydock.map((measured) => measured[key]));
      const [p50, p99, p999, peakMb] = [ours('p50'), ours('p99'), ours('p999'), ours('peakMb')];
      const value = figure.of(seen.drydock, median);
      return (['express', 'express+bullmq'] as const).map((peer) => {
        const peerValue = figure.of(seen[peer], median);
        const beside = { peer, peerValue, ratio: value / peerValue };
        return { name, value, unit: figure.unit, ...beside, p50, p99, p999, peakMb, failed: ours('failed') };
      });
    },
  };
}

/** What `make bench` runs of this file. */
export const benchmarks: readonly Benchmark[] = [
  ingest('ingest.6k', throughput, 5, { kind: 'saturating', requests: 20_000, bodyBytes: 6000, connections }),
  ingest('ingest.60k', throughput, 5, { kind: 'saturating', requests: 8000, bodyBytes: 60_000, connections }),
  ingest('ingest.latency', mostlyWaits, 3, {
    kind: 'offered',
    requests: 10_000,
    perSecond: 500,
    bodyBytes: 6000,
    connections,
  }),
  ingest('ingest.connections', longestWait, 5, { kind: 'at-once', requests: 2000, bodyBytes: 6000 }),
];
