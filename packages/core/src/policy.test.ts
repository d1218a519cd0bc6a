import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Severity, compareSeverity } from './finding.ts';
import { RepositoryConfig, ReviewPolicy, narrowPolicy, verdictOf } from './policy.ts';

const policy = ReviewPolicy.parse({});

describe('narrowPolicy', () => {
  it('never widens what the operator allows', () => {
    const severity = fc.constantFrom(...Severity.options);
    const wishes = fc.record(
      {
        enabled: fc.boolean(),
        minSeverity: severity,
        minConfidence: fc.double({ min: 0, max: 1, noNaN: true }),
        maxComments: fc.nat(500),
        ignorePaths: fc.array(fc.string({ maxLength: 10 }), { maxLength: 3 }),
        maxUsdPerRun: fc.double({ min: 0.01, max: 1000, noNaN: true }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(wishes, severity, fc.boolean(), (wish, minSeverity, enabled) => {
        const allowed = { ...policy, minSeverity, enabled };

        const narrowed = narrowPolicy(allowed, RepositoryConfig.parse(wish));

        expect(narrowed.enabled && !allowed.enabled).toBe(false);
        expect(compareSeverity(narrowed.minSeverity, allowed.minSeverity)).toBeGreaterThanOrEqual(0);
        expect(narrowed.minConfidence).toBeGreaterThanOrEqual(allowed.minConfidence);
        expect(narrowed.maxComments).toBeLessThanOrEqual(allowed.maxComments);
        expect(narrowed.budget.usdPerRun).toBeLessThanOrEqual(allowed.budget.usdPerRun);
        expect(narrowed.ignorePaths).toEqual(expect.arrayContaining([...allowed.ignorePaths]));
      }),
    );
  });

  it.each([{ drafts: 'review' }, { suggestions: true }, { model: 'claude-opus-5-5' }, { commandRole: 'guest' }])(
    'knows no wish %j',
    (wish) => {
      expect(RepositoryConfig.safeParse(wish).success).toBe(false);
    },
  );
});

it('leaves the policy as it is when a repository names what fails its pipeline', () => {
  expect(narrowPolicy(policy, RepositoryConfig.parse({ failOn: 'high' }))).toEqual(policy);
});

describe('verdictOf', () => {
  it.each<[Severity[], Severity | null, string]>([
    [[], 'low', 'clean'],
    [['medium'], null, 'comment'],
    [['low', 'medium'], 'high', 'comment'],
    [['low', 'critical'], 'high', 'block'],
  ])('of %j with the bar at %s is %s', (severities, blockAt, verdict) => {
    expect(verdictOf(severities, blockAt)).toBe(verdict);
  });
});
