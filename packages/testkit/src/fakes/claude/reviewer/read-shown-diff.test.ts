import { describe, expect, it } from '@jest/globals';
import { readHunks, readNumberedLines, readOverview, readSearchHits } from './read-shown-diff.ts';

describe('readOverview', () => {
  it('reads paths, renames and what was left out, however it says so', () => {
    const text = [
      'modified\t+3 -1\tsrc/a b.ts',
      'renamed\t+3 -1\tsrc/old.ts => src/new.ts',
      'modified\t+1 -1\tpackage-lock.json\tleft out: lock file',
      'left out: binary\tlogo.png',
      'added\t+9 -0\tvendor/x.js (left out: vendored)',
      '[2 more files]',
    ].join('\n');

    expect(readOverview(text)).toEqual([
      { path: 'src/a b.ts', oldPath: null, status: 'modified', leftOut: null },
      { path: 'src/new.ts', oldPath: 'src/old.ts', status: 'renamed', leftOut: null },
      { path: 'package-lock.json', oldPath: null, status: 'modified', leftOut: 'lock file' },
      { path: 'logo.png', oldPath: null, status: 'left out', leftOut: 'binary' },
      { path: 'vendor/x.js', oldPath: null, status: 'added', leftOut: 'vendored' },
    ]);
  });
});

describe('readHunks', () => {
  it('reads rows by their columns, whatever the text looks like', () => {
    const text = [
      '@@ -5,2 +5,2 @@ function f() {',
      '     5      5   text with 7 + 8',
      '     6        - - 9',
      '            6 +      5      5   no row',
      '@@ -1000000 +1000001 @@',
      '1000000 1000001   ',
      '[cut here]',
    ].join('\n');

    expect(readHunks(text)).toEqual([
      [
        { sign: ' ', oldLine: 5, newLine: 5, text: 'text with 7 + 8' },
        { sign: '-', oldLine: 6, newLine: null, text: '- 9' },
        { sign: '+', oldLine: null, newLine: 6, text: '     5      5   no row' },
      ],
      [{ sign: ' ', oldLine: 1_000_000, newLine: 1_000_001, text: '' }],
    ]);
  });
});

describe('readNumberedLines and readSearchHits', () => {
  it('read numbers and keep the text as it is', () => {
    expect([...readNumberedLines('     1\t\ta\n    12\t b \n[more]')]).toEqual([
      [1, '\ta'],
      [12, ' b '],
    ]);
    expect(readSearchHits('src/a.ts:12: x: 1:2\nno hit')).toEqual([{ path: 'src/a.ts', line: 12, text: ' x: 1:2' }]);
  });
});
