import { describe, expect, it } from '@jest/globals';
import { latenciesOf, quantile } from './quantile.ts';

describe('a quantile', () => {
  it('is a value that was seen, whatever order they come in', () => {
    const values = [5, 1, 4, 2, 3];

    expect([0, 0.2, 0.21, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 1, 2, 3, 5, 5]);
    expect(values).toEqual([5, 1, 4, 2, 3]);
  });

  it('of nothing is no number', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('of a thousand leaves as many above it as its name says', () => {
    const values = Array.from({ length: 1000 }, (_, index) => index + 1);

    expect(latenciesOf(values)).toEqual({ p50: 500, p99: 990, p999: 999, max: 1000 });
  });
});
