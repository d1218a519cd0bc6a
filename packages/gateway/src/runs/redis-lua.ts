import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { z } from 'zod';

/** A Lua script with typed input and reply. KEYS, ARGV and replies are told at the head of its file. */
export interface RedisLua<Input, Reply> {
  readonly source: string;
  readonly sha1: string;
  readonly keys: (input: Input) => readonly string[];
  readonly args: (input: Input) => readonly (string | number)[];
  readonly reply: z.ZodType<Reply>;
}

/** Names a script of the folder `lua`. */
export function redisLua<Input, Reply>(script: {
  readonly file: string;
  readonly keys: (input: Input) => readonly string[];
  readonly args: (input: Input) => readonly (string | number)[];
  readonly reply: z.ZodType<Reply>;
}): RedisLua<Input, Reply> {
  const source = readFileSync(new URL(`lua/${script.file}`, import.meta.url), 'utf8');
  return { ...script, source, sha1: createHash('sha1').update(source).digest('hex') };
}

/** Runs a script by its hash; a server that forgot it (restart, failover) is sent the text. */
export async function runLua<Input, Reply>(redis: Redis, script: RedisLua<Input, Reply>, input: Input): Promise<Reply> {
  const keys = script.keys(input);
  const rest = [keys.length, ...keys, ...script.args(input)];
  try {
    return script.reply.parse(await redis.evalsha(script.sha1, ...countFirst(rest)));
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return script.reply.parse(await redis.eval(script.source, ...countFirst(rest)));
  }
}

function countFirst(rest: readonly (string | number)[]): [number, ...(string | number)[]] {
  const [count, ...others] = rest;
  return [Number(count), ...others];
}
