import { randomUUID } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import {
  ConfigError,
  DrydockError,
  ReviewPolicy,
  crashAt,
  projectAllowList,
  readConfig,
  systemClock,
  type Clock,
  type Log,
  type ReachPoint,
} from '@drydock/core';
import { openLog } from '@drydock/log';
import { parsePolicy } from '@drydock/policy';
import { RedisSweepState, connectRedis, connectRedisTaskQueue, queueSettings, type SweepLock } from '@drydock/queue';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { SchedulerConfig } from './config.ts';
import { HttpGateway } from './http-gateway.ts';
import { compileAgent } from './launchers/compile-agent.ts';
import type { Launcher } from './launchers/launcher.ts';
import { LocalLauncher } from './launchers/local-launcher.ts';
import type { PodSettings } from './launchers/pod-settings.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { defaultPolicy } from './policies/default-policy.ts';
import type { PolicySource } from './policies/policy-source.ts';
import { startPolicies } from './policies/start-policies.ts';
import { startHealth } from './start-health.ts';
import { startKube } from './start-kube.ts';
import { startScheduler } from './start-scheduler.ts';
import { startSweep } from './sweep/start-sweep.ts';
import { createSweepMetrics } from './sweep/sweep-metrics.ts';

/** As in sysexits.h. */
const exitCodes = { unavailable: 69, badConfig: 78 };
const dayMs = 24 * 3_600_000;
const slowestTurnMs = 60_000;
/** An API server that is away for less is not mended by starting us anew. */
const oldestWatchMs = 600_000;
const gatewayTimes = { timeoutMs: 30_000, longTimeoutMs: 300_000 };

/**
 * What waits for thousands of agents is alive for long, and little is done meanwhile: by itself V8 would let as much garbage
 * gather beside it, up to several times as much. A fifth more is collected in some tenths of a second once in a minute.
 */
const heapGrowingPercent = 20;

