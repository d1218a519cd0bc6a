import { describe, expect, it } from '@jest/globals';
import { root } from '../run-command.ts';
import { faultMatrix, faultRows, namesWithRows, reportedRows, testsWithRows } from './fault-matrix.ts';

describe('faultMatrix', () => {
  it('finds a test for every row that it lists', () => {
    const page = faultMatrix(testsWithRows(root));

    for (const { id } of [...faultRows, ...reportedRows]) {
      expect(page).toMatch(new RegExp(`^\\| ${id} \\| .*\\.test\\.ts`, 'm'));
    }
  });

  it('lists the rows of the queue and of the Kubernetes API', () => {
    const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => String(from + n));

    expect(faultRows.map(({ id }) => id)).toEqual([...span(1, 46), ...span(57, 62)]);
  });

  it('reads rows from names of tests and from tables of cases', () => {
    const one = ['it', "('row 5: is kept', () => {});"].join('');
    const two = ['it.each([', "['row 6', 'x']", "])('%s: is kept, %s', () => {});"].join('');

    expect(namesWithRows(one + '\n' + 'describe(`rows 7, 8, G2: all`)')).toEqual([
      { rows: ['5'], name: 'is kept' },
      { rows: ['7', '8', 'G2'], name: 'all' },
    ]);
    const three = ['it', "('rows 3 to 5, reported 17 and 18: hold')"].join('');

    expect(namesWithRows(three)).toEqual([{ rows: ['3', '4', '5', 'R17', 'R18'], name: 'hold' }]);
    expect(namesWithRows(two)).toEqual([{ rows: ['6'], name: 'is kept, %s' }]);
  });

  it('refuses a row without a test, and a test of a row that is not there', () => {
    expect(() => faultMatrix([])).toThrow('no test shows row 1');
    expect(() => faultMatrix([{ rows: ['99'], file: 'x.test.ts', name: 'odd' }])).toThrow('no such row: odd');
  });
});
