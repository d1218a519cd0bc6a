/**
 * Server, scheduler and gateway in one process, with agents as child processes. The boundaries stay the same: they meet
 * in the queue and over HTTP on loopback, and only the gateway is given credentials of forge and model.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { agentMainPath } from '@drydock/agent';
import {
  Secret,
  projectAllowList,
  type Clock,
  type ForgeId,
  type Log,
  type ProgressEntry,
  type Publication,
  type ReviewPolicy,
  type RunId,
  type RunView,
} from '@drydock/core';
import { deliverySecrets } from '@drydock/forge';
import { MemoryRunStore, RedisRunStore, startGateway, type GatewaySettings, type RunStore } from '@drydock/gateway';
import {
  MemorySweepState,
  MemoryTaskQueue,
  RedisSweepState,
  connectRedis,
  connectRedisTaskQueue,
  queueSettings,
  type SweepLock,
  type SweepState,
  type TaskQueue,
} from '@drydock/queue';
import {
  HttpGateway,
  LocalLauncher,
  compileAgent,
  createSchedulerMetrics,
  createSweepMetrics,
  startScheduler,
  startSweep,
  type Gateway,
  type ShareConfig,
  type SweepSettings,
} from '@drydock/scheduler';
import { createServerMetrics, gatewayLogs, startServer, type ControlToken } from '@drydock/server';
import { Registry } from 'prom-client';

/** Settings of all three. Times are milliseconds. */
export interface StandaloneSettings {
  readonly gateway: Omit<
    GatewaySettings,
    'listen' | 'controlTokens' | 'viewTokens' | 'policy' | 'dataDir' | 'searchPath'
  >;
  readonly policy: ReviewPolicy;
  readonly forgeId: ForgeId;
  readonly webhookSecrets: readonly Secret[];
  /** Who may use the control API; none: there is none. */
  readonly controlTokens?: readonly ControlToken[];
  /** Globs of project paths, or numeric ids. */
  readonly projects: readonly string[];
  /** Null: queue and runs are in memory, and end with the process. */
  readonly redis: { readonly url: Secret; readonly keyPrefix?: string; readonly waitMs?: number } | null;
  readonly listen: { readonly host: string; readonly port: number };
  readonly debounceMs: number;
  readonly maxDebounceMs: number;
  readonly maxBodyBytes?: number;
  readonly maxRunning: number;
  /** How long it is remembered how a task ended; absent: 30 days. */
  readonly keepDays?: number;
  /** How forges and projects share it; absent: each as any other. */
  readonly shares?: ShareConfig;
  /** How often and how far back to look for missed webhooks; none: never. */
  readonly sweep?: SweepSettings;
  /** A folder of our own, for mirrors and for the agents' folders. */
  readonly dataDir: string;
  /** Where git is found, in the manner of PATH. */
  readonly searchPath: string;
  readonly version: string;
}

/** All three at work. Dispose of it: what is in hand ends, and nothing is left behind. */
export interface Standalone extends AsyncDisposable {
  readonly serverUrl: string;
  readonly gatewayUrl: string;
  readonly queue: TaskQueue;
  /** What was published since the start, by run. */
  readonly publications: ReadonlyMap<RunId, Publication>;
  /** Settles when the scheduler has ended; rejects on a bug. */
  readonly ended: Promise<void>;
  readRun(runId: RunId, signal: AbortSignal): Promise<RunView | null>;
  /** Progress after a sequence number, oldest first. */
  readProgress(runId: RunId, after: number, signal: AbortSignal): Promise<readonly ProgressEntry[]>;
}

const maxBytesInFlight = 128 * 1024 * 1024;
const times = { leaseTtlMs: 15_000, pollMs: 500, blockedDelayMs: 60_000, agentGraceMs: 5000 };
const logTimeoutMs = 10_000;
const gatewayTimeouts = { timeoutMs: 60_000, longTimeoutMs: 600_000 };