async function main(): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${String(heapGrowingPercent)}`);
  const config = readConfig(SchedulerConfig, process.env);
  const policy = await readPolicy(config.policyFile);
  const [controlToken] = config.controlToken;
  if (controlToken === undefined) throw new ConfigError('Wrong settings:\n  DRYDOCK_CONTROL_TOKEN: holds no token');
  const reach = crashAt(process.env, () => process.kill(process.pid, 'SIGKILL'));
  const gateway = new HttpGateway({ url: config.gatewayUrl, controlToken, ...gatewayTimes });
  const registry = new Registry();
  const identity = `${config.schedulerOwner}:${randomUUID()}`;
  const log = openLog('scheduler', registry);
  collectDefaultMetrics({ register: registry });
  // Both before the first lease: who cannot reach the store must not end with tasks in hand.
  const queue = await connectRedisTaskQueue({
    url: config.redisUrl,
    waitMs: config.redisWaitSeconds * 1000,
    log,
    settings: queueSettings(config),
  });
  const sweepState = new RedisSweepState(await connectRedis({ url: config.redisUrl, name: 'sweep' }, log));
  const loop = watchLoop(systemClock, config.pollMs);
  const metrics = createSchedulerMetrics(registry, queue);
  const side = config.launcher === 'kube' ? await kubeSide() : await localSide(config, log, reach);
  const health = await startHealth(
    registry,
    { host: config.schedulerHost, port: config.schedulerPort },
    () => loop.whyIll() ?? side.whyIll(),
  );
  const scheduler = startScheduler(
    {
      queue,
      gateway,
      launcher: side.launcher,
      pod: side.pod,
      policies: side.policies,
      clock: systemClock,
      log,
      metrics,
      policy,
      isProjectAllowed: projectAllowList(config.projects),
      reach,
    },
    { ...config, owner: config.schedulerOwner, onTurn: loop.onTurn },
  );
  log.info({ port: health.port, count: config.maxRunning }, 'scheduler started');
  const sweep = startSweep(
    {
      gateway,
      queue,
      state: sweepState,
      lock: side.sweepLock ?? sweepState,
      clock: systemClock,
      log,
      metrics: createSweepMetrics(registry),
      isProjectAllowed: projectAllowList(config.projects),
      random: Math.random,
    },
    {
      forges: [config.forgeId],
      owner: identity,
      everyMs: config.sweepEveryMs,
      reachMs: config.sweepReachDays * dayMs,
    },
  );
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'scheduler stops');
    void sweep.stop();
    void scheduler.stop();
    side.retire();
  };
  process.on('SIGTERM', stop); // a supervisor may say it twice
  process.once('SIGINT', stop); // asked twice by a person, it ends at once

  await Promise.all([scheduler.ended, sweep.ended, side.ended]);
  sweepState.close();
  await Promise.all([health.stop(), side.close(), queue.close()]);

  async function kubeSide(): Promise<LauncherSide> {
    const alarm = (what: string) => {
      metrics.alarm(what);
    };
    const kube = await startKube(config, { queue, gateway, registry, log, alarm, identity, reach });
    const ending = new AbortController();
    const policies = config.policyObjects
      ? startPolicies({
          ...{ client: kube.client, namespace: config.kubeControlNamespace, queue, log, clock: systemClock },
          fallback: defaultPolicy(policy, kube.pod),
          isLeader: () => kube.election.isLeader(),
          signal: ending.signal,
        })
      : null;
    await policies?.ready;
    return {
      ...{ launcher: kube.launcher, pod: kube.pod, sweepLock: kube.sweepLock, policies: policies?.source },
      ended: Promise.all([kube.ended, policies?.ended]).then(() => undefined),
      whyIll: () => (kube.ageMs() > oldestWatchMs ? 'a watch of the cluster is silent' : null),
      retire: () => {
        ending.abort();
        kube.retire();
      },
      close: async () => {
        ending.abort();
        await kube.close();
      },
    };
  }
}

/** What of the scheduler depends on where agents run. */
interface LauncherSide {
  readonly launcher: Launcher;
  /** Absent: agents have no pods. */
  readonly pod?: PodSettings;
  /** Absent: the policy file holds for all projects. */
  readonly policies?: PolicySource | undefined;
  /** Absent: the store's. */
  readonly sweepLock?: SweepLock;
  readonly ended: Promise<void>;
  whyIll(): string | null;
  retire(): void;
  close(): Promise<void>;
}

async function localSide(config: SchedulerConfig, log: Log, reach: ReachPoint | undefined): Promise<LauncherSide> {
  const command = [process.execPath, await readableAgent(config.agentEntry)] as const;
  const compiled = compileAgent({ command, parentDir: config.workRoot }, log);
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  const { gatewayUrl, workRoot, agentGraceMs: graceMs } = config;
  const settings = { command, compiled, gatewayUrl, workRoot, path, graceMs };
  return {
    launcher: new LocalLauncher(settings, systemClock, log, reach),
    ended: Promise.resolve(),
    whyIll: () => null,
    retire: () => undefined,
    close: async () => {
      await compiled[Symbol.asyncDispose]();
    },
  };
}

/** Whether the loop turns. */
function watchLoop(clock: Clock, pollMs: number) {
  let turnedAtMs = clock.monotonicMs();
  return {
    onTurn: () => {
      turnedAtMs = clock.monotonicMs();
    },
    whyIll: () => (clock.monotonicMs() - turnedAtMs > slowestTurnMs + 10 * pollMs ? 'the loop hangs' : null),
  };
}

async function readableAgent(entry: string | undefined): Promise<string> {
  const setting = 'Wrong settings:\n  DRYDOCK_AGENT_ENTRY';
  if (entry === undefined) {
    throw new ConfigError(`${setting} (not set): the local launcher needs the path of the agent program`);
  }
  await access(entry).catch((cause: unknown) => {
    throw new ConfigError(`${setting}: there is no program that can be read`, { cause });
  });
  return entry;
}

async function readPolicy(file: string | undefined): Promise<ReviewPolicy> {
  if (file === undefined) return ReviewPolicy.parse({});
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ConfigError('Wrong settings:\n  DRYDOCK_POLICY_FILE: there is no file that can be read', { cause });
  });
  return parsePolicy(text, file);
}

main().catch((error: unknown) => {
  if (!(error instanceof DrydockError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(error instanceof ConfigError ? exitCodes.badConfig : exitCodes.unavailable);
});
