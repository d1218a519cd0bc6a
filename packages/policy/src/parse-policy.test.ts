import { describe, expect, it } from '@jest/globals';
import { ConfigError, ReviewPolicy } from '@drydock/core';
import { parsePolicy } from './parse-policy.ts';

function problemOf(text: string): string {
  try {
    parsePolicy(text, 'policy.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return String(error);
  }
  throw new Error('the policy was taken');
}

describe('parsePolicy', () => {
  it('takes an empty file as the defaults', () => {
    expect(parsePolicy('', 'policy.yaml')).toEqual(ReviewPolicy.parse({}));
  });

  it('reads nested settings', () => {
    const policy = parsePolicy(
      'blockAt: high\nbudget:\n  usdPerRun: 0.5\nseverityCaps:\n  tests: low\n',
      'policy.yaml',
    );

    expect(policy).toMatchObject({
      blockAt: 'high',
      budget: { usdPerRun: 0.5, maxTurns: 40 },
      severityCaps: { tests: 'low' },
    });
  });

  it('names every problem with file, line, column and the nearest key', () => {
    const message = problemOf(
      'enabld: true\nbudget:\n  usdPerRum: 1\n  maxTurns: none\nseverityCaps:\n  securty: low\n',
    );

    expect(message).toContain('policy.yaml:1:1 enabld: unknown key (did you mean enabled?)');
    expect(message).toContain('policy.yaml:3:3 budget.usdPerRum: unknown key (did you mean usdPerRun?)');
    expect(message).toContain('policy.yaml:4:13 budget.maxTurns:');
    expect(message).toContain('policy.yaml:6:3 severityCaps.securty: unknown key (did you mean security?)');
  });

  it('says where broken syntax stands', () => {
    expect(problemOf('budget: {usdPerRun: 1\n')).toContain('policy.yaml:2:1');
  });
});
