import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { TextList, readConfig } from './env.ts';
import { ConfigError } from './errors.ts';
import { SecretList, SecretText } from './secret.ts';

const Config = z.object({
  redisUrl: SecretText.describe('Where Redis is'),
  webhookSecrets: SecretList,
  maxRunning: z.coerce.number().int().min(1).default(2),
  apiKey: SecretText.optional().meta({ env: 'ANTHROPIC_API_KEY' }),
});

describe('readConfig', () => {
  it('reads settings by their environment names, and takes an empty one as unset', () => {
    const config = readConfig(Config, {
      DRYDOCK_REDIS_URL: 'redis://:canary@localhost',
      DRYDOCK_WEBHOOK_SECRETS: 'one, two',
      DRYDOCK_MAX_RUNNING: '',
      ANTHROPIC_API_KEY: 'key',
    });

    expect(config.maxRunning).toBe(2);
    expect(config.apiKey?.reveal()).toBe('key');
    expect(config.webhookSecrets.map((secret) => secret.reveal())).toEqual(['one', 'two']);
    expect(`${JSON.stringify(config)} ${String(config.redisUrl)}`).not.toContain('canary');
  });

  it('takes no white space around a value for a part of it, nor alone for a value', () => {
    const config = readConfig(Config, {
      DRYDOCK_REDIS_URL: 'redis://localhost\n',
      DRYDOCK_WEBHOOK_SECRETS: 'one',
      DRYDOCK_MAX_RUNNING: ' ',
      ANTHROPIC_API_KEY: '\tkey\r\n',
    });

    expect(config.redisUrl.reveal()).toBe('redis://localhost');
    expect(config.apiKey?.reveal()).toBe('key');
    expect(config.maxRunning).toBe(2);
  });

  it('names every bad setting at once and repeats no value', () => {
    const read = () => readConfig(Config, { DRYDOCK_WEBHOOK_SECRETS: ' , ', DRYDOCK_MAX_RUNNING: 'canary' });

    expect(read).toThrow(ConfigError);
    expect(read).toThrow(
      /DRYDOCK_REDIS_URL \(not set\): Where Redis is[^]*DRYDOCK_WEBHOOK_SECRETS[^]*DRYDOCK_MAX_RUNNING/,
    );
    expect(read).not.toThrow(/canary/);
  });
});

describe('TextList', () => {
  it.each([
    ['a,b', ['a', 'b']],
    [' a , , b c ,', ['a', 'b c']],
    [',', []],
  ])('reads %j as %j', (text, expected) => {
    expect(TextList.parse(text)).toEqual(expected);
  });
});
