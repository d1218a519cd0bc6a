import {
  DrydockError,
  StaleError,
  type AgentResult,
  type Clock,
  type Log,
  type Secret,
  type TaskContext,
} from '@drydock/core';
import { buildResult, emptyReview, failureOf } from './build-result.ts';
import type { AgentConfig } from './config.ts';
import { startDeadline, type Deadline } from './deadline.ts';
import { leaveOut } from './diff/left-out.ts';
import { readChange } from './diff/read-change.ts';
import { runLoop, type LoopEnd } from './loop/agent-loop.ts';
import { LoopBudget } from './loop/budget.ts';
import type { Model } from './loop/model.ts';
import { sendTurn } from './loop/send-turn.ts';
import { Transcript } from './loop/transcript.ts';
import { buildTask, systemPrompt } from './prompt/build-prompt.ts';
import type { ProgressReporter } from './progress-reporter.ts';
import { ReviewSession } from './review-session.ts';
import type { Stages } from './stages.ts';
import { reviewTools, toolDescriptions } from './tools/registry.ts';
import { runTool } from './tools/run-tool.ts';
import { checkOut, type Checkout } from './workspace/git-checkout.ts';
import { GitWorkspace } from './workspace/git-workspace.ts';

/** What a review needs of the world. */
export interface ReviewParts {
  readonly config: Pick<AgentConfig, 'gatewayUrl' | 'workDir' | 'path'>;
  readonly token: Secret;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly stages: Stages;
  readonly progress: Pick<ProgressReporter, 'add'>;
  /** When the process began, of the clock's monotonic time: its deadline counts from there. */
  readonly startedAtMs: number;
  readonly readContext: (signal: AbortSignal) => Promise<TaskContext>;
  /** Called while git fetches: the model's client is the largest thing that is imported. */
  readonly loadModel: () => Promise<Model>;
}

const maxCallsPerTurn = 24;
const maxCalls = 500;
/** A turn seldom needs more, and the gateway reserves the price of what is asked for. The policy's cap is the end of raising. */
const usualOutputTokens = 8000;

/**
 * Does the review that the gateway has for us, as far as it goes. An expected error is a result like any other; thrown
 * are `StaleError`, the reason of an aborted signal, and bugs.
 */
export async function runReview(parts: ReviewParts, signal: AbortSignal): Promise<AgentResult['result']> {
  try {
    const context = await parts.stages.run('context', () => parts.readContext(signal));
    using deadline = startDeadline(parts.clock, parts.startedAtMs, context.policy.budget.deadlineSeconds * 1000);
    return await reviewUntil(deadline, { parts, context }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DrydockError) || error instanceof StaleError) throw error;
    parts.log.warn({ code: error.code, err: error }, 'the review could not be done');
    return failureOf(error);
  }
}

interface Review {
  readonly parts: ReviewParts;
  readonly context: TaskContext;
}

async function reviewUntil(deadline: Deadline, review: Review, stop: AbortSignal): Promise<AgentResult['result']> {
  const { parts, context } = review;
  const signal = AbortSignal.any([stop, deadline.signal]);
  try {
    const settings = { ...parts.config, token: parts.token, searchPath: parts.config.path };
    const fetching = parts.stages.run('checkout', () => checkOut(context.diffRefs, settings, signal));
    const model = parts.loadModel();
    model.catch(() => undefined); // it is awaited below, unless git fails first
    await using checkout = await fetching;
    const session = await parts.stages.run('diff', () => readSession(checkout, context, signal));
    const facts = () => ({ headSha: context.diffRefs.headSha, stagesMs: parts.stages.durationsMs });
    if (session.files.every((file) => file.leftOut !== null)) return emptyReview(session, { ...facts(), turns: 0 });
    const { end, turns } = await parts.stages.run('review', async () =>
      converse(checkout, session, { ...review, deadline, model: await model }, signal),
    );
    return buildResult(session, end, { ...facts(), turns });
  } catch (error) {
    signal.throwIfAborted(); // git says only that it was given up, not why
    throw error;
  }
}

async function readSession(checkout: Checkout, { policy }: TaskContext, signal: AbortSignal): Promise<ReviewSession> {
  const { files, attributes } = await readChange(checkout, signal);
  return new ReviewSession({ files: leaveOut(files, { policy, attributes }), mayOfferSuggestions: policy.suggestions });
}

async function converse(
  checkout: Checkout,
  session: ReviewSession,
  { parts, context, model, deadline }: Review & { readonly deadline: Deadline; readonly model: Model },
  signal: AbortSignal,
): Promise<{ readonly end: LoopEnd; readonly turns: number }> {
  const { clock, log, random, progress } = parts;
  await using workspace = new GitWorkspace(
    checkout,
    session.files.map((file) => file.diff),
  );
  const budget = budgetOf(context, deadline, clock);
  const transcript = new Transcript({
    model: context.policy.model,
    system: systemPrompt,
    tools: toolDescriptions,
    task: buildTask(context, session.files),
  });
  const toolContext = {
    workspace,
    review: session,
    clock,
    onFinding: ({
      severity,
      path,
      startLine,
    }: {
      readonly severity: string;
      readonly path: string;
      readonly startLine: number;
    }) => {
      progress.add({ kind: 'finding', severity, path, line: startLine });
    },
  };
  const onProgress = progress.add.bind(progress);
  const end = await runLoop({
    transcript,
    budget,
    log,
    send: (request) => sendTurn(request, { model, clock, log, random, leftMs: () => budget.leftMs() }, signal),
    runTool: (call) => runTool(call, { tools: reviewTools, context: toolContext, onProgress, log, clock }, signal),
    isFinished: () => session.finished !== null,
    onTurn: (turn) => {
      progress.add({ kind: 'turn', turn });
    },
  });
  return { end, turns: budget.turns };
}

function budgetOf({ policy }: TaskContext, deadline: Deadline, clock: Clock): LoopBudget {
  const { maxTurns, maxOutputTokensPerTurn: maxRaisedOutputTokens } = policy.budget;
  const maxOutputTokens = Math.min(usualOutputTokens, maxRaisedOutputTokens);
  const deadlineMs = deadline.atMs;
  return new LoopBudget(
    { maxTurns, maxCallsPerTurn, maxCalls, deadlineMs, maxOutputTokens, maxRaisedOutputTokens },
    clock,
  );
}
