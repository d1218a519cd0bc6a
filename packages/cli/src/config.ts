import { ForgeId, SecretList, SecretText, Severity } from '@drydock/core';
import { z } from 'zod';
import { reportFormats } from './report/report-format.ts';
import { globList } from './review/glob-list.ts';

const milliseconds = z.coerce.number().int().min(100);
const GlobList = z.string().transform(globList);
const httpUrl = z.url({ protocol: /^https?$/, error: 'an http or https URL' });

/** Settings of `drydock review`. A flag of the same name goes over each. */
export const ReviewConfig = z.object({
  base: z.string().optional().describe('Revision that the change is compared with (--base)'),
  format: z.enum(reportFormats).default('text').describe('Form of the report (--format)'),
  failOn: Severity.optional().describe('Findings of this severity or worse end the command with 1 (--fail-on)'),
  maxCost: z.coerce
    .number({ error: 'an amount of dollars, such as 0.50' })
    .positive({ error: 'an amount of dollars, such as 0.50' })
    .optional()
    .describe('US dollars that the review may cost (--max-cost)'),
  model: z
    .string()
    .optional()
    .describe('The model that reviews; "scripted": a few fixed rules, no key needed (--model)'),
  policyFile: z.string().optional().describe('YAML file with the review policy (--policy)'),
  only: GlobList.prefault('').describe('Globs of the only files to review, separated by commas (--only)'),
  skip: GlobList.prefault('').describe('Globs of files not to review, separated by commas (--skip)'),
  anthropicApiKey: SecretText.optional().meta({ env: 'ANTHROPIC_API_KEY' }).describe('Key of the Anthropic API'),
  modelUrl: httpUrl
    .default('https://api.anthropic.com')
    .describe('Server with a Messages endpoint below /v1/messages; only Anthropic needs the key'),
  modelPrices: z.string().optional().describe('Prices beside the built-in ones, as JSON; see the gateway'),
  modelSilenceMs: milliseconds.default(90_000).describe('How long a model may be silent'),
  modelCallMs: milliseconds.default(600_000).describe('How long a model call may take in all'),
  forgeId: ForgeId.default('gitlab').describe('Name of the forge in your installation'),
  gitlabUrl: httpUrl.default('https://gitlab.com').describe('The GitLab whose merge requests are reviewed'),
  gitlabToken: SecretText.optional().describe(
    'Access token for that GitLab: read_api and read_repository, to post: api',
  ),
  markerKeys: SecretList.optional().describe('Keys that sign comments, as in your installation; only to post'),
  cacheDir: z
    .string()
    .optional()
    .describe("Folder for the model's answers, kept for a day; default: drydock in the user's folder of caches"),
  xdgCacheHome: z.string().optional().meta({ env: 'XDG_CACHE_HOME' }).describe("The user's folder of caches"),
  home: z.string().optional().meta({ env: 'HOME' }).describe("The user's folder; caches are below it in .cache"),
  caFile: z.string().optional().describe('PEM file of private certificate authorities, trusted beside the usual ones'),
  httpProxy: z.string().optional().meta({ env: 'HTTP_PROXY' }).describe('Proxy for http addresses'),
  httpsProxy: z.string().optional().meta({ env: 'HTTPS_PROXY' }).describe('Proxy for https addresses'),
  noProxy: z.string().optional().meta({ env: 'NO_PROXY' }).describe('Hosts that are reached without a proxy'),
  path: z.string().default('/usr/local/bin:/usr/bin:/bin').meta({ env: 'PATH' }).describe('Where git is found'),
});
export type ReviewConfig = z.infer<typeof ReviewConfig>;
