/**
 * A Messages call of an agent: checked, rebuilt, answered from the store if it was asked before, else paid for, sent
 * with our key, and its answer passed through byte for byte. Nothing of the agent's headers goes upstream but betas of
 * the allow-list.
 */
import type { ServerResponse } from 'node:http';
import { DrydockError, TerminalError, type Clock, type Log, type ReachPoint, type TokenUsage } from '@drydock/core';
import type { HttpClient } from '@drydock/http';
import type { RunStore, StoredRun } from '../runs/run-store.ts';
import { answerKey, answerScope } from './answer-key.ts';
import { CallReuse, type ReusePorts } from './call-reuse.ts';
import { MessagesRequest, describeRequestProblem } from './messages-request.ts';
import { priceOf, type CallTokens } from './model-prices.ts';
import type { ModelSettings } from './model-settings.ts';
import { openAnswer, type UpstreamCall } from './open-answer.ts';
import { relayMessage, relayStored, relayStream, type RelayTarget } from './relay-answer.ts';
import { budgetDay, reserveCall, type CallOutcome } from './reserve-call.ts';

/** What the proxy needs of the world. */
export interface ModelPorts extends ReusePorts {
  readonly http: HttpClient;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly createId: () => string;
  readonly log: Log;
  readonly reach?: ReachPoint | undefined;
  /** Told what a call came to that was not answered from the store. `outcome` is `answered` or the code of its error. */
  readonly onCall: (call: {
    readonly model: string;
    readonly outcome: string;
    readonly tokens: TokenUsage | null;
  }) => void;
}

/** One call as it came. */
export interface AgentCall {
  readonly run: StoredRun;
  /** The body, read and parsed. */
  readonly body: unknown;
  /** Its `anthropic-beta` header. */
  readonly beta: string;
  /** Ends when the agent leaves, its run is revoked or its time is over. */
  readonly signal: AbortSignal;
}

/**
 * Answers a call. Throws a `DrydockError` while nothing is sent; later troubles become an error event of the stream or
 * a broken connection. What is in the store costs nothing, so it needs no budget.
 */
export async function proxyMessages(
  ports: ModelPorts,
  settings: ModelSettings,
  call: AgentCall,
  response: ServerResponse,
): Promise<void> {
  const { run, signal } = call;
  const request = checkedRequest(call, settings);
  const { runId, context } = run.record;
  const isStreamed = request.stream === true;
  const { model } = request;
  const betas = allowedBetas(call, settings);
  const upstream: UpstreamCall = { runId, model, isStreamed, json: JSON.stringify(request), betas, signal };
  const scope = answerScope(settings.installation, context.subject);
  const key = answerKey({ scope, baseUrl: settings.baseUrl, betas, json: upstream.json });
  const reuse = new CallReuse(ports, { runId, key, isStreamed, apiKey: settings.apiKey });
  const known = await reuse.find(signal);
  if (known !== null) {
    await told(ports, run, ports.store.countReused(runId, budgetDay(ports.clock.nowMs(), run.record.policyName)));
    await relayStored(known, isStreamed, { response, signal });
    return;
  }
  const onBytes = reuse.record.bind(reuse);
  await payAndRelay(ports, settings, { run, request, upstream }, { response, signal, onBytes });
  await reuse.keep();
}

interface PaidCall {
  readonly run: StoredRun;
  readonly request: MessagesRequest;
  readonly upstream: UpstreamCall;
}

async function payAndRelay(
  ports: ModelPorts,
  settings: ModelSettings,
  { run, request, upstream: call }: PaidCall,
  target: RelayTarget,
): Promise<void> {
  const reserved = await reserveCall(ports.store, run, {
    id: ports.createId(),
    nowMs: ports.clock.nowMs(),
    price: priceOf(request.model, settings.prices),
    promptBytes: Buffer.byteLength(call.json),
    maxOutputTokens: request.max_tokens,
  });
  ports.reach?.('run.call-reserved');
  let outcome: CallOutcome = { kind: 'unknown' };
  let failure: DrydockError | null = null;
  try {
    const upstream = await openAnswer(ports, settings, call);
    ({ outcome, failure } = await (call.isStreamed ? relayStream : relayMessage)(upstream, target));
    ports.reach?.('run.call-relayed');
    if (failure !== null && !target.response.headersSent) throw failure;
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    failure = error;
    if (outcome.kind === 'unknown') outcome = unansweredOutcome(error, call);
    throw error;
  } finally {
    // If it fails, the whole reservation stays paid, which is the safe side.
    await told(ports, run, reserved.settle(outcome));
    ports.reach?.('run.call-settled');
    const tokens = outcome.kind === 'answered' ? outcome.tokens : null;
    ports.onCall({
      model: request.model,
      outcome: failure?.code ?? 'answered',
      tokens: tokens === null ? null : counted(tokens),
    });
  }
}

function checkedRequest({ run, body }: AgentCall, settings: ModelSettings): MessagesRequest {
  const parsed = MessagesRequest.safeParse(body, { reportInput: false });
  if (!parsed.success) throw new TerminalError('request.malformed', describeRequestProblem(parsed.error));
  const { policy } = run.record.context;
  const request = parsed.data;
  const allowed = [policy.model, ...policy.fallbackModels, ...settings.allowedModels];
  if (!allowed.includes(request.model)) {
    throw new TerminalError('model.not_allowed', 'this run may not use that model');
  }
  return { ...request, max_tokens: Math.min(request.max_tokens, policy.budget.maxOutputTokensPerTurn) };
}

function allowedBetas({ beta }: AgentCall, settings: ModelSettings): readonly string[] {
  return beta
    .split(',')
    .map((name) => name.trim())
    .filter((name) => settings.allowedBetas.includes(name));
}

/** Whether the model may have worked on a call that failed before an answer: then it stays paid. */
function unansweredOutcome(error: DrydockError, { isStreamed, signal }: UpstreamCall): CallOutcome {
  const isTimeout = error.code === 'model.timeout' && !isStreamed;
  return signal.aborted || isTimeout ? { kind: 'unknown' } : { kind: 'unanswered' };
}

/** Waits for the run store to take what a call used; an answer does not fail over that. */
async function told({ log }: ModelPorts, run: StoredRun, telling: Promise<void>): Promise<void> {
  try {
    await telling;
  } catch (err) {
    if (!(err instanceof DrydockError)) throw err;
    log.warn({ runId: run.record.runId, err }, 'usage could not be recorded');
  }
}

function counted({ input, output, cacheRead, cacheWrite }: CallTokens): TokenUsage {
  return { input, output, cacheRead, cacheWrite };
}
