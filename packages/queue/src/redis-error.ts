import { BlockedError, DrydockError, TransientError } from '@drydock/core';

/** Redis answers, but refuses for now: it loads, is a replica, cannot persist, lacks replicas, or runs a long script. */
const refusals =
  /\b(MISCONF|READONLY|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOAUTH|WRONGPASS|NOPERM)\b/;

/** A script met something under our keys that it cannot read. */
const unreadable = /\b(WRONGTYPE|WRONGVERSION)\b/;

/**
 * Turns what ioredis throws into our errors; a fault of a script itself stays what it is: a bug.
 * Messages of the client carry no address; its errors carry the command with its arguments, so none is passed on.
 */
export function translateRedisError(error: unknown): unknown {
  if (error instanceof DrydockError || !(error instanceof Error)) return error;
  const cause = withoutCommand(error);
  const facts = { cause };
  if (/\bOOM\b/.test(cause.message)) return new TransientError('queue.full', 'Redis is full (maxmemory)', facts);
  if (unreadable.test(cause.message)) {
    return new BlockedError('queue.wrong_type', `a key of ours holds something else: ${firstLine(cause)}`, facts);
  }
  const refusal = refusals.exec(cause.message)?.[1];
  if (refusal !== undefined) return new TransientError('queue.unreachable', `Redis refuses: ${refusal}`, facts);
  if (error.name === 'ReplyError') return cause;
  return new TransientError('queue.unreachable', `Redis does not answer: ${firstLine(cause)}`, facts);
}

/** Whether Redis refused the user name or password. */
export function isRefusedCredential(error: unknown): boolean {
  return error instanceof Error && /\b(NOAUTH|WRONGPASS|NOPERM)\b|invalid password/.test(error.message);
}

/** An error without the command that caused it: AUTH's arguments are the password, and proxies echo them. */
function withoutCommand(error: Error): Error {
  const message = error.message.replace(/,? with args beginning with:[^]*$/, '');
  const clean = new Error(message);
  clean.name = error.name;
  return clean;
}

function firstLine({ message }: Error): string {
  return (message.split('\n', 1)[0] ?? '').slice(0, 300);
}
