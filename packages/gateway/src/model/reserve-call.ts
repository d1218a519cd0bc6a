import { TerminalError, noUsage, type ReviewPolicy, type TokenUsage } from '@drydock/core';
import type { BudgetLimits, Reservation, RunStore, Settlement, StoredRun } from '../runs/run-store.ts';
import { costNanoUsd, highestCostNanoUsd, type CallTokens, type ModelPrice } from './model-prices.ts';

/** What a call may use at most, as far as it can be told before. */
export interface CallEstimate {
  readonly id: string;
  readonly nowMs: number;
  /** Null: the model has no known price, tokens are its budget. */
  readonly price: ModelPrice | null;
  readonly promptBytes: number;
  readonly maxOutputTokens: number;
}

/**
 * How a call ended. `unanswered`: refused or never reached the model. `unknown`: the model may have worked on it.
 * `answered`: what it told of its tokens, null for nothing; `isFinal`: all of them; `isAbandoned`: we ended it.
 */
export type CallOutcome =
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'answered';
      readonly tokens: CallTokens | null;
      readonly isFinal: boolean;
      readonly isAbandoned: boolean;
    };

/** A call whose highest price is set aside. */
export interface ReservedCall {
  /** Pays what the call came to and gives back the rest. */
  settle(outcome: CallOutcome): Promise<void>;
}

/** Source code and JSON have three bytes a token or more with the tokenisers of today. */
const bytesPerToken = 3;

/**
 * Takes the most a call may cost out of the budgets of its run and of the day, so that calls at the same time cannot
 * overspend together. Throws `TerminalError` (`budget.run_spent`, `budget.day_spent`) when there is no room.
 */
export async function reserveCall(store: RunStore, run: StoredRun, estimate: CallEstimate): Promise<ReservedCall> {
  const { price, maxOutputTokens } = estimate;
  const promptTokens = Math.ceil(estimate.promptBytes / bytesPerToken);
  const reservation: Reservation = {
    runId: run.record.runId,
    id: estimate.id,
    day: budgetDay(estimate.nowMs, run.record.policyName),
    nanoUsd: price === null ? null : highestCostNanoUsd(price, promptTokens, maxOutputTokens),
    tokens: promptTokens + maxOutputTokens,
  };
  const reserved = await store.reserve(reservation, limitsOfPolicy(run.record.context.policy));
  if (reserved.kind === 'refused') throw budgetError(reserved.budget, reserved.unit);
  return {
    settle: (outcome) => store.settle(reservation, settlementOf(outcome, reservation, { price, maxOutputTokens })),
  };
}

/** The UTC day whose budget pays, such as `2026-11-21`; each policy that has a name has a budget of its own. */
export function budgetDay(nowMs: number, policyName: string | undefined): string {
  const day = new Date(nowMs).toISOString().slice(0, 10);
  return policyName === undefined ? day : `${day}:${policyName}`;
}

/** Whether a day has nothing left: then no run need begin. */
export function isDaySpent(
  spent: { readonly spentNanoUsd: number; readonly spentTokens: number },
  limits: BudgetLimits,
): boolean {
  return spent.spentNanoUsd >= limits.dayNanoUsd || spent.spentTokens >= limits.dayTokens;
}

/** The limits that a policy sets. */
export function limitsOfPolicy({ budget }: Pick<ReviewPolicy, 'budget'>): BudgetLimits {
  return {
    runNanoUsd: nano(budget.usdPerRun),
    runTokens: budget.tokensPerRun,
    dayNanoUsd: nano(budget.usdPerDay),
    dayTokens: budget.tokensPerDay,
  };
}

function nano(usd: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.floor(usd * 1e9));
}

function budgetError(budget: 'run' | 'day', unit: 'usd' | 'tokens'): TerminalError {
  const what = unit === 'usd' ? 'money' : 'tokens';
  return budget === 'run'
    ? new TerminalError('budget.run_spent', `the ${what} of this run are used up`)
    : new TerminalError('budget.day_spent', `the ${what} of this day are used up`);
}

function settlementOf(
  outcome: CallOutcome,
  reservation: Reservation,
  { price, maxOutputTokens }: Pick<CallEstimate, 'price' | 'maxOutputTokens'>,
): Settlement {
  const whole = { nanoUsd: reservation.nanoUsd ?? 0, tokens: reservation.tokens };
  if (outcome.kind === 'unanswered') return { charged: { nanoUsd: 0, tokens: 0 }, used: null };
  if (outcome.kind === 'unknown') return { charged: whole, used: null };
  const { tokens, isFinal, isAbandoned } = outcome;
  if (tokens === null) return { charged: whole, used: { tokens: noUsage, nanoUsd: null } };
  // An answer that was left in the middle told only of its beginning, and thinking is not seen at all: so that nobody
  // saves budget by leaving early, it pays the whole answer.
  const charged = isAbandoned && !isFinal ? { ...tokens, output: Math.max(tokens.output, maxOutputTokens) } : tokens;
  return {
    charged: { nanoUsd: price === null ? 0 : costNanoUsd(price, charged), tokens: sum(charged) },
    used: { tokens: usageOf(tokens), nanoUsd: price === null ? null : costNanoUsd(price, tokens) },
  };
}

function usageOf({ input, output, cacheRead, cacheWrite }: CallTokens): TokenUsage {
  return { input, output, cacheRead, cacheWrite };
}

function sum({ input, output, cacheRead, cacheWrite }: CallTokens): number {
  return input + output + cacheRead + cacheWrite;
}
