import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { ConfigError, ReviewPolicy, pinoLog, readConfig, systemClock } from '@drydock/core';
import { parsePolicy } from '@drydock/policy';
import { connectRedisTaskQueue } from '@drydock/queue';
import { pino } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { SchedulerConfig } from './config.ts';
import { HttpGateway } from './http-gateway.ts';
import { LocalLauncher } from './launchers/local-launcher.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { startScheduler } from './start-scheduler.ts';

const exitBadConfig = 78; // EX_CONFIG of sysexits.h

async function main(): Promise<void> {
  const config = readConfig(SchedulerConfig, process.env);
  if (config.agentEntry === undefined)
    throw new ConfigError(
      'Wrong settings:\n  DRYDOCK_AGENT_ENTRY (not set): the local launcher needs the path of the agent program',
    );
  const log = pinoLog(pino({ base: { component: 'scheduler' } }));
  const policy =
    config.policyFile === undefined
      ? ReviewPolicy.parse({})
      : parsePolicy(await readFile(config.policyFile, 'utf8'), config.policyFile);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const queue = await connectRedisTaskQueue({ url: config.redisUrl, log });
  const launcher = new LocalLauncher(
    {
      command: [process.execPath, config.agentEntry],
      gatewayUrl: config.gatewayUrl,
      workRoot: config.workRoot,
      path: process.env['PATH'] ?? '/usr/bin:/bin',
      graceMs: config.agentGraceMs,
    },
    systemClock,
  );
  const gateway = new HttpGateway({
    url: config.gatewayUrl,
    controlToken: config.controlToken,
    timeoutMs: 30_000,
    longTimeoutMs: 300_000,
  });
  const ports = {
    queue,
    gateway,
    launcher,
    clock: systemClock,
    log,
    metrics: createSchedulerMetrics(registry),
    policy,
  };
  const scheduler = startScheduler(ports, { ...config, owner: config.schedulerOwner });

  const health = createServer((request, response) => {
    if (request.url === '/metrics') {
      void registry
        .metrics()
        .then((text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text));
      return;
    }
    response.writeHead(request.url === '/healthz' ? 200 : 404).end();
  }).listen(config.schedulerPort);
  const stop = () => {
    health.close();
    void scheduler.stop().then(() => queue.close());
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  log.info({ port: config.schedulerPort, count: config.maxRunning }, 'scheduler started');
  await scheduler.ended;
}

main().catch((error: unknown) => {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = exitBadConfig;
});
