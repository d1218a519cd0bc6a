import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ForgeId, SecretList, SecretText, TextList } from '@drydock/core';
import { KubeAccessConfig } from '@drydock/kube';
import { StoreConfig } from '@drydock/queue';
import { z } from 'zod';
import { ModelPrices } from './model/model-prices.ts';

const JsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'no JSON' });
    return z.NEVER;
  }
});

/** A DNS label, as names of namespaces are. */
const KubeName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a name as Kubernetes takes it');

const milliseconds = z.coerce.number().int().min(100);
const leastSecretLength = 16;
const LongSecretList = SecretList.refine(
  (secrets) => secrets.every((secret) => secret.reveal().length >= leastSecretLength),
  { error: `each at least ${String(leastSecretLength)} characters long, such as what "openssl rand -hex 32" gives` },
);

/** Settings of the gateway process, the only one that is given credentials of forges and models. */
export const GatewayConfig = z.object({
  gatewayHost: z.string().default('127.0.0.1').describe('Address to listen on'),
  gatewayPort: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8081)
    .describe('Port for agents, scheduler, health and metrics'),
  controlToken: LongSecretList.describe(
    'Shared with scheduler and server: whoever has it may start runs and publish. Several, separated by commas, are all taken',
  ),
  viewTokens: LongSecretList.optional().describe(
    'Read runs, their progress and reports, and metrics, and nothing else; the server shows logs with one. Several, separated by commas, are all taken',
  ),
  redisUrl: SecretText.optional().describe('Redis that keeps runs; without it they are lost when the process ends'),
  ...StoreConfig.shape,
  forgeId: ForgeId.default('gitlab').describe('Name of the forge, as in its webhook path'),
  gitlabUrl: z
    .url({ protocol: /^https?$/, error: 'an http or https URL' })
    .describe('Address of GitLab, such as https://gitlab.example.com'),
  gitlabToken: SecretText.describe("Access token of the bot's own GitLab account, with the scope api"),
  anthropicApiKey: SecretText.optional()
    .meta({ env: 'ANTHROPIC_API_KEY' })
    .describe('Key of the Anthropic API; not needed when DRYDOCK_MODEL_URL names a server that wants none'),
  modelUrl: z
    .url({ protocol: /^https?$/, error: 'an http or https URL' })
    .default('https://api.anthropic.com')
    .describe('Server with a Messages endpoint below /v1/messages'),
  modelPrices: JsonText.pipe(ModelPrices)
    .optional()
    .describe(
      'Prices beside the built-in ones, as JSON: {"my-model": {"input": 1, "output": 5, "cacheRead": 0.1, "cacheWrite": 1.25}} in dollars per million tokens',
    ),
  allowedModels: TextList.prefault('').describe('Models that agents may use beside the one of the policy'),
  allowedBetas: TextList.prefault('').describe('Values of the anthropic-beta header that agents may send'),
  modelSilenceMs: milliseconds
    .default(90_000)
    .describe('How long a model may be silent, before its answer and in it; local models may need more'),
  modelCallMs: milliseconds.default(600_000).describe('How long a model call may take in all'),
  maxModelRequestBytes: z.coerce
    .number()
    .int()
    .min(1024)
    .default(16 * 1024 * 1024)
    .describe('Largest model request of an agent'),
  tasksNamespace: KubeName.optional().describe(
    "Kubernetes namespace of the agents' pods, which exchange their identity for the token of their run; without it there is no such exchange. The gateway must run in that cluster, or KUBECONFIG name it",
  ),
  ...KubeAccessConfig.shape,
  agentServiceAccount: KubeName.default('drydock-agent').describe("ServiceAccount of the agents' pods"),
  gatewayAudience: z
    .string()
    .min(1)
    .max(200)
    .default('drydock-gateway')
    .describe("Audience of the identities that the agents' pods present: a token for another is refused"),
  markerKeys: LongSecretList.describe(
    'Keys that sign our comments, so that we know them again. The first signs, all are believed: put a new one first and keep the old ones',
  ),
  policyFile: z.string().optional().describe('YAML file with the review policy; without it the defaults hold'),
  gatewayDataDir: z
    .string()
    .default(() => join(tmpdir(), 'drydock-gateway'))
    .describe('Folder of its own for mirrors of repositories'),
  gatewayAnswersDir: z
    .string()
    .optional()
    .describe(
      'Folder for answers of the model, kept for a day so that an attempt made again costs nothing; several gateways may share it. Unset: in the data folder',
    ),
  gitFetchMs: milliseconds.default(600_000).describe('How long fetching a repository may take'),
  gitServeMs: milliseconds.default(600_000).describe('How long sending a pack to an agent may take'),
  caFile: z.string().optional().describe('PEM file of private certificate authorities, trusted beside the usual ones'),
  httpProxy: z.string().optional().meta({ env: 'HTTP_PROXY' }).describe('Proxy for http addresses'),
  httpsProxy: z.string().optional().meta({ env: 'HTTPS_PROXY' }).describe('Proxy for https addresses'),
  noProxy: z.string().optional().meta({ env: 'NO_PROXY' }).describe('Hosts that are reached without a proxy'),
  path: z.string().default('/usr/local/bin:/usr/bin:/bin').meta({ env: 'PATH' }).describe('Where git is found'),
});
export type GatewayConfig = z.infer<typeof GatewayConfig>;
