import { randomUUID } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import {
  ConfigError,
  DrydockError,
  ReviewPolicy,
  crashAt,
  projectAllowList,
  readConfig,
  systemClock,
} from '@drydock/core';
import { openLog } from '@drydock/log';
import { parsePolicy } from '@drydock/policy';
import { RedisSweepState, connectRedis, connectRedisTaskQueue, queueSettings } from '@drydock/queue';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { SchedulerConfig } from './config.ts';
import { HttpGateway } from './http-gateway.ts';
import { compileAgent } from './launchers/compile-agent.ts';
import { LocalLauncher } from './launchers/local-launcher.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { startHealth } from './start-health.ts';
import { startScheduler } from './start-scheduler.ts';
import { startSweep } from './sweep/start-sweep.ts';
import { createSweepMetrics } from './sweep/sweep-metrics.ts';

/** As in sysexits.h. */
const exitCodes = { unavailable: 69, badConfig: 78 };
const dayMs = 24 * 3_600_000;
const gatewayTimes = { timeoutMs: 30_000, longTimeoutMs: 300_000 };

async function main(): Promise<void> {
  const config = readConfig(SchedulerConfig, process.env);
  const command = [process.execPath, await readableAgent(config.agentEntry)] as const;
  const policy = await readPolicy(config.policyFile);
  const [controlToken] = config.controlToken;
  if (controlToken === undefined) throw new ConfigError('Wrong settings:\n  DRYDOCK_CONTROL_TOKEN: holds no token');
  const reach = crashAt(process.env, () => process.kill(process.pid, 'SIGKILL'));
  const gateway = new HttpGateway({ url: config.gatewayUrl, controlToken, ...gatewayTimes });
  const registry = new Registry();
  const log = openLog('scheduler', registry);
  collectDefaultMetrics({ register: registry });
  // Both before the first lease: who cannot reach the store must not end with tasks in hand.
  const queue = await connectRedisTaskQueue({ url: config.redisUrl, log, settings: queueSettings(config) });
  const sweepState = new RedisSweepState(await connectRedis({ url: config.redisUrl, name: 'sweep' }, log));
  const health = await startHealth(registry, { host: config.schedulerHost, port: config.schedulerPort });
  const compiled = compileAgent({ command, parentDir: config.workRoot }, log);
  const launcher = new LocalLauncher(
    {
      command,
      compiled,
      gatewayUrl: config.gatewayUrl,
      workRoot: config.workRoot,
      path: process.env['PATH'] ?? '/usr/bin:/bin',
      graceMs: config.agentGraceMs,
    },
    systemClock,
    log,
    reach,
  );
  const scheduler = startScheduler(
    {
      queue,
      gateway,
      launcher,
      clock: systemClock,
      log,
      metrics: createSchedulerMetrics(registry, queue),
      policy,
      isProjectAllowed: projectAllowList(config.projects),
      reach,
    },
    { ...config, owner: config.schedulerOwner },
  );
  log.info({ port: health.port, count: config.maxRunning }, 'scheduler started');
  const sweep = startSweep(
    {
      gateway,
      queue,
      state: sweepState,
      lock: sweepState,
      clock: systemClock,
      log,
      metrics: createSweepMetrics(registry),
      isProjectAllowed: projectAllowList(config.projects),
      random: Math.random,
    },
    {
      forges: [config.forgeId],
      owner: `${config.schedulerOwner}:${randomUUID()}`,
      everyMs: config.sweepEveryMs,
      reachMs: config.sweepReachDays * dayMs,
    },
  );
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'scheduler stops');
    void sweep.stop();
    void scheduler.stop();
  };
  process.on('SIGTERM', stop); // a supervisor may say it twice
  process.once('SIGINT', stop); // asked twice by a person, it ends at once

  await Promise.all([scheduler.ended, sweep.ended]);
  sweepState.close();
  await Promise.all([health.stop(), compiled[Symbol.asyncDispose](), queue.close()]);
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
