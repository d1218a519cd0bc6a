import { BlockedError, TaskState, type Log } from '@drydock/core';
import type { RedisConnection } from './redis-connection.ts';
import { translateRedisError } from './redis-error.ts';
import type { RedisKeys } from './redis-keys.ts';
import { readTaskRecord } from './redis-task-record.ts';
import { byPlace, cursorOf, isAfter, longestPage, matcherOf, placeOf, type TaskPlace } from './task-page.ts';
import { viewOf } from './task-record.ts';
import type { TaskFilter, TaskPage, TaskView } from './task-queue.ts';

/** One page looks at no more ids than this, however few of them fit its filter. */
const mostLookedAt = 10_000;
/** Nor does it read more records: those are what takes time, and others wait for their page meanwhile. */
const mostRead = 2_000;

/** Reads pages of tasks in commands of bounded size. */
export class RedisTaskList {
  readonly #redis: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #retentionMs: number;
  readonly #log: Log;

  constructor(redis: RedisConnection, keys: RedisKeys, retentionMs: number, log: Log) {
    this.#redis = redis;
    this.#keys = keys;
    this.#retentionMs = retentionMs;
    this.#log = log;
  }

  async read(filter: TaskFilter, nowMs: number): Promise<TaskPage> {
    const { states = TaskState.options } = filter;
    const limit = Math.min(filter.limit, longestPage);
    const { matchesId, matchesPath } = matcherOf(filter);
    const tasks: TaskView[] = [];
    let place = placeOf(filter.cursor);
    const batchSize =
      filter.forge === undefined && filter.projectId === undefined && filter.iid === undefined
        ? Math.min(limit + 1, longestPage)
        : longestPage;
    let read = 0;
    for (let lookedAt = 0; tasks.length < limit && lookedAt < mostLookedAt;) {
      const batch = await this.#next({ states, place, nowMs, batchSize });
      lookedAt += batch.length;
      const wanted = batch.filter(({ taskId }) => matchesId(taskId));
      for (let i = 0; i < wanted.length; i += limit + 1) {
        const some = wanted.slice(i, i + limit + 1);
        const views = await Promise.all(some.map((entry) => this.#view(entry)));
        for (const [j, view] of views.entries()) {
          if (view === null || !states.includes(view.state) || !matchesPath(view.projectPath)) continue;
          if (tasks.length === limit) return { tasks, cursor: place === null ? null : cursorOf(place) };
          tasks.push(view);
          place = some[j] ?? place;
        }
        read += some.length;
        const last = some.at(-1);
        if (read >= mostRead && last !== undefined) return { tasks, cursor: cursorOf(last) };
      }
      if (batch.length < batchSize) return { tasks, cursor: null };
      if (tasks.length < limit) place = batch.at(-1) ?? place;
    }
    return { tasks, cursor: place === null ? null : cursorOf(place) };
  }

  /** The next ones after a place, over all the states. */
  async #next({ states, ...batch }: Batch & { readonly states: readonly TaskState[] }): Promise<readonly TaskPlace[]> {
    const found = await Promise.all(states.map((state) => this.#nextOf(state, batch)));
    return found.flat().sort(byPlace).slice(0, batch.batchSize);
  }

  async #nextOf(state: TaskState, { place, nowMs, batchSize }: Batch): Promise<readonly TaskPlace[]> {
    const isEnd = state !== 'waiting' && state !== 'leased' && state !== 'running' && state !== 'publishing';
    const oldest = isEnd ? `(${String(nowMs - this.#retentionMs)}` : '-inf';
    const newest = place === null ? '+inf' : String(place.updatedAtMs);
    const found: TaskPlace[] = [];
    // Those of the very millisecond that the last page has shown come again.
    for (let offset = 0; found.length < batchSize; offset += batchSize) {
      const flat = await ask(() =>
        this.#redis.zrevrangebyscore(this.#keys.state(state), newest, oldest, 'WITHSCORES', 'LIMIT', offset, batchSize),
      );
      for (let i = 0; i < flat.length; i += 2) {
        const entry = { taskId: flat[i] ?? '', updatedAtMs: Number(flat[i + 1]) };
        if (isAfter(entry, place)) found.push(entry);
      }
      if (flat.length < 2 * batchSize) break;
    }
    return found;
  }

  /** One task that cannot be read does not hide the others. */
  async #view({ taskId }: TaskPlace): Promise<TaskView | null> {
    try {
      const record = await ask(() => readTaskRecord(this.#redis, this.#keys.task(taskId), taskId));
      return record === null ? null : viewOf(record);
    } catch (err) {
      if (!(err instanceof BlockedError)) throw err;
      this.#log.warn({ taskId, err }, 'task left out of a list');
      return null;
    }
  }
}

interface Batch {
  readonly place: TaskPlace | null;
  readonly nowMs: number;
  readonly batchSize: number;
}

async function ask<T>(command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    throw translateRedisError(error);
  }
}
