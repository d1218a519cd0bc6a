import { SecretText } from '@drydock/core';
import { z } from 'zod';

/** Settings of `drydock demo`. All are optional: without any, everything is embedded and a scripted model reviews. */
export const DemoConfig = z.object({
  anthropicApiKey: SecretText.optional()
    .meta({ env: 'ANTHROPIC_API_KEY' })
    .describe('With it, a Claude model does the review'),
  modelUrl: z.url().optional().describe('A server with an Anthropic Messages endpoint, which then does the review'),
  model: z.string().optional().describe('Which model, if not the default of the policy'),
  httpProxy: z.string().optional().meta({ env: 'HTTP_PROXY' }).describe('Proxy for http addresses'),
  httpsProxy: z.string().optional().meta({ env: 'HTTPS_PROXY' }).describe('Proxy for https addresses'),
  noProxy: z.string().optional().meta({ env: 'NO_PROXY' }).describe('Hosts that are reached without a proxy'),
  path: z.string().default('/usr/local/bin:/usr/bin:/bin').meta({ env: 'PATH' }).describe('Where git is found'),
  redisUrl: SecretText.optional().describe('A Redis for the queue; without it the queue is in memory'),
});
export type DemoConfig = z.infer<typeof DemoConfig>;
