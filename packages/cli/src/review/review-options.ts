import { readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { ConfigError, ReviewPolicy, readConfig, type Severity } from '@drydock/core';
import { parsePolicy } from '@drydock/policy';
import type { ReviewModel, ReviewSettings, ReviewSubject } from '@drydock/standalone/review';
import { ReviewConfig } from '../config.ts';
import type { ReportFormat } from '../report/report-format.ts';

/** The flags of `drydock review`, as they were given. */
export interface ReviewFlags {
  readonly base?: string;
  readonly head?: string;
  readonly root?: true;
  readonly staged?: true;
  readonly worktree?: true;
  readonly dryRun?: true;
  readonly post?: true;
  readonly yes?: true;
  readonly format?: ReportFormat;
  readonly output?: string;
  readonly failOn?: Severity;
  readonly maxCost?: number;
  readonly model?: string;
  readonly policy?: string;
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  /** False: `--no-cache`. */
  readonly cache: boolean;
  readonly quiet?: true;
  readonly jsonProgress?: true;
  /** False: `--no-pager`. */
  readonly pager: boolean;
}

/** What a call of the command comes to: flags before the environment. */
export interface ReviewOptions {
  readonly settings: ReviewSettings;
  readonly format: ReportFormat;
  /** Where the report goes; null: to standard output. */
  readonly file: string | null;
  /** Null: what the repository and the policy say. */
  readonly failOn: Severity | null;
  readonly isPosting: boolean;
}

interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly tempDir: string;
}

const anthropicHost = 'api.anthropic.com';

/** Reads all that a review is told. Throws a `ConfigError` that says what is missing, and how to go on without it. */
export async function reviewOptions(
  url: string | undefined,
  flags: ReviewFlags,
  { environment, cwd, tempDir }: Surroundings,
): Promise<ReviewOptions> {
  const config = readConfig(ReviewConfig, environment);
  const policyFile = flags.policy ?? config.policyFile;
  const model = modelOf(flags.model ?? config.model, config);
  const only = flags.only ?? config.only;
  const skip = flags.skip ?? config.skip;
  return {
    settings: {
      subject: subjectOf(url, flags, config, cwd),
      model,
      policy:
        policyFile === undefined
          ? ReviewPolicy.parse({})
          : parsePolicy(await readSetting(resolve(cwd, policyFile), '--policy'), policyFile),
      maxCostUsd: flags.maxCost ?? config.maxCost ?? null,
      only,
      skip,
      cacheDir: flags.cache ? cacheDirOf(config) : null,
      forge: { id: config.forgeId, baseUrl: config.gitlabUrl, token: config.gitlabToken ?? null },
      markerKeys: config.markerKeys ?? [],
      proxy: {
        httpProxy: config.httpProxy ?? null,
        httpsProxy: config.httpsProxy ?? null,
        noProxy: config.noProxy ?? null,
      },
      caPem: config.caFile === undefined ? null : await readSetting(resolve(cwd, config.caFile), 'DRYDOCK_CA_FILE'),
      searchPath: config.path,
      environment,
      tempDir,
    },
    format: flags.format ?? config.format,
    file: flags.output === undefined ? null : resolve(cwd, flags.output),
    failOn: flags.failOn ?? config.failOn ?? null,
    isPosting: flags.post === true,
  };
}

function subjectOf(url: string | undefined, flags: ReviewFlags, config: ReviewConfig, cwd: string): ReviewSubject {
  if (url !== undefined) return { kind: 'merge-request', url };
  // What a pipeline sets for all its jobs says nothing about work that is not committed.
  const isUncommitted = flags.staged === true || flags.worktree === true || flags.root === true;
  return {
    kind: 'local',
    wanted: {
      cwd,
      base: flags.base ?? (isUncommitted ? undefined : config.base) ?? null,
      head: flags.head ?? null,
      work: flags.staged === true ? 'staged' : flags.worktree === true ? 'worktree' : 'none',
      isRoot: flags.root === true,
    },
  };
}

function modelOf(name: string | undefined, config: ReviewConfig): ReviewModel {
  if (name === 'scripted') return { kind: 'scripted' };
  const { modelUrl: baseUrl, anthropicApiKey, modelPrices, modelSilenceMs, modelCallMs } = config;
  if (anthropicApiKey === undefined && new URL(baseUrl).hostname === anthropicHost) {
    throw new ConfigError(
      [
        'No model to review with: ANTHROPIC_API_KEY is not set. Make a key at https://platform.claude.com/settings/keys',
        'or let a model of your own review: DRYDOCK_MODEL_URL=http://localhost:11434 drydock review --model qwen3-coder',
        'or see first how a review looks, with a few fixed rules in place of a model: drydock review --model scripted',
      ].join('\n'),
    );
  }
  return {
    kind: 'server',
    baseUrl,
    apiKey: anthropicApiKey ?? null,
    name: name ?? null,
    pricesJson: modelPrices ?? null,
    silenceMs: modelSilenceMs,
    callMs: modelCallMs,
  };
}

/** Null: nobody knows where caches go. */
function cacheDirOf({ cacheDir, xdgCacheHome, home }: ReviewConfig): string | null {
  if (cacheDir !== undefined) return cacheDir;
  if (xdgCacheHome !== undefined && isAbsolute(xdgCacheHome)) return join(xdgCacheHome, 'drydock');
  return home !== undefined && isAbsolute(home) ? join(home, '.cache', 'drydock') : null;
}

async function readSetting(file: string, name: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`Wrong settings:\n  ${name}: the file ${file} cannot be read`, { cause });
  }
}
