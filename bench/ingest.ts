/**
 * `ingest.6k`, `ingest.60k`: signed deliveries of these sizes, each of a merge request of its own, durably queued.
 * Peers, in the same run on the same Redis: a bare express route with the same signature check, and that route calling
 * BullMQ's add. Servers, Redis and load are processes of their own; the variants take turns.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startRedisServer } from '@drydock/testkit';
import { z } from 'zod';
import type { Benchmark, BenchmarkContext, Result } from './run.ts';

const signingKey = Buffer.alloc(32, 5).toString('base64');
const connections = 64;
const rounds = 5;
const warmUpRequests = 3000;
const variants = ['drydock', 'express', 'express+bullmq'] as const;
type Variant = (typeof variants)[number];

const Measured = z.object({ perSecond: z.number(), p50: z.number(), p99: z.number(), failed: z.literal(0) });
type Measured = z.infer<typeof Measured> & { peakMb: number };

async function measure(variant: Variant, requests: number, bodyBytes: number): Promise<Measured> {
  await using redis = await startRedisServer();
  const server = spawn(
    process.execPath,
    [
      new URL('ingest-server.ts', import.meta.url).pathname,
      JSON.stringify({ variant, redisUrl: redis.url, signingKey }),
    ],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => z.string().parse((await lines.next()).value);
  try {
    const port = Number(await nextLine());
    await sendLoad(port, warmUpRequests, bodyBytes); // warms the just-in-time compiler
    const measured = await sendLoad(port, requests, bodyBytes);
    server.stdin.end();
    const { peakMb } = z.object({ peakMb: z.number() }).parse(JSON.parse(await nextLine()));
    return { ...measured, peakMb };
  } finally {
    server.kill('SIGKILL');
  }
}

async function sendLoad(port: number, requests: number, bodyBytes: number): Promise<z.infer<typeof Measured>> {
  const load = spawn(
    process.execPath,
    [
      new URL('ingest-load.ts', import.meta.url).pathname,
      JSON.stringify({ port, requests, connections, bodyBytes, signingKey }),
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const chunks: Buffer[] = [];
  load.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(load, 'close');
  return Measured.parse(JSON.parse(Buffer.concat(chunks).toString()));
}

function ingest(name: string, requests: number, bodyBytes: number): Benchmark {
  return {
    name,
    run: async ({ progress, median }: BenchmarkContext): Promise<Result[]> => {
      const seen: Record<Variant, Measured[]> = { drydock: [], express: [], 'express+bullmq': [] };
      for (let round = 1; round <= rounds; round += 1) {
        for (const variant of variants) {
          progress(`${name}: round ${String(round)} of ${String(rounds)}, ${variant}`);
          seen[variant].push(await measure(variant, requests, bodyBytes));
        }
      }
      const of = (variant: Variant, figure: keyof Measured) =>
        median(seen[variant].map((measured) => measured[figure]));
      const value = of('drydock', 'perSecond');
      const ours = {
        name,
        value,
        unit: 'requests/s',
        p50: of('drydock', 'p50'),
        p99: of('drydock', 'p99'),
        peakMb: of('drydock', 'peakMb'),
      };
      return (['express', 'express+bullmq'] as const).map((peer) => {
        const peerValue = of(peer, 'perSecond');
        return { ...ours, peer, peerValue, ratio: value / peerValue };
      });
    },
  };
}

/** Requests per second, and the latencies of ours in milliseconds. */
export const benchmarks: readonly Benchmark[] = [
  ingest('ingest.6k', 20_000, 6_000),
  ingest('ingest.60k', 8_000, 60_000),
];
