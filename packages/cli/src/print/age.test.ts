import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ageText } from './age.ts';

const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];

describe('ageText', () => {
  it.each([
    [0, '0s'],
    [-5 * second, '0s'],
    [12 * second, '12s'],
    [119 * second, '119s'],
    [2 * minute, '2m'],
    [5 * minute + 7 * second, '5m7s'],
    [42 * minute, '42m'],
    [3 * hour + 20 * minute, '3h20m'],
    [4 * hour, '4h'],
    [30 * hour, '30h'],
    [4 * day, '4d'],
    [4 * day + 2 * hour, '4d2h'],
    [100 * day, '100d'],
    [800 * day, '2y70d'],
    [4000 * day, '10y'],
  ])('tells %i ms as %s', (ms, text) => {
    expect(ageText(ms)).toBe(text);
  });

  it('is short, whatever the age', () => {
    fc.assert(fc.property(fc.integer({ max: 1e15 }), (ms) => /^\d+[smhdy](?:\d+[smhd])?$/.test(ageText(ms))));
  });
});
