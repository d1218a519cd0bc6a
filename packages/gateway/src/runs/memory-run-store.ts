import {
  AgentResult,
  addUsage,
  noUsage,
  type ProgressEntry,
  type ProgressEvent,
  type Publication,
  type RunId,
} from '@drydock/core';
import { exchangedDeadlineMs } from './run-deadline.ts';
import {
  progressLimits,
  usageOf,
  type BudgetLimits,
  type DayUsage,
  type Exchanged,
  type PodExchange,
  type ProgressLimits,
  type Reservation,
  type Reserved,
  type ResultKept,
  type RunRecord,
  type RunStore,
  type Settlement,
  type StoredRun,
  type UsageCounts,
} from './run-store.ts';

interface Spending {
  counts: UsageCounts;
  spentNanoUsd: number;
  spentTokens: number;
}

interface MemoryRun extends Spending {
  record: RunRecord;
  /** Null: nobody has exchanged for one yet. */
  tokenHash: string | null;
  /** Null: its token was given to who asked for the run. */
  exchange: { podUid: string | null; isUsed: boolean } | null;
  /** Since it was exchanged. */
  deadlineAtMs: number | null;
  isRevoked: boolean;
  resultJson: string | null;
  publication: Publication | null;
  lastSeq: number;
  progress: ProgressEntry[];
  progressBytes: number;
  readonly reservations: Set<string>;
}

const noCounts: UsageCounts = { calls: 0, reusedCalls: 0, unpricedCalls: 0, nanoUsd: 0, tokens: noUsage };
const maxRuns = 1000;
const maxDays = 3;

/** Runs of one process: gone when it ends. Only the newest thousand are kept. */
export class MemoryRunStore implements RunStore {
  readonly #progressLimits: ProgressLimits;
  /** Runs that told something, the last one last. */
  readonly #told = new Set<MemoryRun>();
  #toldBytes = 0;
  readonly #runs = new Map<RunId, MemoryRun>();
  readonly #newestLaunches = new Map<string, number>();
  readonly #days = new Map<string, Spending>();

  constructor(settings: { readonly progressLimits?: ProgressLimits } = {}) {
    this.#progressLimits = settings.progressLimits ?? progressLimits;
  }

