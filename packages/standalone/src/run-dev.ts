/** `drydock dev`: everything in one process, against a real GitLab. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DrydockError, pinoLog, systemClock, type Log } from '@drydock/core';
import { createForge } from '@drydock/forge';
import { gatewaySettings } from '@drydock/gateway';
import { controlTokens } from '@drydock/server';
import { pino } from 'pino';
import type { StandaloneConfig } from './config.ts';
import { startStandalone } from './start-standalone.ts';
import { writeTokenFile } from './token-file.ts';

const tokenFileName = 'control-token';

/** Where `dev` writes. */
export interface DevIo {
  readonly out: NodeJS.WriteStream;
  readonly version: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Runs until the signal. Throws `ConfigError`, `BlockedError` or `TransientError` for what is wrong at the start. */
export async function runDev(config: StandaloneConfig, io: DevIo): Promise<void> {
  const log = pinoLog(pino({ base: null }, io.out));
  const gateway = await gatewaySettings({
    ...config,
    controlToken: [],
    viewTokens: [],
    gatewayHost: '',
    gatewayPort: 0,
    gatewayDataDir: '',
  });
  const policy = config.model === undefined ? gateway.policy : { ...gateway.policy, model: config.model };
  await checkForges(gateway, log, io.signal);
  if (config.redisUrl === undefined) log.warn({}, 'no DRYDOCK_REDIS_URL: what waits is lost when this process ends');
  log.warn({}, 'agents are child processes of this user: no isolation, for trusted merge requests only');
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });

  const own = await writeTokenFile(join(config.dataDir, tokenFileName));

  await using standalone = await startStandalone(
    {
      gateway,
      policy,
      forgeId: config.forgeId,
      webhookSecrets: config.webhookSecrets,
      projects: config.projects,
      controlTokens: [...controlTokens(config), own.token],
      redis: config.redisUrl === undefined ? null : { url: config.redisUrl, waitMs: config.redisWaitSeconds * 1000 },
      listen: { host: config.serverHost, port: config.serverPort },
      debounceMs: config.debounceMs,
      maxDebounceMs: config.maxDebounceMs,
      maxBodyBytes: config.maxBodyBytes,
      maxRunning: config.maxRunning,
      keepDays: config.keepDays,
      shares: {
        maxRunningPerForge: config.maxRunningPerForge,
        maxRunningPerProject: config.maxRunningPerProject,
        projectShares: config.projectShares,
      },
      sweep: { everyMs: config.sweepEveryMs, reachMs: config.sweepReachDays * 24 * 3_600_000 },
      dataDir: config.dataDir,
      searchPath: config.path,
      version: io.version,
    },
    { clock: systemClock, log },
  );
  log.info({ url: `${standalone.serverUrl}/webhooks/${config.forgeId}`, model: policy.model }, 'waiting for webhooks');
  log.info({ url: standalone.serverUrl, place: own.file }, 'control API: an admin token is in this file');
  const stopped = new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener('abort', () => {
      resolve();
    });
  });
  await Promise.race([stopped, standalone.ended]);
  log.info({}, 'stopping');
}

/** A wrong URL, token or certificate is better said now than at the first webhook. */
async function checkForges(
  { forges, proxy, caPem }: Awaited<ReturnType<typeof gatewaySettings>>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (const settings of forges) {
    const forge = createForge({ ...settings, proxy, caPem, clock: systemClock });
    try {
      await forge.self(signal);
      log.info({ forge: settings.id, url: settings.baseUrl }, 'forge knows our token');
    } catch (error) {
      if (error instanceof DrydockError)
        log.error({ forge: settings.id, url: settings.baseUrl, code: error.code }, 'forge cannot be used');
      throw error;
    } finally {
      await forge.close();
    }
  }
}
