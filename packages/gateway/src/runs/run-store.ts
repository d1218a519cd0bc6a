/**
 * What the gateway remembers of runs: who may speak for them, what they used, what they did and what came of it.
 *
 * Only the newest launch of a task is alive. A run's token is kept as a hash; starting the same run again replaces it,
 * but for one that its pod got by exchange.
 * Money is counted in billionths of a dollar, as whole numbers. Every write is atomic and may be repeated, but for
 * `countReused`, on which nothing depends.
 */
import {
  RunId,
  TaskContext,
  type AgentResult,
  type ProgressEntry,
  type ProgressEvent,
  type Publication,
  type RunUsage,
  type TokenUsage,
} from '@drydock/core';
import { z } from 'zod';

/** What is fixed when a run begins. Times are milliseconds since the epoch. */
export const RunRecord = z.strictObject({
  v: z.literal(1),
  runId: RunId,
  context: TaskContext,
  /** Where its repository was when the run began. */
  projectPath: z.string().max(1000),
  /** Whose policy it is, and so whose budget of the day pays; absent: the gateway's own. */
  policyName: z.string().max(253).optional(),
  startedAtMs: z.int(),
  /** Of a run whose pod exchanges its identity: how long until it does, and then until its agent works. */
  startSeconds: z.int().min(0).optional(),
  /** After this the token is dead and a result is refused; before an exchange: it cannot be exchanged any more. */
  deadlineAtMs: z.int(),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** A run as it stands. */
export interface StoredRun {
  readonly record: RunRecord;
  /** A newer launch of the same task was started. */
  readonly isSuperseded: boolean;
  readonly isRevoked: boolean;
  readonly result: AgentResult['result'] | null;
  /** Set once its review stands on the merge request, whole. */
  readonly publication: Publication | null;
  readonly usage: RunUsage;
}

/** What one model call may use at most, taken from the budgets before it is made. */
export interface Reservation {
  readonly runId: RunId;
  /** Names this call; a repeated write with the same id counts once. */
  readonly id: string;
  /** Day whose budget pays, such as `2026-11-21`, or `2026-11-21:payments` of a policy by that name. */
  readonly day: string;
  /** Null: the model has no known price. */
  readonly nanoUsd: number | null;
  readonly tokens: number;
}

/** Limits of a run and of all runs of a day. */
export interface BudgetLimits {
  readonly runNanoUsd: number;
  readonly runTokens: number;
  readonly dayNanoUsd: number;
  readonly dayTokens: number;
}

/** Which budget has no room left for the call. */
export type Reserved =
  | { readonly kind: 'reserved' }
  | { readonly kind: 'refused'; readonly budget: 'run' | 'day'; readonly unit: 'usd' | 'tokens' };

/** What a call came to. `charged` is what the budgets pay; `used` what people are told, null when nothing was answered. */
export interface Settlement {
  readonly charged: { readonly nanoUsd: number; readonly tokens: number };
  readonly used: { readonly tokens: TokenUsage; readonly nanoUsd: number | null } | null;
}

/** What a UTC day has used, and what its budgets have paid or reserved. */
export interface DayUsage {
  readonly usage: RunUsage;
  readonly spentNanoUsd: number;
  readonly spentTokens: number;
}

/** What became of a result. `refused`: the run may not hand in any more. */
export type ResultKept =
  | { readonly kind: 'stored' }
  | { readonly kind: 'same' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'refused'; readonly why: 'unknown' | 'revoked' | 'superseded' | 'late' };

/** A pod that asks for the token of its run. */
export interface PodExchange {
  readonly podUid: string;
  readonly tokenHash: string;
}

/**
 * What became of an exchange. `replayed`: another pod had it, or its token was used already: it may be in other hands.
 * `granted`: the run has nothing to exchange, for who asked for it was given its token.
 */
export type Exchanged =
  | { readonly kind: 'exchanged' }
  | { readonly kind: 'replayed'; readonly why: 'other-pod' | 'token-used' }
  | { readonly kind: 'refused'; readonly why: 'unknown' | 'granted' | 'revoked' | 'superseded' | 'late' };

/** The port. Throws `TransientError` (`queue.unreachable`) when the store does not answer. */
export interface RunStore {
  /**
   * `superseded`: a newer launch was started before; `revoked`: this very run was. `tokenHash` null: its pod exchanges
   * its identity for a token; if one has already, it keeps that.
   */
  start(record: RunRecord, tokenHash: string | null): Promise<'started' | 'superseded' | 'revoked'>;
  /**
   * Gives the run to the first pod that asks, and moves its deadline: its time begins. The same pod may ask again, whose
   * answer was lost: the newest token counts, and only as long as none was used.
   */
  exchange(runId: RunId, pod: PodExchange, nowMs: number): Promise<Exchanged>;

  /** The run whose token has this hash now, dead or alive; null for any other. From here on the token is used. */
  findByToken(tokenHash: string): Promise<StoredRun | null>;

  get(runId: RunId): Promise<StoredRun | null>;

  /** For good. A result that is stored stays. */
  revoke(runId: RunId): Promise<void>;

  /** Keeps a result, given as the text to be stored: the same text again is the same result. */
  storeResult(runId: RunId, resultJson: string, nowMs: number): Promise<ResultKept>;

  /**
   * Appends events, each with what the run has used so far. Only the last ones are kept, as `ProgressLimits` say: of this
   * run, and of the runs that told something last.
   */
  addProgress(runId: RunId, events: readonly ProgressEvent[], nowMs: number): Promise<void>;

  /** Entries with a higher sequence number, oldest first. */
  progressAfter(runId: RunId, seq: number): Promise<readonly ProgressEntry[]>;

  reserve(reservation: Reservation, limits: BudgetLimits): Promise<Reserved>;

  /** Replaces a reservation by what the call came to. Unknown or settled ones change nothing. */
  settle(reservation: Reservation, settlement: Settlement): Promise<void>;

  /** A call was answered from the answer store. A run that is not known counts nothing. */
  countReused(runId: RunId, day: string): Promise<void>;

  dayUsage(day: string): Promise<DayUsage>;

  storePublication(runId: RunId, publication: Publication): Promise<void>;

  /** Really asks the store. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** How much is kept of what agents told. Bytes are about those of the events as JSON. */
export interface ProgressLimits {
  readonly entriesPerRun: number;
  readonly bytesPerRun: number;
  readonly runs: number;
  readonly bytes: number;
}

/** A week of a busy installation; the logs of a review take some 30 kB. */
export const progressLimits: ProgressLimits = {
  entriesPerRun: 500,
  bytesPerRun: 256 * 1024,
  runs: 5000,
  bytes: 64 * 1024 * 1024,
};

/** Sums as they are counted: whole numbers. */
export interface UsageCounts {
  readonly calls: number;
  readonly reusedCalls: number;
  readonly unpricedCalls: number;
  readonly nanoUsd: number;
  readonly tokens: TokenUsage;
}

/** Sums as they are told. One call without a known price makes the cost unknown. */
export function usageOf(counts: UsageCounts): RunUsage {
  const { calls, reusedCalls, unpricedCalls, nanoUsd, tokens } = counts;
  return { calls, reusedCalls, tokens, costUsd: unpricedCalls > 0 ? null : nanoUsd / 1e9 };
}
