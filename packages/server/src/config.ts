import { ForgeId, SecretList, SecretText, TextList } from '@drydock/core';
import { z } from 'zod';

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
});
export type ServerConfig = z.infer<typeof ServerConfig>;