  async start(record: RunRecord, tokenHash: string | null): Promise<'started' | 'superseded' | 'revoked'> {
    const { taskId, launch } = record.context;
    if ((this.#newestLaunches.get(taskId) ?? 0) > launch) return 'superseded';
    const known = this.#runs.get(record.runId);
    if (known?.isRevoked === true) return 'revoked';
    this.#newestLaunches.set(taskId, launch);
    const run = known ?? newRun(record);
    if (known === undefined) this.#runs.set(record.runId, run);
    run.record = record;
    if (tokenHash !== null) Object.assign(run, { tokenHash, exchange: null, deadlineAtMs: null });
    else if (run.exchange === null) Object.assign(run, { tokenHash: null, exchange: { podUid: null, isUsed: false } });
    this.#forgetOldest();
    return 'started';
  }

  async exchange(runId: RunId, { podUid, tokenHash }: PodExchange, nowMs: number): Promise<Exchanged> {
    const run = this.#runs.get(runId);
    if (run === undefined) return { kind: 'refused', why: 'unknown' };
    if (run.isRevoked) return { kind: 'refused', why: 'revoked' };
    if (this.#isSuperseded(run)) return { kind: 'refused', why: 'superseded' };
    const { exchange } = run;
    if (exchange === null) return { kind: 'refused', why: 'granted' };
    if (exchange.podUid !== null && exchange.podUid !== podUid) return { kind: 'replayed', why: 'other-pod' };
    if (exchange.isUsed) return { kind: 'replayed', why: 'token-used' };
    if (nowMs > deadlineOf(run)) return { kind: 'refused', why: 'late' };
    run.deadlineAtMs ??= exchangedDeadlineMs(run.record, nowMs);
    exchange.podUid = podUid;
    run.tokenHash = tokenHash;
    return { kind: 'exchanged' };
  }

  async findByToken(tokenHash: string): Promise<StoredRun | null> {
    for (const run of this.#runs.values()) {
      if (run.tokenHash !== tokenHash) continue;
      if (run.exchange !== null) run.exchange.isUsed = true;
      return this.#view(run);
    }
    return null;
  }

  async get(runId: RunId): Promise<StoredRun | null> {
    const run = this.#runs.get(runId);
    return run === undefined ? null : this.#view(run);
  }

  async revoke(runId: RunId): Promise<void> {
    const run = this.#runs.get(runId);
    if (run !== undefined) run.isRevoked = true;
  }

  async storeResult(runId: RunId, resultJson: string, nowMs: number): Promise<ResultKept> {
    const run = this.#runs.get(runId);
    if (run === undefined) return { kind: 'refused', why: 'unknown' };
    if (run.isRevoked) return { kind: 'refused', why: 'revoked' };
    if (this.#isSuperseded(run)) return { kind: 'refused', why: 'superseded' };
    if (run.resultJson !== null) return run.resultJson === resultJson ? { kind: 'same' } : { kind: 'conflict' };
    if (nowMs > deadlineOf(run)) return { kind: 'refused', why: 'late' };
    run.resultJson = resultJson;
    return { kind: 'stored' };
  }

  async addProgress(runId: RunId, events: readonly ProgressEvent[], nowMs: number): Promise<void> {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    for (const event of events) {
      run.lastSeq += 1;
      run.progress.push({ seq: run.lastSeq, atMs: nowMs, event, usage: usageOf(run.counts) });
      this.#countProgress(run, sizeOf(event));
    }
    const { entriesPerRun, bytesPerRun, runs, bytes } = this.#progressLimits;
    while (run.progress.length > entriesPerRun || (run.progressBytes > bytesPerRun && run.progress.length > 1)) {
      const dropped = run.progress.shift();
      if (dropped !== undefined) this.#countProgress(run, -sizeOf(dropped.event));
    }
    this.#told.delete(run);
    this.#told.add(run); // last, and so the last to be forgotten
    for (const oldest of this.#told) {
      if ((this.#told.size <= runs && this.#toldBytes <= bytes) || oldest === run) break;
      this.#forgetProgress(oldest);
    }
  }

  #countProgress(run: MemoryRun, bytes: number): void {
    run.progressBytes += bytes;
    this.#toldBytes += bytes;
  }

  #forgetProgress(run: MemoryRun): void {
    this.#told.delete(run);
    this.#countProgress(run, -run.progressBytes);
    run.progress = [];
  }

  async progressAfter(runId: RunId, seq: number): Promise<readonly ProgressEntry[]> {
    return this.#runs.get(runId)?.progress.filter((entry) => entry.seq > seq) ?? [];
  }

  async reserve(reservation: Reservation, limits: BudgetLimits): Promise<Reserved> {
    const run = this.#runs.get(reservation.runId);
    if (run === undefined) return { kind: 'refused', budget: 'run', unit: 'tokens' };
    if (run.reservations.has(reservation.id)) return { kind: 'reserved' };
    const day = this.#day(reservation.day);
    const { nanoUsd, tokens } = reservation;
    const refused = (budget: 'run' | 'day', unit: 'usd' | 'tokens') => ({ kind: 'refused', budget, unit }) as const;
    if (nanoUsd !== null && run.spentNanoUsd + nanoUsd > limits.runNanoUsd) return refused('run', 'usd');
    if (run.spentTokens + tokens > limits.runTokens) return refused('run', 'tokens');
    if (nanoUsd !== null && day.spentNanoUsd + nanoUsd > limits.dayNanoUsd) return refused('day', 'usd');
    if (day.spentTokens + tokens > limits.dayTokens) return refused('day', 'tokens');
    run.reservations.add(reservation.id);
    spend([run, day], nanoUsd ?? 0, tokens);
    return { kind: 'reserved' };
  }

  async settle(reservation: Reservation, { charged, used }: Settlement): Promise<void> {
    const run = this.#runs.get(reservation.runId);
    if (run?.reservations.delete(reservation.id) !== true) return;
    const both = [run, this.#day(reservation.day)];
    spend(both, charged.nanoUsd - (reservation.nanoUsd ?? 0), charged.tokens - reservation.tokens);
    if (used === null) return;
    for (const spending of both) {
      const { calls, unpricedCalls, nanoUsd, tokens } = spending.counts;
      spending.counts = {
        ...spending.counts,
        calls: calls + 1,
        unpricedCalls: unpricedCalls + (used.nanoUsd === null ? 1 : 0),
        nanoUsd: nanoUsd + (used.nanoUsd ?? 0),
        tokens: addUsage(tokens, used.tokens),
      };
    }
  }

  async countReused(runId: RunId, day: string): Promise<void> {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    for (const spending of [run, this.#day(day)]) {
      spending.counts = { ...spending.counts, reusedCalls: spending.counts.reusedCalls + 1 };
    }
  }

  async dayUsage(day: string): Promise<DayUsage> {
    const { counts, spentNanoUsd, spentTokens } = this.#days.get(day) ?? noSpending();
    return { usage: usageOf(counts), spentNanoUsd, spentTokens };
  }

  async storePublication(runId: RunId, publication: Publication): Promise<void> {
    const run = this.#runs.get(runId);
    if (run !== undefined) run.publication = publication;
  }

  async ping(): Promise<void> {
    // Nothing to ask.
  }

  async close(): Promise<void> {
    // Nothing to close.
  }

  #view(run: MemoryRun): StoredRun {
    return {
      record: { ...run.record, deadlineAtMs: deadlineOf(run) },
      isSuperseded: this.#isSuperseded(run),
      isRevoked: run.isRevoked,
      result: run.resultJson === null ? null : AgentResult.parse(JSON.parse(run.resultJson)).result,
      publication: run.publication,
      usage: usageOf(run.counts),
    };
  }

  #isSuperseded({ record }: MemoryRun): boolean {
    return (this.#newestLaunches.get(record.context.taskId) ?? 0) > record.context.launch;
  }

  #day(day: string): Spending {
    const known = this.#days.get(day);
    if (known !== undefined) return known;
    const fresh = noSpending();
    this.#days.set(day, fresh);
    const dates = [...new Set([...this.#days.keys()].map(dateOf))].sort();
    const oldestKept = dates.at(-maxDays) ?? '';
    for (const key of this.#days.keys()) if (dateOf(key) < oldestKept) this.#days.delete(key);
    return fresh;
  }

  #forgetOldest(): void {
    for (const run of dropOldest(this.#runs, maxRuns)) {
      this.#forgetProgress(run);
      const { taskId, launch } = run.record.context;
      if (this.#newestLaunches.get(taskId) === launch) this.#newestLaunches.delete(taskId);
    }
  }
}

function newRun(record: RunRecord): MemoryRun {
  return {
    ...noSpending(),
    record,
    tokenHash: null,
    exchange: null,
    deadlineAtMs: null,
    isRevoked: false,
    resultJson: null,
    publication: null,
    lastSeq: 0,
    progress: [],
    progressBytes: 0,
    reservations: new Set(),
  };
}

function deadlineOf({ deadlineAtMs, record }: MemoryRun): number {
  return deadlineAtMs ?? record.deadlineAtMs;
}

/** Each policy that has a name has a budget of its own for the day. */
function dateOf(day: string): string {
  return day.slice(0, 10);
}

function sizeOf(event: ProgressEvent): number {
  return Buffer.byteLength(JSON.stringify(event));
}

function noSpending(): Spending {
  return { counts: noCounts, spentNanoUsd: 0, spentTokens: 0 };
}

function spend(all: readonly Spending[], nanoUsd: number, tokens: number): void {
  for (const spending of all) {
    spending.spentNanoUsd += nanoUsd;
    spending.spentTokens += tokens;
  }
}

function dropOldest<Key, Value>(map: Map<Key, Value>, limit: number): Value[] {
  const dropped: Value[] = [];
  for (const [key, value] of map) {
    if (map.size <= limit) break;
    map.delete(key);
    dropped.push(value);
  }
  return dropped;
}
