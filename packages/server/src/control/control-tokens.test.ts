import { describe, expect, it } from '@jest/globals';
import { ConfigError, Secret, readConfig } from '@drydock/core';
import { z } from 'zod';
import { NamedTokens, controlTokens, createAuthenticator } from './control-tokens.ts';

const Config = z.object({ adminTokens: NamedTokens.optional() });
const read = (text: string) => readConfig(Config, { DRYDOCK_ADMIN_TOKENS: text }).adminTokens ?? [];
const long = 'a-token-of-some-length';

describe('NamedTokens', () => {
  it('reads names and tokens; a token may hold a colon', () => {
    const tokens = read(`ada:${long}, ci.bot:${long}:x,`);

    expect(tokens.map(({ name, token }) => [name, token.reveal()])).toEqual([
      ['ada', long],
      ['ci.bot', `${long}:x`],
    ]);
  });

  it.each([
    ['canary-canary-canary', 'entry 1 is not of the form name:token'],
    ['ada:canary', 'the token of entry 1 is shorter than 16 characters'],
    [`ada:${long},:canary-canary-canary`, 'entry 2 is not of the form name:token'],
    [`a da:canary-canary-canary`, 'entry 1 is not of the form name:token'],
    ['ada:canary canary canary', 'entry 1 is not of the form name:token'],
  ])('refuses %s and repeats no value', (text, message) => {
    expect(() => read(text)).toThrow(ConfigError);
    expect(() => read(text)).toThrow(`DRYDOCK_ADMIN_TOKENS: ${message}`);
    expect(() => read(text)).not.toThrow('canary');
  });

  it('prints no token', () => {
    expect(JSON.stringify(read(`ada:${long}`))).toBe('[{"name":"ada","token":"[redacted]"}]');
  });
});

describe('controlTokens', () => {
  const ada = { name: 'ada', token: new Secret(long) };

  it('takes several tokens of one name', () => {
    const other = { name: 'ada', token: new Secret(`${long}-2`) };

    expect(controlTokens({ viewerTokens: [ada], adminTokens: [other] }).map(({ role }) => role)).toEqual([
      'viewer',
      'admin',
    ]);
    expect(controlTokens({})).toEqual([]);
  });

  it.each([{ viewerTokens: [ada], adminTokens: [ada] }, { adminTokens: [ada, { ...ada, name: 'bob' }] }])(
    'refuses one token for two',
    (settings) => {
      expect(() => controlTokens(settings)).toThrow(
        /DRYDOCK_VIEWER_TOKENS, DRYDOCK_ADMIN_TOKENS: ada and (ada|bob) have/,
      );
      expect(() => controlTokens(settings)).not.toThrow(long);
    },
  );
});

describe('createAuthenticator', () => {
  const authenticate = createAuthenticator(
    controlTokens({
      viewerTokens: [{ name: 'vera', token: new Secret('the-token-of-vera') }],
      adminTokens: [{ name: 'ada', token: new Secret('the-token-of-ada-1') }],
    }),
  );

  it('tells who asks', () => {
    expect(authenticate({ authorization: 'Bearer the-token-of-vera' })).toEqual({ name: 'vera', role: 'viewer' });
    expect(authenticate({ authorization: 'bearer the-token-of-ada-1' })).toEqual({ name: 'ada', role: 'admin' });
  });

  it.each([
    undefined,
    '',
    'Bearer ',
    'Bearer the-token-of-ver',
    'Bearer the-token-of-veraa',
    'Bearer  the-token-of-vera',
    'Bearer the-token-of-vera ',
    'Basic the-token-of-vera',
    'the-token-of-vera',
    'Bearer vera:the-token-of-vera',
    'Bearer the-token-of-vera,the-token-of-ada-1',
  ])('knows nobody by %p', (authorization) => {
    expect(authenticate(authorization === undefined ? {} : { authorization })).toBeNull();
  });
});
