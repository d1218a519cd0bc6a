/**
 * Begins a run: looks at the merge request and its repository as they are now, asks the repository's own wishes, and
 * puts together all that an agent is told. Repeating it gives the same run a new token, unless its pod fetches its own.
 */
import {
  BlockedError,
  StaleError,
  TransientError,
  narrowPolicy,
  runIdOf,
  type Clock,
  type MergeRequest,
  type ReachPoint,
  type ReviewPolicy,
  type RunGrant,
  type RunRequest,
  type Secret,
  type TaskContext,
} from '@drydock/core';
import type { Forge } from '@drydock/forge';
import { ObjectReader, runGit, type GitRepository } from '@drydock/git';
import type { MaybeExchange } from '../exchange/exchange-token.ts';
import type { Mirrors } from '../git/mirrors.ts';
import { budgetDay, isDaySpent, limitsOfPolicy } from '../model/reserve-call.ts';
import type { MarkerKeys } from '../publish/marker.ts';
import { readEarlierFindings } from '../publish/read-earlier-findings.ts';
import { firstDeadlineMs } from '../runs/run-deadline.ts';
import type { RunStore } from '../runs/run-store.ts';
import { createRunToken, hashRunToken } from '../runs/run-token.ts';
import { taskDelimiter } from './delimiter.ts';
import { readGuidelines } from './guidelines.ts';
import { isAnythingLeft, objectionOf } from './object-to-run.ts';
import { readRepositoryConfig } from './read-repository-config.ts';

/** What beginning a run needs. */
export interface StartPorts extends MaybeExchange {
  readonly forge: Forge;
  readonly mirrors: Mirrors;
  readonly store: RunStore;
  readonly markerKeys: MarkerKeys;
  /** Makes delimiters. */
  readonly delimiterKey: Secret;
  /** Of runs for whose project no other policy was chosen. */
  readonly policy: ReviewPolicy;
  /** Has the last word on the policy of a run, after the repository's wishes. */
  readonly overrule: (narrowed: ReviewPolicy) => ReviewPolicy;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  readonly reach?: ReachPoint | undefined;
}

/** For a scheduler that does not say how long a pod may take. */
const usualStartSeconds = 900;
const maxDescriptionChars = 64_000;
const maxTitleChars = 1000;

/** Grants a run or says why not. Throws `StaleError` when the merge request or the task has moved on. */
export async function startRun(ports: StartPorts, request: RunRequest, signal: AbortSignal): Promise<RunGrant> {
  const { store, clock } = ports;
  if (request.credential === 'exchange' && ports.exchange === null) {
    throw new BlockedError(
      'gateway.no_exchange',
      'the gateway takes no identities of pods: set DRYDOCK_TASKS_NAMESPACE',
    );
  }
  const day = budgetDay(clock.nowMs(), request.policy?.name);
  if (isDaySpent(await store.dayUsage(day), limitsOfPolicy(policyOf(ports, request)))) {
    return { kind: 'over-budget', why: 'the budget of this day is used up; it starts anew at midnight UTC' };
  }
  const { mergeRequest } = await ports.forge.readMergeRequest(request.subject, signal);
  assertSame(mergeRequest, request);
  const repo = await ports.mirrors.ensure(
    {
      subject: request.subject,
      refs: request.diffRefs,
      targetBranch: mergeRequest.targetBranch,
      remote: () => ports.forge.gitRemote(mergeRequest.projectPath, request.subject.iid),
    },
    signal,
  );
  const prepared = await prepare(ports, { request, mergeRequest, repo }, signal);
  return prepared.kind === 'skip' ? prepared : grant(ports, prepared.context, mergeRequest.projectPath, request);
}

/** The scheduler chooses among policies; it is believed, as in all else that it asks. */
function policyOf({ policy }: StartPorts, request: RunRequest): ReviewPolicy {
  return request.policy?.review ?? policy;
}

/** The scheduler decided by what it read a moment ago. */
function assertSame({ state, headSha, diffRefs }: Omit<MergeRequest, 'reviewed'>, request: RunRequest): void {
  if (state !== 'opened') throw new StaleError('merge_request.closed', 'the merge request is no longer open');
  if (headSha !== request.diffRefs.headSha) {
    throw new StaleError('merge_request.head_moved', 'the merge request has a newer head');
  }
  if (diffRefs === null) throw new TransientError('forge.not_ready', 'the forge has not prepared the diff yet');
  const { baseSha, startSha } = request.diffRefs;
  if (diffRefs.baseSha !== baseSha || diffRefs.startSha !== startSha) {
    throw new StaleError('merge_request.head_moved', 'the merge request has another base');
  }
}

