import { format, inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { TransientError } from './errors.ts';
import { pinoLog } from './log.ts';
import { Secret, SecretList, SecretText } from './secret.ts';

const secret = new Secret('canary');

describe('Secret', () => {
  it.each<[string, () => string]>([
    ['a template', () => String(secret)],
    ['JSON', () => JSON.stringify({ a: [secret] })],
    ['an inspection', () => inspect({ a: { b: secret } }, { depth: 9, showHidden: true })],
    ['a format', () => format('%s %o %j', secret, secret, { secret })],
    ['its keys', () => JSON.stringify([Object.getOwnPropertyNames(secret), Object.entries(secret)])],
    ['a copy', () => inspect(structuredClone(secret))],
  ])('does not show in %s', (_name, print) => {
    expect(print()).not.toContain('canary');
  });

  it('does not show in a log, wherever it stands', () => {
    const lines: string[] = [];
    const log = pinoLog(pino({}, { write: (line: string) => lines.push(line) }));
    const err = Object.assign(
      new TransientError('forge.timeout', `with ${String(secret)}`, { cause: new Error('c') }),
      {
        request: { headers: { authorization: secret } },
      },
    );

    log.error({ err }, 'request failed');
    log.child({ runId: String(secret) }).info({}, 'began');

    expect(lines).toHaveLength(2);
    expect(lines.join('')).not.toContain('canary');
  });

  it('gives its value when asked', () => {
    expect(secret.reveal()).toBe('canary');
  });
});

describe('settings that hold secrets', () => {
  it('are read without showing', () => {
    const parsed = { one: SecretText.parse('canary'), many: SecretList.parse('canary, canary-2,') };

    expect(parsed.many.map((each) => each.reveal())).toEqual(['canary', 'canary-2']);
    expect(inspect(parsed, { depth: 9 })).not.toContain('canary');
  });

  it.each(['', ' ', ',,'])('refuse %j as a list', (text) => {
    expect(SecretList.safeParse(text).success).toBe(false);
  });
});
