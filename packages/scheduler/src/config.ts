import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ForgeId, SecretList, SecretText, TextList } from '@drydock/core';
import { QueueConfig, StoreConfig } from '@drydock/queue';
import { z } from 'zod';
import { KubeConfig } from './kube-config.ts';
import { ShareConfig } from './share-config.ts';
import { SweepConfig } from './sweep/sweep-config.ts';

/** Settings of the scheduler process. */
export const SchedulerConfig = z.object({
  ...QueueConfig.shape,
  ...StoreConfig.shape,
  redisUrl: SecretText.describe('Redis that holds the queue, such as redis://localhost:6379'),
  gatewayUrl: z
    .url({ protocol: /^https?$/, error: 'an http or https URL' })
    .default('http://127.0.0.1:8081')
    .describe('Where the gateway is'),
  controlToken: SecretList.describe(
    'Shared with the gateway: proves that we are the scheduler. Of several, separated by commas, the first is used',
  ),
  forgeId: ForgeId.default('gitlab').describe('Name of the forge whose open merge requests are compared'),
  ...SweepConfig.shape,
  projects: TextList.prefault('*').describe(
    'Projects that are reviewed: globs of paths or numeric ids, separated by commas',
  ),
  policyFile: z.string().optional().describe('YAML file with the review policy; without it the defaults hold'),
  ...KubeConfig.shape,
  agentEntry: z.string().optional().describe('Path of the agent program, for the local launcher'),
  schedulerOwner: z
    .string()
    .default(() => hostname())
    .describe('Names this scheduler for people'),
  maxRunning: z.coerce
    .number()
    .int()
    .min(1)
    .default(2)
    .describe('Tasks running at once, over all schedulers: the same for each of them'),
  ...ShareConfig.shape,
  leaseTtlMs: z.coerce
    .number()
    .int()
    .min(5000)
    .default(15_000)
    .describe('How long a task stays with a scheduler that is silent'),
  pollMs: z.coerce.number().int().min(10).default(1000).describe('How often to ask for work when nothing woke us'),
  blockedDelayMs: z.coerce
    .number()
    .int()
    .min(1000)
    .default(60_000)
    .describe('How long a task rests whose forge or model refuses our credential'),
  agentGraceMs: z.coerce
    .number()
    .int()
    .min(0)
    .default(5000)
    .describe('Time between asking an agent to end and killing it'),
  workRoot: z
    .string()
    .default(() => join(tmpdir(), 'drydock-runs'))
    .describe('Where agents get their folders'),
  schedulerHost: z.string().default('0.0.0.0').describe('Address to listen on for health and metrics'),
  schedulerPort: z.coerce.number().int().min(0).max(65_535).default(8082).describe('Port of /healthz and /metrics'),
});
export type SchedulerConfig = z.infer<typeof SchedulerConfig>;
