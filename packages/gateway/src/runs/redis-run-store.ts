/**
 * Runs in Redis. Keys begin with `<prefix>{drydock}:gateway:` (the braces keep them in one slot of a cluster); all have
 * a time to live:
 *   run:<runId>        hash: record, tokenHash, toExchange, podUid, deadlineAtMs (once exchanged), tokenUsed, revoked, result, publication, seq, sums of
 *                      usage and spending, and one field for each reservation that is not settled
 *   newest:<task>      the newest launch of a task (the first part of its run ids)
 *   token:<hash>       the run id of a token
 *   progress:<runId>   list of the last entries
 *   progress-runs      sorted set: run ids by the time of their last entry
 *   progress-bytes     hash: bytes of the entries of each run, and of all (`total`)
 *   day:<yyyy-mm-dd>   hash: sums of usage and spending of a UTC day
 */
import { readFileSync } from 'node:fs';
import { AgentResult, ProgressEvent, Publication, RunId, type ProgressEntry } from '@drydock/core';
import { luaScript, translateRedisError, type RedisConnection, type RedisLua } from '@drydock/queue';
import { z } from 'zod';
import { exchangedDeadlineMs } from './run-deadline.ts';
import {
  RunRecord,
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
  type RunStore,
  type Settlement,
  type StoredRun,
  type UsageCounts,
} from './run-store.ts';

/** Where and for how long runs are kept. */
export interface RedisRunStoreSettings {
  /** Lets installations share a Redis; empty by default. */
  readonly prefix?: string;
  /** Default: a week. */
  readonly keepSeconds?: number;
  readonly progressLimits?: ProgressLimits;
}

/** Runs that outlive the process and are shared by all gateways. */
export class RedisRunStore implements RunStore {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #keepSeconds: number;
  readonly #progressLimits: ProgressLimits;

  /** The client belongs to the store from here on: `close` ends it. */
  constructor(redis: RedisConnection, settings: RedisRunStoreSettings = {}) {
    this.#redis = redis;
    this.#prefix = `${settings.prefix ?? ''}{drydock}:gateway:`;
    this.#keepSeconds = settings.keepSeconds ?? 7 * 86_400;
    this.#progressLimits = settings.progressLimits ?? progressLimits;
  }