/** Starts all three. Throws `ConfigError` for a wrong setting, `TransientError` when the store does not answer. */
export async function startStandalone(
  settings: StandaloneSettings,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<Standalone> {
  const { clock, log } = ports;
  await using stack = new AsyncDisposableStack();
  const registry = new Registry();
  const { queue, store } = await openStores(settings, ports);
  stack.defer(() => queue.close());
  stack.defer(() => store.close());

  const controlToken = new Secret(randomBytes(32).toString('hex'));
  const viewToken = new Secret(randomBytes(32).toString('hex'));
  const gateway = await startGateway(
    {
      ...settings.gateway,
      policy: settings.policy,
      searchPath: settings.searchPath,
      listen: { host: '127.0.0.1', port: 0 },
      controlTokens: [controlToken],
      viewTokens: [viewToken],
      dataDir: join(settings.dataDir, 'mirrors'),
    },
    { store, clock, log: log.child({ component: 'gateway' }), registry },
  );
  stack.defer(() => gateway.close());

  const publications = new Map<RunId, Publication>();
  const client = new HttpGateway({ url: gateway.url, controlToken, ...gatewayTimeouts });
  const command = [process.execPath, agentMainPath] as const;
  const compiled = stack.use(compileAgent({ command, parentDir: settings.dataDir }, log));
  const launcher = new LocalLauncher(
    {
      command,
      compiled,
      gatewayUrl: gateway.url,
      workRoot: join(settings.dataDir, 'runs'),
      path: settings.searchPath,
      graceMs: times.agentGraceMs,
    },
    clock,
  );
  const scheduler = startScheduler(
    {
      queue,
      gateway: rememberPublications(client, publications),
      launcher,
      clock,
      log: log.child({ component: 'scheduler' }),
      metrics: createSchedulerMetrics(registry),
      policy: settings.policy,
      isProjectAllowed: projectAllowList(settings.projects),
    },
    { ...times, ...settings.shares, owner: 'standalone', maxRunning: settings.maxRunning },
  );
  stack.defer(() => scheduler.stop());
  if (settings.sweep !== undefined) {
    const sweepState = await openSweepState(settings, ports);
    stack.defer(sweepState.close);
    const sweep = startSweep(
      {
        gateway: client,
        queue,
        state: sweepState.state,
        lock: sweepState.state,
        clock,
        log: log.child({ component: 'scheduler' }),
        metrics: createSweepMetrics(registry),
        isProjectAllowed: projectAllowList(settings.projects),
        random: Math.random,
      },
      { ...settings.sweep, forges: [settings.forgeId], owner: randomUUID() },
    );
    stack.defer(() => sweep.stop());
  }

  const { debounceMs, maxDebounceMs, maxBodyBytes = 25 * 1024 * 1024 } = settings;
  const server = await startServer(
    {
      queue,
      registry,
      metrics: createServerMetrics(registry),
      log: log.child({ component: 'server' }),
      clock,
      version: settings.version,
      store: settings.redis === null ? 'memory' : 'redis',
      runLogs: gatewayLogs({ url: gateway.url, viewToken, timeoutMs: logTimeoutMs }),
    },
    {
      hooks: new Map([[settings.forgeId, deliverySecrets(settings.webhookSecrets)]]),
      isAllowed: projectAllowList(settings.projects),
      debounceMs,
      maxDebounceMs,
      maxBodyBytes,
      maxBytesInFlight,
      controlTokens: settings.controlTokens ?? [],
    },
    settings.listen,
  );
  stack.defer(() => server.stop());

  const kept = stack.move();
  return {
    serverUrl: server.url,
    gatewayUrl: gateway.url,
    queue,
    publications,
    ended: scheduler.ended,
    readRun: (runId, signal) => client.readRun(runId, signal),
    readProgress: (runId, after, signal) => client.readProgress(runId, after, signal),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function openStores(
  { redis, keepDays }: StandaloneSettings,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<{ queue: TaskQueue; store: RunStore }> {
  const settings = keepDays === undefined ? {} : queueSettings({ keepDays });
  if (redis === null) return { queue: new MemoryTaskQueue({ clock, settings }), store: new MemoryRunStore() };
  const { url, keyPrefix = 'drydock', waitMs = 0 } = redis;
  const queue = await connectRedisTaskQueue({ url, waitMs, log, keyPrefix, settings });
  const store = new RedisRunStore(await connectRedis({ url, waitMs, name: 'gateway' }, log), {
    prefix: `${keyPrefix}:gateway:`,
    keepSeconds: 7 * 86_400,
  });
  return { queue, store };
}

async function openSweepState(
  { redis }: StandaloneSettings,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<{ readonly state: SweepState & SweepLock; readonly close: () => void }> {
  if (redis === null) return { state: new MemorySweepState(clock), close: () => undefined };
  const { url, keyPrefix = 'drydock', waitMs = 0 } = redis;
  const state = new RedisSweepState(await connectRedis({ url, waitMs, name: 'sweep' }, log), { keyPrefix });
  return {
    state,
    close: () => {
      state.close();
    },
  };
}

function rememberPublications(gateway: Gateway, publications: Map<RunId, Publication>): Gateway {
  return {
    readMergeRequest: (ref, signal) => gateway.readMergeRequest(ref, signal),
    readMember: (ref, userId, signal) => gateway.readMember(ref, userId, signal),
    writeState: (ref, request, signal) => gateway.writeState(ref, request, signal),
    startRun: (request, signal) => gateway.startRun(request, signal),
    readRun: (runId, signal) => gateway.readRun(runId, signal),
    overRuns: (runIds, signal) => gateway.overRuns(runIds, signal),
    revokeRun: (runId, signal) => gateway.revokeRun(runId, signal),
    async publishRun(runId, signal) {
      const publication = await gateway.publishRun(runId, signal);
      publications.set(runId, publication);
      return publication;
    },
  };
}
