/** What one review is played on: a gateway in this process, agents as children, all of it gone at the end. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { agentMainPath } from '@drydock/agent';
import {
  Secret,
  readConfig,
  runIdOf,
  taskIdOf,
  type Clock,
  type DiffRefs,
  type Log,
  type MergeRequest,
  type MergeRequestRef,
  type Publication,
  type ReviewPolicy,
  type ReviewReport,
  type RunGrant,
  type RunId,
  type RunUsage,
  type RunView,
} from '@drydock/core';
import {
  DiskAnswerStore,
  GatewayConfig,
  MemoryRunStore,
  startGateway,
  type GatewayForge,
  type GatewayLocalChange,
} from '@drydock/gateway';
import { HttpGateway, LocalLauncher, runAgent, type AgentExit } from '@drydock/scheduler';
import { Registry } from 'prom-client';
import { scriptedModelName, startScriptedModel } from '../scripted-model.ts';
import { localSecret } from './local-secret.ts';
import type { ReviewEnd, ReviewPorts, ReviewSettings } from './review-settings.ts';

/** Settings of a stage. */
export interface StageSettings extends Omit<ReviewSettings, 'subject'> {
  readonly forges: readonly GatewayForge[];
  /** Null: the merge request of a forge. */
  readonly local: GatewayLocalChange | null;
  /** Names the repository or the forge for what is kept of the model's answers. */
  readonly scope: string;
}

/** A review that has ended well, before anything is posted. */
export interface Reviewed {
  readonly kind: 'reviewed';
  readonly report: ReviewReport;
  readonly runId: RunId;
}

/** The stage. Dispose of it: what runs is ended, and nothing is left behind. */
export interface ReviewStage extends AsyncDisposable {
  readMergeRequest(ref: MergeRequestRef): Promise<MergeRequest>;
  review(subject: {
    readonly ref: MergeRequestRef;
    readonly diffRefs: DiffRefs;
  }): Promise<Reviewed | Exclude<ReviewEnd, { kind: 'reviewed' }>>;
  publish(runId: RunId): Promise<Publication>;
}

const launch = 1;
const agentGraceMs = 5000;
const pollMs = 100;
const timeouts = { timeoutMs: 60_000, longTimeoutMs: 600_000 };

