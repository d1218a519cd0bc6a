import { readFile } from 'node:fs/promises';
import { ConfigError, DrydockError, crashAt, projectAllowList, readConfig, systemClock } from '@drydock/core';
import { deliverySecrets } from '@drydock/forge';
import { openLog } from '@drydock/log';
import { connectRedisTaskQueue, queueSettings } from '@drydock/queue';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { z } from 'zod';
import { ServerConfig } from './config.ts';
import { controlTokens } from './control/control-tokens.ts';
import { gatewayLogs, type RunLogs } from './control/run-logs.ts';
import { createServerMetrics } from './metrics.ts';
import { startServer } from './start-server.ts';

/** As in sysexits.h. */
const exitCodes = { unavailable: 69, badConfig: 78 };
const gatewayTimeoutMs = 10_000;
const maxBytesInFlight = 128 * 1024 * 1024;

async function main(): Promise<void> {
  const config = readConfig(ServerConfig, process.env);
  const reach = crashAt(process.env, () => process.kill(process.pid, 'SIGKILL'));
  const manifest = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')));
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const log = openLog('server', registry);
  const tokens = controlTokens(config);
  const runLogs = runLogsOf(config);
  if (tokens.length === 0) log.info({}, 'no DRYDOCK_VIEWER_TOKENS or DRYDOCK_ADMIN_TOKENS: the control API is off');
  const hooks = new Map([[config.forgeId, deliverySecrets(config.webhookSecrets)]]);
  const queue = await connectRedisTaskQueue({
    url: config.redisUrl,
    waitMs: config.redisWaitSeconds * 1000,
    log,
    settings: queueSettings(config),
  });
  const server = await startServer(
    {
      queue,
      registry,
      metrics: createServerMetrics(registry),
      log,
      clock: systemClock,
      version: manifest.version,
      reach,
      store: 'redis',
      ...(runLogs === null ? {} : { runLogs }),
    },
    { ...config, hooks, controlTokens: tokens, isAllowed: projectAllowList(config.projects), maxBytesInFlight },
    { host: config.serverHost, port: config.serverPort },
  );
  log.info({ port: server.port }, 'server started');
  const stopped = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    if (stopped.signal.aborted) return; // an impatient supervisor says it twice, and loses nothing by waiting
    stopped.abort();
    log.info({ signal }, 'server stops');
    void server.stop().then(() => queue.close());
  };
  process.on('SIGTERM', stop);
  process.once('SIGINT', stop); // asked twice by a person, it ends at once
}

function runLogsOf({ gatewayUrl, gatewayViewToken }: ServerConfig): RunLogs | null {
  if (gatewayUrl === undefined && gatewayViewToken === undefined) return null;
  if (gatewayUrl === undefined || gatewayViewToken === undefined) {
    throw new ConfigError('Wrong settings:\n  DRYDOCK_GATEWAY_URL, DRYDOCK_GATEWAY_VIEW_TOKEN: logs need both of them');
  }
  return gatewayLogs({ url: gatewayUrl, viewToken: gatewayViewToken, timeoutMs: gatewayTimeoutMs });
}

main().catch((error: unknown) => {
  if (!(error instanceof DrydockError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(error instanceof ConfigError ? exitCodes.badConfig : exitCodes.unavailable);
});
