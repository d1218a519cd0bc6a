import { createHash } from 'node:crypto';
import { TransientError } from '@drydock/core';
import type { z } from 'zod';
import { withLibrary } from './lua-library.ts';
import type { RedisConnection } from './redis-connection.ts';
import { translateRedisError } from './redis-error.ts';

/** A script as a typed function. Throws `TransientError` and `BlockedError` as `translateRedisError` says. */
export type RedisLua<Input, Reply> = (redis: RedisConnection, input: Input) => Promise<Reply>;

/** How a script is asked and what it answers. */
interface LuaShape<Input, Reply> {
  readonly keys: (input: Input) => readonly string[];
  readonly args: (input: Input) => readonly (string | number)[];
  readonly reply: z.ZodType<Reply>;
  /** It gives out numbers of an epoch, which must be looked at first on a new connection: its caller asks again. */
  readonly isNumbered?: boolean;
}

/** Binds a file of `lua/`, with what it uses of the library: keys and arguments in the order of the file's header. */
export function redisLua<Input, Reply>({
  file,
  ...shape
}: LuaShape<Input, Reply> & { readonly file: string }): RedisLua<Input, Reply> {
  return luaScript({ ...shape, source: withLibrary(file) });
}

/**
 * Binds a script: it is run by its hash, and taught again to a Redis that forgot it. One that a failover cut off is run
 * once more, so it must bear that.
 */
export function luaScript<Input, Reply>({
  source,
  ...script
}: LuaShape<Input, Reply> & { readonly source: string }): RedisLua<Input, Reply> {
  const sha = createHash('sha1').update(source).digest('hex');
  return async (redis, input) => {
    const keys = script.keys(input);
    const rest = [...keys, ...script.args(input)];
    return script.reply.parse(
      await evaluate(redis, { source, sha, keyCount: keys.length, rest }, script.isNumbered !== true),
    );
  };
}

/**
 * How many askers one run of a script serves at most: some 0.6 ms of Redis. More go out as soon as they are so many:
 * Redis works on them while we gather the next, and its answers come one after the other, too.
 */
const mostAtOnce = 16;

/** What goes out together: the same script with the same arguments before those of each. */
interface Batch {
  /** The connection that it was gathered for. */
  readonly stream: object;
  readonly head: readonly (string | number)[];
  readonly items: string[];
  readonly askers: { readonly resolve: (reply: unknown) => void; readonly reject: (error: unknown) => void }[];
}

/**
 * Binds a script that serves several at once: those who ask in one turn of the event loop share a run of it, of which
 * the start costs as much as the work. Each has its own reply, or its own error.
 */
export function sharedLua<Input, Reply>(script: {
  readonly file: string;
  readonly keys: (input: Input) => readonly string[];
  /** Those who differ in these share nothing. The number of those who ask follows. */
  readonly head: (input: Input) => readonly (string | number)[];
  /** What this one asks for; null: nothing but to be served. */
  readonly item: (input: Input) => string | null;
  readonly reply: (reply: unknown) => Reply;
  readonly isNumbered?: boolean;
}): RedisLua<Input, Reply> {
  const source = withLibrary(script.file);
  const sha = createHash('sha1').update(source).digest('hex');
  const gathered = new WeakMap<RedisConnection, Map<string, Batch>>();

  const send = async (redis: RedisConnection, keys: readonly string[], { stream, head, items, askers }: Batch) => {
    const rest = [...keys, ...head, askers.length, ...items];
    try {
      // Its epoch was looked at before this was gathered; on a connection made since, nobody has.
      if (script.isNumbered === true && stream !== redis.stream) throw madeAnew();
      const replies = await evaluate(redis, { source, sha, keyCount: keys.length, rest }, script.isNumbered !== true);
      if (!Array.isArray(replies) || replies.length !== askers.length) throw new Error('a script answered too little');
      for (const [i, asker] of askers.entries()) {
        const reply: unknown = replies[i];
        if (reply instanceof Error) asker.reject(translateRedisError(reply));
        else asker.resolve(reply);
      }
    } catch (error) {
      for (const asker of askers) asker.reject(error);
    }
  };

  const gather = async (redis: RedisConnection, input: Input): Promise<unknown> => {
    let batches = gathered.get(redis);
    if (batches === undefined) gathered.set(redis, (batches = new Map<string, Batch>()));
    const of = batches;
    const head = script.head(input);
    const name = head.join('\n');
    const sendOnce = (batch: Batch) => {
      if (of.get(name) !== batch) return;
      of.delete(name);
      void send(redis, script.keys(input), batch);
    };
    let batch = of.get(name);
    if (batch === undefined) {
      const begun: Batch = { stream: redis.stream, head, items: [], askers: [] };
      of.set(name, (batch = begun));
      atTurnEnd(redis, () => {
        sendOnce(begun);
      });
    }
    const { items, askers } = batch;
    const item = script.item(input);
    if (item !== null) items.push(item);
    const replied = new Promise((resolve, reject) => askers.push({ resolve, reject }));
    if (askers.length >= mostAtOnce) sendOnce(batch);
    return replied;
  };

  return async (redis, input) => script.reply(await gather(redis, input));
}

function madeAnew(): TransientError {
  return new TransientError('queue.unreachable', 'Redis does not answer: the connection was made anew');
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
const turnEnds = new WeakMap<RedisConnection, (() => void)[]>();

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

/** Does all that was put off in this turn of the event loop at its end, in one write. */
function atTurnEnd(redis: RedisConnection, work: () => void): void {
  const others = turnEnds.get(redis);
  if (others !== undefined) {
    others.push(work);
    return;
  }
  const works = [work];
  turnEnds.set(redis, works);
  setImmediate(() => {
    turnEnds.delete(redis);
    const { status, stream } = redis;
    const isOurs = status === 'ready' && !gathering.has(stream);
    if (isOurs) {
      gathering.add(stream);
      stream.cork();
    }
    for (const each of works) each();
    if (!isOurs) return;
    gathering.delete(stream);
    stream.uncork();
  });
}
