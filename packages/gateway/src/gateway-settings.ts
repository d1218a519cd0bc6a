import { readFile } from 'node:fs/promises';
import { ConfigError, ReviewPolicy, type Secret } from '@drydock/core';
import { parsePolicy } from '@drydock/policy';
import type { z } from 'zod';
import { GatewayConfig } from './config.ts';
import type { GatewaySettings } from './start-gateway.ts';

/** Settings of a gateway that shares a process with the rest: no cluster around it, and no answers that others share. */
export const EmbeddedGatewayConfig = GatewayConfig.omit({
  gatewayAnswersDir: true,
  tasksNamespace: true,
  kubeconfig: true,
  kubeHost: true,
  kubePort: true,
  agentServiceAccount: true,
  gatewayAudience: true,
});
export type EmbeddedGatewayConfig = z.infer<typeof EmbeddedGatewayConfig>;

/** What a gateway is started with, from its settings; reads the files that they name. Throws `ConfigError`. */
export async function gatewaySettings(config: EmbeddedGatewayConfig): Promise<GatewaySettings> {
  const { anthropicApiKey, modelUrl, policyFile, caFile } = config;
  if (anthropicApiKey === undefined && new URL(modelUrl).hostname === 'api.anthropic.com') {
    throw new ConfigError(
      'Wrong settings:\n  ANTHROPIC_API_KEY (not set): make one at https://platform.claude.com/settings/keys, or set DRYDOCK_MODEL_URL to a server that wants none',
    );
  }
  return {
    listen: { host: config.gatewayHost, port: config.gatewayPort },
    controlTokens: config.controlToken,
    viewTokens: viewTokensOf(config),
    forges: [{ kind: 'gitlab', id: config.forgeId, baseUrl: config.gitlabUrl, token: config.gitlabToken }],
    model: {
      baseUrl: modelUrl,
      apiKey: anthropicApiKey ?? null,
      prices: config.modelPrices ?? {},
      allowedModels: config.allowedModels,
      allowedBetas: config.allowedBetas,
      silenceMs: config.modelSilenceMs,
      callMs: config.modelCallMs,
      maxRequestBytes: config.maxModelRequestBytes,
    },
    markerKeys: config.markerKeys,
    policy: policyFile === undefined ? ReviewPolicy.parse({}) : parsePolicy(await readSetting(policyFile), policyFile),
    dataDir: config.gatewayDataDir,
    searchPath: config.path,
    gitFetchMs: config.gitFetchMs,
    gitServeMs: config.gitServeMs,
    proxy: {
      httpProxy: config.httpProxy ?? null,
      httpsProxy: config.httpsProxy ?? null,
      noProxy: config.noProxy ?? null,
    },
    caPem: caFile === undefined ? null : await readSetting(caFile),
  };
}

/** A token that looks must not be one that acts: who gives it away would not know. */
function viewTokensOf({ viewTokens = [], controlToken }: EmbeddedGatewayConfig): readonly Secret[] {
  const acting = new Set(controlToken.map((token) => token.reveal()));
  if (!viewTokens.some((token) => acting.has(token.reveal()))) return viewTokens;
  throw new ConfigError(
    'Wrong settings:\n  DRYDOCK_VIEW_TOKENS: holds a token of DRYDOCK_CONTROL_TOKEN; make another one',
  );
}

async function readSetting(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`The file ${file} of the settings cannot be read`, { cause });
  }
}
