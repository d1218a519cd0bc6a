/**
 * A scheduler in a process of its own, with the real queue and a gateway over HTTP. Its launcher is like the one for
 * Kubernetes but that it makes nothing: agents work for ever and outlive it. Each time it would make a Job, or goes on
 * with one, it prints a line of JSON. It ends with its standard input, or at any moment.
 */
import { ReviewPolicy, Secret, silentLog, systemClock, type RunId } from '@drydock/core';
import { connectRedisTaskQueue } from '@drydock/queue';
import { HttpGateway, createSchedulerMetrics, startScheduler, type AgentExit, type Launcher } from '@drydock/scheduler';
import { Registry } from 'prom-client';
import { z } from 'zod';

const Settings = z.object({
  redisUrl: z.string(),
  gatewayUrl: z.string(),
  controlToken: z.string(),
  leaseTtlMs: z.int(),
  pollMs: z.int(),
});

const settings = Settings.parse(JSON.parse(process.argv[2] ?? '{}'));

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify({ atMs: performance.timeOrigin + performance.now(), ...line })}\n`);
}

/** Until it is to stop: then the agent goes on without us. */
function work(signal: AbortSignal): Promise<AgentExit> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ kind: 'left' }), { once: true });
  });
}

const atWork = new Set<RunId>();
const launcher: Launcher = {
  credential: 'exchange',
  outlivesUs: true,
  run(launch, signal) {
    atWork.add(launch.runId);
    launch.onBegun?.();
    tell({ what: 'launched', runId: launch.runId, taskId: launch.taskId });
    return work(signal);
  },
  adopt(runId, signal) {
    atWork.add(runId);
    tell({ what: 'adopted', runId });
    return work(signal);
  },
  isAtWork: (runId) => atWork.has(runId),
  forget: () => Promise.resolve(),
};

const queue = await connectRedisTaskQueue({ url: new Secret(settings.redisUrl), log: silentLog });
const { gatewayUrl, leaseTtlMs, pollMs } = settings;
const timeouts = { timeoutMs: 30_000, longTimeoutMs: 30_000 };
const scheduler = startScheduler(
  {
    queue,
    gateway: new HttpGateway({ url: gatewayUrl, controlToken: new Secret(settings.controlToken), ...timeouts }),
    launcher,
    clock: systemClock,
    log: silentLog,
    metrics: createSchedulerMetrics(new Registry()),
    policy: ReviewPolicy.parse({}),
    isProjectAllowed: () => true,
  },
  { owner: `bench-${String(process.pid)}`, maxRunning: 10_000, leaseTtlMs, pollMs, blockedDelayMs: 60_000 },
);
tell({ what: 'started' });
process.stdin.resume().on('end', () => process.exit(0));
await scheduler.ended; // with a bug only
