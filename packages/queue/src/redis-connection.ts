/**
 * Connections for producers and holders of leases: a command is answered soon or fails soon, and nothing waits in a
 * growing line while Redis is away. A command whose answer did not come in time may still be carried out later; the
 * scripts are made for that.
 */
import { ConfigError, TransientError, systemClock, type Log, type Secret } from '@drydock/core';
import { Redis, type RedisOptions } from 'ioredis';
import { z } from 'zod';
import { isRefusedCredential, translateRedisError } from './redis-error.ts';

/** An open connection to Redis. */
export type RedisConnection = Redis;

/** How to reach Redis. */
export interface RedisSettings {
  /** `redis://` or, with TLS, `rediss://`; user name, password and database number may be in it. */
  readonly url: Secret;
  /** Names the connection for people who look at Redis. */
  readonly name?: string;
  /** How long a command may take, in milliseconds. */
  readonly commandTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** How long one that does not answer is tried again, such as one that starts beside us. Default: not at all. */
  readonly waitMs?: number;
  /** Goes on with a Redis that evicts keys when it is full, and so loses tasks silently. */
  readonly allowUnsafeStore?: boolean;
}

const longestReconnectDelayMs = 1_000;
const tryAgainMs = 500;
const never = new AbortController().signal;

/**
 * Connects, after `waitMs` at the latest, and looks whether this Redis may hold a queue. Throws `TransientError` (`queue.unreachable`) when it does
 * not answer, `ConfigError` when the URL or its password is wrong, or the store would evict keys
 * (`queue.unsafe_store`). A store without persistence is warned of.
 */
export async function connectRedis(
  settings: RedisSettings,
  log: Log,
  random: () => number = Math.random,
): Promise<RedisConnection> {
  const untilMs = systemClock.monotonicMs() + (settings.waitMs ?? 0);
  for (let isTold = false; ; isTold = true) {
    try {
      return await connectOnce(settings, log, random);
    } catch (err) {
      if (!(err instanceof TransientError) || systemClock.monotonicMs() >= untilMs) throw err;
      if (!isTold) log.warn({ err }, 'redis does not answer yet');
      await systemClock.sleep(tryAgainMs, never);
    }
  }
}

async function connectOnce(settings: RedisSettings, log: Log, random: () => number): Promise<RedisConnection> {
  const place = placeOf(settings.url);
  const redis = new Redis(settings.url.reveal(), { ...optionsOf(settings, random), replyMapping: 'legacy' });
  const lastError = reportConnection(redis, place, log);
  try {
    await redis.connect();
    await refuseUnsafeStore(redis, settings, place, log);
    return redis;
  } catch (error) {
    redis.disconnect();
    throw startError(lastError() ?? error, error, place);
  }
}

function optionsOf(settings: RedisSettings, random: () => number): RedisOptions {
  const { commandTimeoutMs = 1_500, connectTimeoutMs = 1_500, name = 'drydock' } = settings;
  return {
    lazyConnect: true,
    connectionName: name,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    // Scripts are sent again by redis-lua.ts, after the epoch was looked at where that matters.
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: 500,
    // A connection whose packets vanish looks open; without an answer for this long it is made anew.
    socketTimeout: 2 * commandTimeoutMs,
    retryStrategy: (times) => 20 + random() * Math.min(longestReconnectDelayMs, 50 * 2 ** Math.min(times, 10)),
    // After a failover the old master says so; the new one is behind the same address.
    reconnectOnError: (error) => /\bREADONLY\b/.test(error.message),
  };
}

/** Scheme, host and port; never the credentials. */
function placeOf(url: Secret): string {
  const parsed = URL.parse(url.reveal());
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new ConfigError('the address of Redis is not of the form redis://host:6379 or rediss://user:password@host');
  }
  return `${parsed.protocol}//${parsed.hostname}:${parsed.port === '' ? '6379' : parsed.port}`;
}

/** Logs changes, not attempts. Answers what went wrong last. */
function reportConnection(redis: Redis, url: string, log: Log): () => unknown {
  let lastError: unknown;
  let isUp = false;
  redis.on('error', (error: unknown) => {
    lastError = error;
  });
  redis.on('ready', () => {
    isUp = true;
    lastError = undefined;
    log.info({ url }, 'redis connected');
  });
  redis.on('reconnecting', () => {
    if (!isUp) return;
    isUp = false;
    log.warn({ url, err: translateRedisError(lastError) }, 'redis connection lost');
  });
  return () => lastError;
}

function startError(reason: unknown, thrown: unknown, place: string): unknown {
  if (thrown instanceof ConfigError) return thrown;
  if (isRefusedCredential(reason)) {
    return new ConfigError(`Redis at ${place} refuses the user name or password in its address`, {
      cause: translateRedisError(reason),
    });
  }
  const cause = translateRedisError(reason);
  if (!(cause instanceof TransientError)) return cause;
  return new TransientError('queue.unreachable', `Redis at ${place} cannot be used (${cause.message})`, { cause });
}

const Info = z.string().transform(
  (text) =>
    new Map(
      text.split(/\r?\n/).flatMap((line) => {
        const colon = line.indexOf(':');
        return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
      }),
    ),
);

/** Whether a version is 6.2 or newer; what names none is believed. */
function isNewEnough(version: string | undefined): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  return major === undefined || Number(major) > 6 || (Number(major) === 6 && Number(minor) >= 2);
}

/** Throws `ConfigError` for a version that lacks what the scripts use. */
export function refuseOldStore(info: string, place: string): void {
  const version = Info.parse(info).get('redis_version');
  if (isNewEnough(version)) return;
  throw new ConfigError(`Redis at ${place} has version ${version ?? ''}: Drydock needs 6.2 or newer, or Valkey`, {
    code: 'queue.unsafe_store',
  });
}

async function refuseUnsafeStore(redis: Redis, settings: RedisSettings, place: string, log: Log): Promise<void> {
  refuseOldStore(await redis.info('server'), place);
  const memory = Info.parse(await redis.info('memory'));
  const policy = memory.get('maxmemory_policy') ?? 'unknown';
  if (policy !== 'noeviction' && settings.allowUnsafeStore !== true) {
    throw new ConfigError(
      `Redis at ${place} has maxmemory-policy ${policy}: when full it would drop tasks without a word. ` +
        'Set it to noeviction (redis-cli config set maxmemory-policy noeviction, and in redis.conf)',
      { code: 'queue.unsafe_store' },
    );
  }
  const persistence = Info.parse(await redis.info('persistence'));
  if (persistence.get('aof_enabled') === '1') return;
  const isKept = (await saveTimes(redis)) !== '';
  log.warn(
    { url: place, reason: 'set appendonly yes in redis.conf' },
    isKept
      ? 'redis writes snapshots at most: its restart loses what it took since the last one'
      : 'redis keeps nothing on disk: its restart loses all tasks',
  );
}

/** When Redis writes snapshots; null where managed services do not let us ask. */
async function saveTimes(redis: Redis): Promise<string | null> {
  try {
    const [, value] = z.tuple([z.string(), z.string()]).parse(await redis.config('GET', 'save'));
    return value;
  } catch {
    return null;
  }
}
