import { ReviewPolicy, Secret, silentLog, systemClock } from '@drydock/core';
import { MemoryRunStore, startGateway, type RunningGateway } from '@drydock/gateway';
import type { SweepLock, SweepState, TaskQueue } from '@drydock/queue';
import { HttpGateway, createSweepMetrics, startSweep, type RunningSweep } from '@drydock/scheduler';
import type { FakeGitLab, ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';

/** How often these sweeps go their round. */
export const everyMs = 300_000;
export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

const controlToken = new Secret('control-token');

/** A real gateway before a fake GitLab, without a model. */
export async function startForgeGateway(gitlab: FakeGitLab, dataDir: string): Promise<RunningGateway> {
  return await startGateway(
    {
      listen: { host: '127.0.0.1', port: 0 },
      controlTokens: [controlToken],
      viewTokens: [],
      forges: [{ kind: 'gitlab', id: 'gitlab', baseUrl: gitlab.url, token: new Secret(gitlab.token) }],
      model: { baseUrl: 'http://127.0.0.1:1', apiKey: null },
      markerKeys: [new Secret('marker-key-of-the-tests')],
      policy: ReviewPolicy.parse({}),
      dataDir,
      searchPath: '/usr/local/bin:/usr/bin:/bin',
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      caPem: null,
    },
    { store: new MemoryRunStore(), clock: systemClock, log: silentLog, registry: new Registry() },
  );
}

/** What a sweep of these tests is made of. */
export interface SweptWorld {
  readonly gateway: RunningGateway;
  readonly clock: ManualClock;
  readonly queue: TaskQueue;
  readonly state: SweepState & SweepLock;
}

/** The sweep of a scheduler, over the last week. */
export function startSweepOver({ gateway, clock, queue, state }: SweptWorld, owner = 'a'): RunningSweep {
  return startSweep(
    {
      gateway: new HttpGateway({ url: gateway.url, controlToken, timeoutMs: 60_000, longTimeoutMs: 60_000 }),
      queue,
      state,
      lock: state,
      clock,
      log: silentLog,
      metrics: createSweepMetrics(new Registry()),
      isProjectAllowed: () => true,
      random: () => 0.5,
    },
    { forges: ['gitlab'], owner, everyMs, reachMs: 7 * dayMs },
  );
}

/** Moves the time on and lets all that was asked over HTTP be answered: then only the sweeps' own sleeps are left. */
export async function passTime(clock: ManualClock, ms: number, sleeping = 1): Promise<void> {
  const never = new AbortController().signal;
  await clock.advance(ms);
  await systemClock.sleep(30, never);
  while (clock.sleeping < sleeping) await systemClock.sleep(10, never);
}
