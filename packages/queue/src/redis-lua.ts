import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { RedisConnection } from './redis-connection.ts';
import { translateRedisError } from './redis-error.ts';

const prelude = ['prelude.lua', 'turns.lua', 'ending.lua'].map(readScript).join('\n');

/** A script as a typed function. Throws `TransientError` and `BlockedError` as `translateRedisError` says. */
export type RedisLua<Input, Reply> = (redis: RedisConnection, input: Input) => Promise<Reply>;

/** Binds a file of `lua/`, with the prelude before it: keys and arguments in the order of the file's header. */
export function redisLua<Input, Reply>(script: {
  readonly file: string;
  readonly keys: (input: Input) => readonly string[];
  readonly args: (input: Input) => readonly (string | number)[];
  readonly reply: z.ZodType<Reply>;
  /** It gives out numbers of an epoch, which must be looked at first on a new connection: its caller asks again. */
  readonly isNumbered?: boolean;
}): RedisLua<Input, Reply> {
  const source = `${prelude}\n${readScript(script.file)}`;
  const sha = createHash('sha1').update(source).digest('hex');
  return async (redis, input) => {
    const keys = script.keys(input);
    const rest = [...keys, ...script.args(input)];
    return script.reply.parse(
      await evaluate(redis, { source, sha, keyCount: keys.length, rest }, script.isNumbered !== true),
    );
  };
}

interface Call {
  readonly source: string;
  readonly sha: string;
  readonly keyCount: number;
  readonly rest: readonly (string | number)[];
}

/** How long a failover may take before a command that was refused for it is refused to its caller, too. */
const failoverMs = 1_000;

/** After a failover the old master answers READONLY; it or its connection ends, and the client connects anew. */
const failoverSigns = /READONLY|Connection is closed/;

/** What a failover or a restart cut off is asked for once more: scripts may be repeated. */
async function evaluate(redis: RedisConnection, call: Call, isRepeated: boolean): Promise<unknown> {
  try {
    return await teach(redis, call);
  } catch (error) {
    if (!isRepeated || !(error instanceof Error) || !failoverSigns.test(error.message))
      throw translateRedisError(error);
    await untilReady(redis);
  }
  try {
    return await teach(redis, call);
  } catch (error) {
    throw translateRedisError(error);
  }
}

/** Redis forgets scripts at a restart, a failover and SCRIPT FLUSH; EVAL teaches it again. */
async function teach(redis: RedisConnection, { source, sha, keyCount, rest }: Call): Promise<unknown> {
  gatherWrites(redis);
  try {
    return await redis.evalsha(sha, keyCount, ...rest);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
  }
  return await redis.eval(source, keyCount, ...rest);
}

/** Until the connection was made anew, or that took too long. */
async function untilReady(redis: RedisConnection): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      redis.off('ready', done);
      resolve();
    };
    const timer = setTimeout(done, failoverMs);
    redis.once('ready', done);
  });
}

const gathering = new WeakSet<object>();

/**
 * What one turn of the event loop asks for goes out in one write, which costs more than all else about a command, here
 * and at Redis. The client's own pipelining would let a turn wait for the answers to the one before, and its time limits
 * begin only then.
 */
function gatherWrites({ status, stream }: RedisConnection): void {
  if (status !== 'ready' || gathering.has(stream)) return;
  gathering.add(stream);
  stream.cork();
  setImmediate(() => {
    gathering.delete(stream);
    stream.uncork();
  });
}

function readScript(file: string): string {
  return readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8');
}
