import { ForgeId, SecretList, SecretText, TextList } from '@drydock/core';
import { QueueConfig, StoreConfig } from '@drydock/queue';
import { z } from 'zod';
import { NamedTokens } from './control/control-tokens.ts';

/** Settings of the webhook server. */
export const ServerConfig = z.object({
  serverPort: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .describe('Port for webhooks, health and metrics'),
  serverHost: z.string().default('0.0.0.0').describe('Address to listen on'),
  ...QueueConfig.shape,
  ...StoreConfig.shape,
  redisUrl: SecretText.describe('Redis that holds the queue, such as redis://localhost:6379'),
  forgeId: ForgeId.default('gitlab').describe('Name of the forge, and the last part of its webhook path'),
  webhookSecrets: SecretList.describe(
    'Active webhook secrets, separated by commas: whsec_… signs, anything else is a token',
  ),
  projects: TextList.prefault('*').describe(
    'Projects whose events are taken: globs of paths or numeric ids, separated by commas',
  ),
  debounceMs: z.coerce
    .number()
    .int()
    .min(0)
    .default(5000)
    .describe('How long to wait for more events of a merge request'),
  maxDebounceMs: z.coerce.number().int().min(0).default(30_000).describe('The longest such wait'),
  maxBodyBytes: z.coerce
    .number()
    .int()
    .min(1024)
    .default(25 * 1024 * 1024)
    .describe('Largest delivery'),
  viewerTokens: NamedTokens.optional().describe(
    'Tokens of the control API that may read: name:token, separated by commas. Without these and those of admins there is no API',
  ),
  adminTokens: NamedTokens.optional().describe(
    'Tokens of the control API that may do all: name:token, separated by commas; the name is kept with what is done',
  ),
  gatewayUrl: z
    .url({ protocol: /^https?$/, error: 'an http or https URL' })
    .optional()
    .describe('Address of the gateway, from which logs of runs are read'),
  gatewayViewToken: SecretText.optional().describe(
    "One of the gateway's DRYDOCK_VIEW_TOKENS; with it the control API shows logs of runs",
  ),
});
export type ServerConfig = z.infer<typeof ServerConfig>;
