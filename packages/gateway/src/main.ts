import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ConfigError, DrydockError, crashAt, readConfig, systemClock, type Log } from '@drydock/core';
import { openLog } from '@drydock/log';
import { createKubeClient, createKubeMetrics, kubePlace, loadKubeAccess } from '@drydock/kube';
import { connectRedis } from '@drydock/queue';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { GatewayConfig } from './config.ts';
import type { AgentIdentities } from './exchange/identity-reviewer.ts';
import { kubeIdentityReviewer } from './exchange/kube-identity-reviewer.ts';
import { gatewaySettings } from './gateway-settings.ts';
import { DiskAnswerStore } from './model/disk-answer-store.ts';
import { MemoryRunStore } from './runs/memory-run-store.ts';
import { RedisRunStore } from './runs/redis-run-store.ts';
import type { RunStore } from './runs/run-store.ts';
import { startGateway } from './start-gateway.ts';

/** EX_CONFIG and EX_UNAVAILABLE of sysexits.h. */
const exitCodes = { badConfig: 78, unavailable: 69 };

async function main(): Promise<void> {
  const config = readConfig(GatewayConfig, process.env);
  const reach = crashAt(process.env, () => process.kill(process.pid, 'SIGKILL'));
  const registry = new Registry();
  const log = openLog('gateway', registry);
  collectDefaultMetrics({ register: registry });
  const settings = { ...(await gatewaySettings(config)), answers: await openAnswers(config, log) };
  const identities = await openIdentities(config, registry);
  const store = await openStore(config, log);
  const gateway = await startGateway(settings, { store, clock: systemClock, log, registry, reach, identities });
  log.info({ port: gateway.port }, 'gateway started');
  const stop = () => {
    void gateway.close().then(() => store.close());
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

/** An attempt that is made again asks the same again: what it had before is not paid for twice. */
async function openAnswers({ gatewayAnswersDir, gatewayDataDir, gitlabUrl }: GatewayConfig, log: Log) {
  const folder = gatewayAnswersDir ?? join(gatewayDataDir, 'answers');
  const store = await DiskAnswerStore.open({ folder }, { clock: systemClock, log, createId: randomUUID });
  return { store, installation: gitlabUrl };
}

/** Without a namespace of agents there are no pods: agents are started with their token. */
async function openIdentities(config: GatewayConfig, registry: Registry): Promise<AgentIdentities | undefined> {
  const { tasksNamespace, agentServiceAccount, gatewayAudience } = config;
  if (tasksNamespace === undefined) return undefined;
  const access = await loadKubeAccess({ ...kubePlace(config), clock: systemClock });
  const reviewer = kubeIdentityReviewer(createKubeClient({ access, metrics: createKubeMetrics(registry) }));
  return { reviewer, namespace: tasksNamespace, serviceAccount: agentServiceAccount, audience: gatewayAudience };
}

async function openStore({ redisUrl, redisWaitSeconds }: GatewayConfig, log: Log): Promise<RunStore> {
  if (redisUrl !== undefined) {
    const settings = { url: redisUrl, name: 'gateway', waitMs: redisWaitSeconds * 1000 };
    return new RedisRunStore(await connectRedis(settings, log));
  }
  log.warn({}, 'no DRYDOCK_REDIS_URL: runs and budgets are lost when this process ends');
  return new MemoryRunStore();
}

main().catch((error: unknown) => {
  if (!(error instanceof DrydockError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(error instanceof ConfigError ? exitCodes.badConfig : exitCodes.unavailable);
});