  async start(record: RunRecord, tokenHash: string | null): Promise<'started' | 'superseded' | 'revoked'> {
    const { runId, context } = record;
    return this.#run(startRun, {
      keys: this.#runKeys(runId),
      args: [runId, context.launch, JSON.stringify(record), tokenHash ?? '', this.#keepSeconds, this.#key('token:')],
    });
  }

  async exchange(runId: RunId, { podUid, tokenHash }: PodExchange, nowMs: number): Promise<Exchanged> {
    const known = await this.get(runId);
    if (known === null) return { kind: 'refused', why: 'unknown' };
    const { context, deadlineAtMs } = known.record;
    const isLate = nowMs > deadlineAtMs ? 1 : 0;
    const reply = await this.#run(exchangeRun, {
      keys: this.#runKeys(runId),
      args: [
        runId,
        context.launch,
        podUid,
        tokenHash,
        isLate,
        this.#keepSeconds,
        this.#key('token:'),
        exchangedDeadlineMs(known.record, nowMs),
      ],
    });
    if (reply === 'exchanged') return { kind: reply };
    if (reply === 'other-pod' || reply === 'token-used') return { kind: 'replayed', why: reply };
    return { kind: 'refused', why: reply };
  }

  async findByToken(tokenHash: string): Promise<StoredRun | null> {
    return this.#ask(async (redis) => {
      const runId = RunId.safeParse(await redis.get(this.#key(`token:${tokenHash}`)));
      if (!runId.success) return null;
      const key = this.#key(`run:${runId.data}`);
      const fields = await redis.hgetall(key);
      if (fields['tokenHash'] !== tokenHash) return null;
      const isFirstUse = fields['toExchange'] !== undefined && fields['tokenUsed'] === undefined;
      if (isFirstUse && (await this.#run(useToken, { keys: [key], args: [tokenHash] })) === 0) return null;
      return this.#view(redis, runId.data, fields);
    });
  }

  async get(runId: RunId): Promise<StoredRun | null> {
    return this.#ask(async (redis) => this.#view(redis, runId, await redis.hgetall(this.#key(`run:${runId}`))));
  }

  async revoke(runId: RunId): Promise<void> {
    await this.#run(revokeRun, { keys: [this.#key(`run:${runId}`)], args: [] });
  }

  async storeResult(runId: RunId, resultJson: string, nowMs: number): Promise<ResultKept> {
    const known = await this.get(runId);
    if (known === null) return { kind: 'refused', why: 'unknown' };
    const { context, deadlineAtMs } = known.record;
    const kept = await this.#run(storeResult, {
      keys: this.#runKeys(runId),
      args: [context.launch, resultJson, nowMs > deadlineAtMs ? 1 : 0],
    });
    const isTaken = kept === 'stored' || kept === 'same' || kept === 'conflict';
    return isTaken ? { kind: kept } : { kind: 'refused', why: kept };
  }

  async addProgress(runId: RunId, events: readonly ProgressEvent[], nowMs: number): Promise<void> {
    const { entriesPerRun, bytesPerRun, runs, bytes } = this.#progressLimits;
    await this.#run(addProgress, {
      keys: [
        this.#key(`run:${runId}`),
        this.#key(`progress:${runId}`),
        this.#key('progress-runs'),
        this.#key('progress-bytes'),
      ],
      args: [
        runId,
        nowMs,
        this.#keepSeconds,
        this.#key('progress:'),
        entriesPerRun,
        bytesPerRun,
        runs,
        bytes,
        ...events.map((event) => JSON.stringify(event)),
      ],
    });
  }

  async progressAfter(runId: RunId, seq: number): Promise<readonly ProgressEntry[]> {
    const key = this.#key(`progress:${runId}`);
    const entriesOf = (lines: readonly string[]) => lines.map(readEntry).filter((entry) => entry.seq > seq);
    return this.#ask(async (redis) => {
      const wanted = count((await redis.hget(this.#key(`run:${runId}`), 'seq')) ?? undefined) - seq;
      if (wanted <= 0) return []; // who waits asks often
      const entries = entriesOf(await redis.lrange(key, -wanted, -1));
      // More came meanwhile, and pushed out what was asked for.
      return entries[0]?.seq === seq + 1 ? entries : entriesOf(await redis.lrange(key, 0, -1));
    });
  }

  async reserve(reservation: Reservation, limits: BudgetLimits): Promise<Reserved> {
    const { runId, day, id, nanoUsd, tokens } = reservation;
    const reply = await this.#run(reserveBudget, {
      keys: [this.#key(`run:${runId}`), this.#key(`day:${day}`)],
      args: [
        id,
        nanoUsd ?? '',
        tokens,
        limits.runNanoUsd,
        limits.runTokens,
        limits.dayNanoUsd,
        limits.dayTokens,
        this.#keepSeconds,
      ],
    });
    return reservedByReply[reply];
  }

  async settle(reservation: Reservation, { charged, used }: Settlement): Promise<void> {
    const { runId, day, id, nanoUsd, tokens } = reservation;
    await this.#run(settleBudget, {
      keys: [this.#key(`run:${runId}`), this.#key(`day:${day}`)],
      args: [
        id,
        charged.nanoUsd - (nanoUsd ?? 0),
        charged.tokens - tokens,
        used === null ? 0 : 1,
        used?.nanoUsd === null ? 1 : 0,
        used?.nanoUsd ?? 0,
        used?.tokens.input ?? 0,
        used?.tokens.output ?? 0,
        used?.tokens.cacheRead ?? 0,
        used?.tokens.cacheWrite ?? 0,
      ],
    });
  }

  async countReused(runId: RunId, day: string): Promise<void> {
    await this.#run(countReused, {
      keys: [this.#key(`run:${runId}`), this.#key(`day:${day}`)],
      args: [this.#keepSeconds],
    });
  }

  async dayUsage(day: string): Promise<DayUsage> {
    const fields = await this.#ask((redis) => redis.hgetall(this.#key(`day:${day}`)));
    return {
      usage: usageOf(readCounts(fields)),
      spentNanoUsd: count(fields['spentNanoUsd']),
      spentTokens: count(fields['spentTokens']),
    };
  }

  async storePublication(runId: RunId, publication: Publication): Promise<void> {
    await this.#run(storePublication, { keys: [this.#key(`run:${runId}`)], args: [JSON.stringify(publication)] });
  }

  async ping(): Promise<void> {
    await this.#ask((redis) => redis.ping());
  }

  async close(): Promise<void> {
    try {
      await this.#redis.quit();
    } catch {
      this.#redis.disconnect(); // not connected, or no answer in time
    }
  }

  #key(name: string): string {
    return this.#prefix + name;
  }

  #runKeys(runId: RunId): readonly [string, string] {
    return [this.#key(`run:${runId}`), this.#key(`newest:${runId.slice(0, runId.indexOf('-'))}`)];
  }

  async #view(
    redis: RedisConnection,
    runId: RunId,
    fields: Readonly<Record<string, string>>,
  ): Promise<StoredRun | null> {
    if (fields['record'] === undefined) return null;
    const begun = RunRecord.parse(JSON.parse(fields['record']));
    const record = { ...begun, deadlineAtMs: Number(fields['deadlineAtMs'] ?? begun.deadlineAtMs) };
    const newest = count((await redis.get(this.#runKeys(runId)[1])) ?? undefined);
    const { result, publication } = fields;
    return {
      record,
      isSuperseded: newest > record.context.launch,
      isRevoked: fields['revoked'] !== undefined,
      result: result === undefined ? null : AgentResult.parse(JSON.parse(result)).result,
      publication: publication === undefined ? null : Publication.parse(JSON.parse(publication)),
      usage: usageOf(readCounts(fields)),
    };
  }

  #run<Reply>(script: RedisLua<ScriptInput, Reply>, input: ScriptInput): Promise<Reply> {
    return script(this.#redis, input);
  }

  async #ask<Answer>(question: (redis: RedisConnection) => Promise<Answer>): Promise<Answer> {
    try {
      return await question(this.#redis);
    } catch (cause) {
      throw isUnreadable(cause) ? cause : translateRedisError(cause);
    }
  }
}

/** What is stored is no record of ours: a bug, and no fault of Redis. */
function isUnreadable(error: unknown): boolean {
  return error instanceof z.ZodError || error instanceof SyntaxError;
}

interface ScriptInput {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

const script = <Reply>(file: string, reply: z.ZodType<Reply>) =>
  luaScript<ScriptInput, Reply>({
    source: readFileSync(new URL(`lua/${file}`, import.meta.url), 'utf8'),
    keys: ({ keys }) => keys,
    args: ({ args }) => args,
    reply,
  });

const startRun = script('start-run.lua', z.enum(['started', 'superseded', 'revoked']));
const exchangeRun = script(
  'exchange-run.lua',
  z.enum(['exchanged', 'other-pod', 'token-used', 'unknown', 'granted', 'revoked', 'superseded', 'late']),
);
const useToken = script('use-token.lua', z.int());
const revokeRun = script('revoke-run.lua', z.int());
const storeResult = script(
  'store-result.lua',
  z.enum(['stored', 'same', 'conflict', 'unknown', 'revoked', 'superseded', 'late']),
);
const addProgress = script('add-progress.lua', z.int());
const reserveBudget = script(
  'reserve-budget.lua',
  z.enum(['reserved', 'run usd', 'run tokens', 'day usd', 'day tokens']),
);
const settleBudget = script('settle-budget.lua', z.int());
const countReused = script('count-reused.lua', z.int());
const storePublication = script('store-publication.lua', z.int());

const reservedByReply = {
  reserved: { kind: 'reserved' },
  'run usd': { kind: 'refused', budget: 'run', unit: 'usd' },
  'run tokens': { kind: 'refused', budget: 'run', unit: 'tokens' },
  'day usd': { kind: 'refused', budget: 'day', unit: 'usd' },
  'day tokens': { kind: 'refused', budget: 'day', unit: 'tokens' },
} as const satisfies Record<string, Reserved>;

function count(text: string | undefined): number {
  return Number(text ?? 0);
}

function readCounts(fields: Readonly<Record<string, string | undefined>>): UsageCounts {
  return {
    calls: count(fields['calls']),
    reusedCalls: count(fields['reused']),
    unpricedCalls: count(fields['unpriced']),
    nanoUsd: count(fields['nanoUsd']),
    tokens: {
      input: count(fields['input']),
      output: count(fields['output']),
      cacheRead: count(fields['cacheRead']),
      cacheWrite: count(fields['cacheWrite']),
    },
  };
}

/** In the order of `add-progress.lua`; lines of before there was an answer store end sooner. */
const usageFields = ['calls', 'unpriced', 'nanoUsd', 'input', 'output', 'cacheRead', 'cacheWrite', 'reused'] as const;

/** A line as `add-progress.lua` wrote it. */
function readEntry(line: string): ProgressEntry {
  const [seq, atMs, usage = '', event = 'null'] = line.split('\n');
  const counts = usage.split(' ');
  return {
    seq: count(seq),
    atMs: count(atMs),
    usage: usageOf(readCounts(Object.fromEntries(usageFields.map((name, index) => [name, counts[index]])))),
    event: ProgressEvent.parse(JSON.parse(event)),
  };
}
