import { TerminalError, unreachable, type Log } from '@drydock/core';
import type { LoopBudget } from './budget.ts';
import type { ModelRequest, ModelTurn, RequestToolResult, ToolCall } from './model.ts';
import { earlyEnds, noTries, planTurn, type EarlyEnd, type LoopTries } from './plan-turn.ts';
import type { Transcript } from './transcript.ts';

/** What the loop drives. */
export interface LoopParts {
  readonly transcript: Transcript;
  readonly budget: LoopBudget;
  readonly log: Log;
  /** Sends a request until it gets a whole turn or throws. */
  readonly send: (request: ModelRequest) => Promise<ModelTurn>;
  /** Runs one call. What the model did wrong is a result like any other. */
  readonly runTool: (call: ToolCall) => Promise<ToolAnswer>;
  /** Whether a tool has ended the review. */
  readonly isFinished: () => boolean;
  /** A turn has come in; 1-based. */
  readonly onTurn: (turn: number) => void;
}

/** What a call came to, for the model. */
export interface ToolAnswer {
  readonly text: string;
  readonly isError: boolean;
}

/** How the loop ended: by the model, or before. */
export type LoopEnd = { readonly kind: 'finished' } | ({ readonly kind: 'early' } & EarlyEnd);

type Step = { readonly kind: 'next'; readonly tries: LoopTries } | LoopEnd;

/**
 * Lets the model work until it finishes the review or something else ends it. What cannot be mended ends it early with
 * what was found; `TransientError`, `BlockedError` and `StaleError` are thrown, for the attempt as a whole to answer.
 * Stops by its budget of turns, calls and time; every remedy for an odd turn is tried a fixed number of times.
 */
export async function runLoop(parts: LoopParts): Promise<LoopEnd> {
  let tries = noTries;
  for (;;) {
    const spent = parts.budget.spent();
    if (spent !== null) return early(earlyEnds[spent]);
    const step = await takeStep(parts, tries);
    if (step.kind !== 'next') return step;
    tries = step.tries;
  }
}

async function takeStep(parts: LoopParts, tries: LoopTries): Promise<Step> {
  try {
    return await takeTurn(parts, tries);
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    if (isTooLong(error)) return shrink(parts, tries);
    parts.log.warn({ code: error.code, err: error }, 'the review ended early');
    return early({ code: error.code, why: whyEnded(error) });
  }
}

async function takeTurn(parts: LoopParts, tries: LoopTries): Promise<Step> {
  const { budget, transcript } = parts;
  const turn = await parts.send(transcript.request(budget.outputTokens));
  budget.noteTurn();
  transcript.noteAnswered();
  parts.onTurn(budget.turns);
  const plan = planTurn(turn, tries);
  switch (plan.kind) {
    case 'run-tools':
      return runTools(parts, turn, plan);
    case 'say':
      transcript.addTurn(turn.content);
      transcript.addText(plan.text);
      return { kind: 'next', tries: { ...tries, [plan.tried]: tries[plan.tried] + 1 } };
    case 'continue-pause':
      transcript.addTurn(turn.content);
      return { kind: 'next', tries: { ...tries, paused: tries.paused + 1 } };
    case 'raise-output-cap':
      return budget.raiseOutputTokens() ? { kind: 'next', tries } : early(earlyEnds.outputCap);
    case 'shrink':
      return shrink(parts, tries);
    case 'end':
      parts.log.warn({ code: plan.end.code, reason: turn.stopReason }, 'the review ended early');
      return early(plan.end);
    default:
      return unreachable(plan);
  }
}

/** One after another, in the order of the calls: the same turn then always has the same results. */
async function runTools(
  parts: LoopParts,
  turn: ModelTurn,
  { calls, thenEnd }: { readonly calls: readonly ToolCall[]; readonly thenEnd: EarlyEnd | null },
): Promise<Step> {
  parts.transcript.addTurn(turn.content);
  const allowed = parts.budget.takeCalls(calls.length);
  const results: RequestToolResult[] = [];
  for (const [index, call] of calls.entries()) {
    const { text, isError } = index < allowed ? await parts.runTool(call) : tooManyCalls;
    const result = { type: 'tool_result', tool_use_id: call.id, content: text } as const;
    results.push(isError ? { ...result, is_error: true } : result);
  }
  if (parts.isFinished()) return { kind: 'finished' };
  if (thenEnd !== null) {
    parts.log.warn({ code: thenEnd.code, reason: turn.stopReason }, 'the review ended early');
    return early(thenEnd);
  }
  parts.transcript.addResults(results);
  return { kind: 'next', tries: noTries };
}

const tooManyCalls: ToolAnswer = { text: 'Not run: too many calls. Make fewer calls in one turn.', isError: true };

/** The same request would fail the same way, so it goes again only if something could be dropped. */
function shrink({ transcript, log }: LoopParts, tries: LoopTries): Step {
  if (!transcript.shrink()) return early(earlyEnds.contextFull);
  log.warn({}, 'old tool results dropped, the context is full');
  return { kind: 'next', tries };
}

function isTooLong({ code }: TerminalError): boolean {
  return code === 'model.context_full' || code === 'request.too_large';
}

function whyEnded({ code }: TerminalError): string {
  if (code === 'budget.run_spent') return 'The budget for one review is used up.';
  if (code === 'budget.day_spent') return "Today's budget is used up.";
  return code === 'budget.time_spent' ? earlyEnds.time.why : 'The model could not be asked any further.';
}

function early(end: EarlyEnd): LoopEnd {
  return { kind: 'early', code: end.code, why: end.why };
}
