import { describe, expect, it } from '@jest/globals';
import { shareChanges } from './share-changes.ts';

const wanted = new Map([
  ['gitlab:2', { weight: 3, maxRunning: null }],
  ['gitlab:1', { weight: 1, maxRunning: 2 }],
] as const);

describe('shareChanges', () => {
  it('is nothing where all is as it should be', () => {
    expect(shareChanges({ 'gitlab:1': '1 2', 'gitlab:2': '3 -' }, wanted)).toEqual([]);
  });

  it('takes away, changes and gives, ordered by project', () => {
    expect(shareChanges({ 'gitlab:0': '9 -', 'gitlab:2': '3 1' }, wanted)).toEqual([
      { project: 'gitlab:0', share: null },
      { project: 'gitlab:1', share: '1 2' },
      { project: 'gitlab:2', share: '3 -' },
    ]);
  });
});
