import { describe, expect, it } from '@jest/globals';
import { root } from '../run-command.ts';
import { faultMatrix, faultRows, namesWithRows, testsWithRows } from './fault-matrix.ts';

describe('faultMatrix', () => {
  it('finds a test for every row that it lists', () => {
    const page = faultMatrix(testsWithRows(root));

    for (const { number } of faultRows) expect(page).toMatch(new RegExp(`^\\| ${number} \\| .*\\.test\\.ts`, 'm'));
  });

  it('lists the rows of the queue', () => {
    const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

    expect(faultRows.map(({ number }) => number)).toEqual([...span(1, 22), 26, 27, ...span(41, 46), ...span(57, 62)]);
  });

  it('reads rows from names of tests and from tables of cases', () => {
    const one = ['it', "('row 5: is kept', () => {});"].join('');
    const two = ['it.each([', "['row 6', 'x']", "])('%s: is kept, %s', () => {});"].join('');

    expect(namesWithRows(one + '\n' + 'describe(`rows 7, 8, G2: all`)')).toEqual([
      { rows: ['5'], name: 'is kept' },
      { rows: ['7', '8', 'G2'], name: 'all' },
    ]);
    expect(namesWithRows(two)).toEqual([{ rows: ['6'], name: 'is kept, %s' }]);
  });

  it('refuses a row without a test, and a test of a row that is not there', () => {
    expect(() => faultMatrix([])).toThrow('no test shows row 1');
    expect(() => faultMatrix([{ rows: ['99'], file: 'x.test.ts', name: 'odd' }])).toThrow('no such row: odd');
  });
});