/** Starts a stage. Throws `ConfigError` for a wrong setting. */
export async function startReviewStage(settings: StageSettings, ports: ReviewPorts): Promise<ReviewStage> {
  const { clock, signal } = ports;
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(settings.tempDir, 'drydock-review-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const log = notesOf(ports);
  const scripted = settings.model.kind === 'scripted' ? stack.use(await startScriptedModel()) : null;
  const policy = policyOf(settings);
  const controlToken = new Secret(randomBytes(32).toString('hex'));
  const delimiterKey = await localSecret(settings.cacheDir, randomBytes);
  const gateway = await startGateway(
    {
      listen: { host: '127.0.0.1', port: 0 },
      controlTokens: [controlToken],
      forges: settings.forges,
      ...(settings.local === null ? {} : { local: settings.local }),
      model: modelOf(settings, scripted),
      markerKeys: settings.markerKeys.length === 0 ? [delimiterKey] : settings.markerKeys,
      policy,
      overrule: overruleOf(settings),
      dataDir: join(folder, 'mirrors'),
      searchPath: settings.searchPath,
      proxy: settings.proxy,
      caPem: settings.caPem,
      answers: await openAnswers(settings, { clock, log }),
    },
    { store: new MemoryRunStore(), clock, log, registry: new Registry() },
  );
  stack.defer(() => gateway.close());
  const client = new HttpGateway({ url: gateway.url, controlToken, ...timeouts });
  const launcher = new LocalLauncher(
    {
      command: [process.execPath, agentMainPath],
      gatewayUrl: gateway.url,
      workRoot: join(folder, 'runs'),
      path: settings.searchPath,
      graceMs: agentGraceMs,
    },
    clock,
    log,
  );
  const kept = stack.move();
  return {
    readMergeRequest: (ref) => client.readMergeRequest(ref, signal),
    review: (subject) => review({ client, launcher, log, ports }, subject),
    publish: (runId) => client.publishRun(runId, signal),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The scripted model costs nothing, so that nothing of it is kept. */
async function openAnswers(
  { cacheDir, scope, model }: StageSettings,
  world: { readonly clock: Clock; readonly log: Log },
) {
  if (cacheDir === null || model.kind === 'scripted') return null;
  const folder = join(cacheDir, 'answers');
  return { installation: scope, store: await DiskAnswerStore.open({ folder }, { ...world, createId: randomUUID }) };
}

interface Stage {
  readonly client: HttpGateway;
  readonly launcher: LocalLauncher;
  readonly log: Log;
  readonly ports: ReviewPorts;
}

async function review(
  { client, launcher, log, ports }: Stage,
  { ref, diffRefs }: { readonly ref: MergeRequestRef; readonly diffRefs: DiffRefs },
): Promise<Reviewed | Exclude<ReviewEnd, { kind: 'reviewed' }>> {
  const { clock, signal } = ports;
  const taskId = taskIdOf('review', ref);
  const runId = runIdOf(taskId, launch);
  try {
    const grant = await client.startRun({ v: 1, taskId, launch, subject: ref, diffRefs, trigger: 'manual' }, signal);
    if (grant.kind !== 'granted') return notBegun(grant);
    const over = new AbortController();
    const telling = tellProgress({ client, ports }, runId, over.signal);
    const token = new Secret(grant.token);
    const exit = await runAgent(
      { gateway: client, launcher, clock, log },
      { runId, token, deadlineSeconds: grant.deadlineSeconds },
      signal,
    ).finally(() => {
      over.abort();
    });
    await telling;
    if (signal.aborted) return await cancelled(client, runId);
    const run = await client.readRun(runId, signal);
    if (run?.result?.kind !== 'review') return notReviewed(run, exit);
    return { kind: 'reviewed', report: await client.reportRun(runId, signal), runId };
  } catch (error) {
    if (signal.aborted) return cancelled(client, runId);
    throw error;
  }
}

/** Tells what the agent does, until it has ended and the last of it is told. */
async function tellProgress(
  { client, ports }: Pick<Stage, 'client' | 'ports'>,
  runId: RunId,
  over: AbortSignal,
): Promise<void> {
  let after = 0;
  for (;;) {
    const isLast = over.aborted;
    for (const entry of await client.readProgress(runId, after, AbortSignal.timeout(timeouts.timeoutMs))) {
      after = entry.seq;
      ports.onProgress({ kind: 'agent', entry });
    }
    if (isLast) return;
    await ports.clock.sleep(pollMs, over);
  }
}

function notBegun(grant: Exclude<RunGrant, { kind: 'granted' }>): Exclude<ReviewEnd, { kind: 'reviewed' }> {
  if (grant.kind === 'over-budget') return { kind: 'over-budget', why: grant.why, usage: null };
  if (grant.kind === 'to-exchange') throw new Error('a grant without a token was not asked for');
  switch (grant.why) {
    case 'bad-repository-config':
      return { kind: 'bad-config', why: `.drydock.yaml of the base is wrong: ${grant.detail}` };
    case 'switched-off-by-repository':
    case 'draft':
    case 'label':
    case 'nothing-to-review':
      return { kind: 'nothing', why: `Nothing to review: ${grant.detail}.` };
  }
}

function notReviewed(run: RunView | null, exit: AgentExit): Exclude<ReviewEnd, { kind: 'reviewed' }> {
  const usage = run?.usage ?? null;
  if (run?.result?.kind === 'failed') {
    const { code, message } = run.result;
    if (code === 'budget.run_spent' || code === 'budget.day_spent') return { kind: 'over-budget', why: message, usage };
    return { kind: 'failed', why: message, code, usage };
  }
  if (exit.kind === 'timed-out') {
    return { kind: 'failed', why: 'The time for one review is used up.', code: 'run.timed_out', usage };
  }
  const words = exit.kind === 'exited' ? exit.lastWords.trim().split('\n').at(-1) : undefined;
  const why = `The agent ended without a result${words === undefined || words === '' ? '' : `: ${words}`}`;
  return { kind: 'failed', why, code: 'run.crashed', usage };
}

async function cancelled(client: HttpGateway, runId: RunId): Promise<Exclude<ReviewEnd, { kind: 'reviewed' }>> {
  const run = await client.readRun(runId, AbortSignal.timeout(agentGraceMs));
  const usage: RunUsage | null = run?.usage ?? null;
  return { kind: 'cancelled', usage };
}

function policyOf({ policy, model }: StageSettings): ReviewPolicy {
  if (model.kind === 'scripted') return { ...policy, model: scriptedModelName };
  return model.name === null ? policy : { ...policy, model: model.name };
}

/** What was asked for on the command line goes over what the repository wishes. */
function overruleOf({ maxCostUsd, only, skip }: StageSettings): (narrowed: ReviewPolicy) => ReviewPolicy {
  return (narrowed) => ({
    ...narrowed,
    onlyPaths: only.length === 0 ? narrowed.onlyPaths : [...only],
    ignorePaths: [...narrowed.ignorePaths, ...skip],
    budget: maxCostUsd === null ? narrowed.budget : { ...narrowed.budget, usdPerRun: maxCostUsd },
  });
}

function modelOf({ model }: StageSettings, scripted: { readonly url: string; readonly apiKey: Secret } | null) {
  if (model.kind === 'scripted' || scripted !== null) {
    if (scripted === null) throw new Error('the scripted model was not started');
    return {
      baseUrl: scripted.url,
      apiKey: scripted.apiKey,
      prices: { [scriptedModelName]: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 } },
    };
  }
  const { baseUrl, apiKey, pricesJson, silenceMs, callMs } = model;
  const { modelPrices } = readConfig(GatewayConfig.pick({ modelPrices: true }), {
    DRYDOCK_MODEL_PRICES: pricesJson ?? undefined,
  });
  return { baseUrl, apiKey, prices: modelPrices ?? {}, silenceMs, callMs };
}

/** The processes' warnings as progress: one line each, of facts that are no secrets. */
function notesOf({ onProgress }: ReviewPorts): Log {
  const note =
    (level: 'warn' | 'error') => (facts: { readonly code?: string; readonly reason?: string }, message: string) => {
      const why = facts.code ?? facts.reason;
      onProgress({ kind: 'note', level, text: why === undefined ? message : `${message} (${why})` });
    };
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: note('warn'),
    error: note('error'),
    child: () => log,
  };
  return log;
}