interface Ground {
  readonly request: RunRequest;
  readonly mergeRequest: Omit<MergeRequest, 'reviewed'>;
  readonly repo: GitRepository;
}

async function prepare(
  ports: StartPorts,
  { request, mergeRequest, repo }: Ground,
  signal: AbortSignal,
): Promise<Extract<RunGrant, { kind: 'skip' }> | { readonly kind: 'prepared'; readonly context: TaskContext }> {
  const { startSha } = request.diffRefs;
  await using reader = new ObjectReader({ repo });
  const wishes = await readRepositoryConfig(reader, startSha, signal);
  if (wishes.kind === 'invalid') return { kind: 'skip', why: 'bad-repository-config', detail: wishes.detail };
  const policy = ports.overrule(narrowPolicy(policyOf(ports, request), wishes.config));
  const objection = objectionOf(wishes.config, policy, mergeRequest, request.trigger);
  if (objection !== null) return objection;

  const changedPaths = await listChangedPaths(repo, request.diffRefs, signal);
  if (!isAnythingLeft(changedPaths, policy, () => ports.clock.monotonicMs())) {
    const detail = changedPaths.length === 0 ? 'it changes no file' : 'every changed file is ignored';
    return { kind: 'skip', why: 'nothing-to-review', detail };
  }
  const [guidelines, earlierFindings] = await Promise.all([
    readGuidelines({ repo, reader, revision: startSha }, changedPaths, signal),
    readEarlierFindings(ports, request.subject, signal),
  ]);
  const { taskId, launch, subject, trigger, diffRefs } = request;
  const context: TaskContext = {
    v: 1,
    taskId,
    launch,
    subject,
    trigger,
    mergeRequest: describe(mergeRequest),
    diffRefs,
    policy,
    guidelines,
    earlierFindings,
    delimiter: taskDelimiter(ports.delimiterKey, taskId, diffRefs),
  };
  return { kind: 'prepared', context };
}

function describe({
  title,
  description,
  author,
  sourceBranch,
  targetBranch,
  labels,
}: Omit<MergeRequest, 'reviewed'>): TaskContext['mergeRequest'] {
  return {
    title: title.slice(0, maxTitleChars),
    description: description.slice(0, maxDescriptionChars),
    author: author.username,
    sourceBranch,
    targetBranch,
    labels: labels.slice(0, 100),
  };
}

async function listChangedPaths(
  repo: GitRepository,
  { baseSha, headSha }: RunRequest['diffRefs'],
  signal: AbortSignal,
): Promise<string[]> {
  const { stdout } = await runGit({
    repo,
    args: ['diff-tree', '-r', '-z', '--name-only', '--no-renames', baseSha, headSha],
    signal,
    timeoutMs: 120_000,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  return stdout.toString('utf8').split('\0').filter(Boolean);
}

async function grant(
  ports: StartPorts,
  context: TaskContext,
  projectPath: string,
  { credential = 'grant', startSeconds = usualStartSeconds, policy }: RunRequest,
): Promise<RunGrant> {
  const runId = runIdOf(context.taskId, context.launch);
  const token = credential === 'grant' ? createRunToken(ports.randomBytes) : null;
  const startedAtMs = ports.clock.nowMs();
  const { deadlineSeconds } = context.policy.budget;
  const start = token === null ? { startSeconds } : {};
  const deadlineAtMs = firstDeadlineMs({ context, startedAtMs, ...start });
  const named = policy === undefined ? {} : { policyName: policy.name };
  const record = { v: 1, runId, context, projectPath, ...named, ...start, startedAtMs, deadlineAtMs } as const;
  const started = await ports.store.start(record, token === null ? null : hashRunToken(token));
  ports.reach?.('run.recorded');
  switch (started) {
    case 'started':
      if (token === null) return { kind: 'to-exchange', runId, deadlineSeconds };
      return { kind: 'granted', runId, token, deadlineSeconds };
    case 'superseded':
      throw new StaleError('run.launch_superseded', 'a newer launch of this task has begun');
    case 'revoked':
      throw new StaleError('run.revoked', 'this launch was ended');
  }
}
