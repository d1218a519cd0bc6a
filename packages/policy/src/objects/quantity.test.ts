import { describe, expect, it } from '@jest/globals';
import { quantityOf } from './quantity.ts';

describe('quantityOf', () => {
  it.each([
    ['500m', 0.5],
    ['1.5', 1.5],
    [2, 2],
    ['2Gi', 2_147_483_648],
    ['1k', 1000],
  ])('of %s is %s', (text, amount) => {
    expect(quantityOf(text)).toBe(amount);
  });

  it.each(['', 'Gi', '1Xi', '-1', '1e3', '1.', '1 Gi'])('takes %j for no quantity', (text) => {
    expect(quantityOf(text)).toBeNaN();
  });
});
