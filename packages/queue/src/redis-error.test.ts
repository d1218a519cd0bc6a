import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { StaleError } from '@drydock/core';
import { isRefusedCredential, translateRedisError } from './redis-error.ts';

/** As ioredis throws what the server answered. */
function replyError(message: string): Error {
  const error = Object.assign(new Error(message), { command: { name: 'auth', args: ['default', 'hunter2'] } });
  error.name = 'ReplyError';
  return error;
}

describe('translateRedisError', () => {
  it.each([
    [
      "OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:3.",
      'transient',
      'queue.full',
    ],
    ['MISCONF Redis is configured to save RDB snapshots', 'transient', 'queue.unreachable'],
    ["READONLY You can't write against a read only replica.", 'transient', 'queue.unreachable'],
    ['NOREPLICAS Not enough good replicas to write.', 'transient', 'queue.unreachable'],
    ['LOADING Redis is loading the dataset in memory', 'transient', 'queue.unreachable'],
    ['BUSY Redis is busy running a script.', 'transient', 'queue.unreachable'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'blocked', 'queue.wrong_type'],
    ['ERR user_script:22: WRONGTYPE x holds list where zset is expected script: 1f', 'blocked', 'queue.wrong_type'],
    ['WRONGVERSION x has version 2', 'blocked', 'queue.wrong_type'],
  ])('reads %s', (message, kind, code) => {
    expect(translateRedisError(replyError(message))).toMatchObject({ kind, code });
  });

  it.each(['Command timed out', 'Connection is closed.', 'connect ECONNREFUSED 127.0.0.1:1', 'read ECONNRESET'])(
    'takes %s for a store that does not answer',
    (message) => {
      expect(translateRedisError(new Error(message))).toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
    },
  );

  it('lets a bug in a script stay a bug', () => {
    const bug = translateRedisError(replyError('ERR user_script:7: attempt to compare nil with number'));

    expect(bug).toMatchObject({ name: 'ReplyError', message: expect.stringContaining('attempt to compare') });
  });

  it('leaves errors of ours alone', () => {
    const ours = new StaleError('queue.lease_lost', 'lost');

    expect(translateRedisError(ours)).toBe(ours);
  });

  it.each([
    'WRONGPASS invalid username-password pair or user is disabled.',
    'ERR user_script:7: attempt to compare nil with number',
    'ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `default` `hunter2`',
  ])('passes on no credential from %s', (message) => {
    const translated = translateRedisError(replyError(message));

    expect(inspect(translated, { depth: null, showHidden: true })).not.toContain('hunter2');
  });
});

describe('isRefusedCredential', () => {
  it('knows the refusals of a password from others', () => {
    expect(isRefusedCredential(replyError('WRONGPASS invalid username-password pair'))).toBe(true);
    expect(isRefusedCredential(replyError('NOAUTH Authentication required.'))).toBe(true);
    expect(isRefusedCredential(new Error('Connection is closed.'))).toBe(false);
  });
});
