import { describe, expect, it } from '@jest/globals';
import { planSuite, type ClusterSuite } from './cluster-tests.ts';

const suite: ClusterSuite = { level: 'full', pattern: '[.]cluster[.]test[.]ts$', files: ['a.cluster.test.ts'] };
const selected = ['/x/a.cluster.test.ts', '/x/b.test.ts'];

describe('planSuite', () => {
  it('does nothing for tests that were not asked for', () => {
    expect(planSuite(suite, ['/x/b.test.ts'], { why: 'it needs Linux', isBuilt: false })).toEqual({ kind: 'nothing' });
  });

  it('builds what they need once, then lets them run', () => {
    expect(planSuite(suite, selected, { why: 'not built', isBuilt: false })).toEqual({ kind: 'build', level: 'full' });
    expect(planSuite(suite, selected, { why: null, isBuilt: true })).toEqual({ kind: 'nothing' });
  });

  it('leaves them out where they cannot run, and says why', () => {
    expect(planSuite(suite, selected, { why: 'a node needs root', isBuilt: true })).toEqual({
      kind: 'skip',
      pattern: suite.pattern,
      files: 1,
      why: 'a node needs root',
    });
  });
});
