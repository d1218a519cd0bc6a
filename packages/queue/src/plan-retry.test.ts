import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aFailure } from './contract/queue-under-test.ts';
import { planRetry } from './plan-retry.ts';

const policies = {
  retry: { maxAttempts: 3, baseMs: 1_000, capMs: 60_000 },
  infraRetry: { maxAttempts: 10, baseMs: 100, capMs: 400 },
};
const half = () => 0.5;
const dayMs = 24 * 3_600_000;

describe('planRetry', () => {
  it('backs off with full jitter and counts', () => {
    const first = planRetry(policies, { failures: 0, infraFailures: 0 }, aFailure(), half);
    const second = planRetry(policies, first, aFailure(), half);
    const third = planRetry(policies, second, aFailure(), half);

    expect(first).toEqual({ kind: 'retry', delayMs: 500, failures: 1, infraFailures: 0 });
    expect(second).toEqual({ kind: 'retry', delayMs: 1_000, failures: 2, infraFailures: 0 });
    expect(third).toEqual({ kind: 'dead', failures: 3, infraFailures: 0 });
  });

  it('waits as told, but no longer than a day', () => {
    const counts = { failures: 0, infraFailures: 0 };
    const delay = (retryAfterMs: number) => planRetry(policies, counts, aFailure({ retryAfterMs }), half);

    expect(delay(7_000)).toMatchObject({ delayMs: 7_000 });
    expect(delay(365 * dayMs)).toMatchObject({ delayMs: dayMs });
    expect(delay(-5)).toMatchObject({ delayMs: 0 });
  });

  it('gives faults of the infrastructure a count and a delay of their own', () => {
    const fault = aFailure({ class: 'infra' });

    expect(planRetry(policies, { failures: 2, infraFailures: 0 }, fault, half)).toEqual({
      kind: 'retry',
      delayMs: 50,
      failures: 2,
      infraFailures: 1,
    });
    expect(planRetry(policies, { failures: 2, infraFailures: 8 }, fault, half)).toMatchObject({ delayMs: 200 });
    expect(planRetry(policies, { failures: 2, infraFailures: 9 }, fault, half)).toEqual({
      kind: 'dead',
      failures: 2,
      infraFailures: 10,
    });
  });

  it('ends after a bounded number of faults in whatever order they come', () => {
    const classes = fc.array(fc.constantFrom('transient' as const, 'infra' as const), { minLength: 30, maxLength: 30 });

    fc.assert(
      fc.property(classes, fc.double({ min: 0, max: 0.999, noNaN: true }), (faults, random) => {
        let counts = { failures: 0, infraFailures: 0 };
        for (const fault of faults) {
          const plan = planRetry(policies, counts, aFailure({ class: fault }), () => random);
          if (plan.kind === 'dead') return;
          expect(plan.delayMs).toBeLessThanOrEqual(60_000);
          expect(Number.isInteger(plan.delayMs)).toBe(true);
          counts = plan;
        }
        throw new Error('tried again for ever');
      }),
    );
  });
});
