import { describe, expect, it } from '@jest/globals';
import { RepositoryConfig, ReviewPolicy, narrowPolicy, type Trigger } from '@drydock/core';
import { isAnythingLeft, objectionOf } from './object-to-run.ts';

const mergeRequest = { isDraft: false, labels: [] as readonly string[] };

function why(wishes: object, facts: { isDraft?: boolean; labels?: readonly string[]; trigger?: Trigger } = {}) {
  const config = RepositoryConfig.parse(wishes);
  const policy = narrowPolicy(ReviewPolicy.parse({ drafts: 'review' }), config);
  const { trigger = 'pushed', isDraft = false, labels = [] } = facts;
  return objectionOf(config, policy, { ...mergeRequest, isDraft, labels: [...labels] }, trigger)?.why ?? null;
}

describe('objectionOf', () => {
  it.each([
    [{}, {}, null],
    [{}, { isDraft: true }, null],
    [{ enabled: false }, {}, 'switched-off-by-repository'],
    [{ enabled: false }, { trigger: 'manual' }, 'switched-off-by-repository'],
    [{ drafts: 'skip' }, { isDraft: true }, 'draft'],
    [{ drafts: 'skip' }, { isDraft: true, trigger: 'commanded' }, null],
    [{ drafts: 'skip' }, { isDraft: true, trigger: 'review-requested' }, null],
    [{ drafts: 'skip' }, { isDraft: true, labels: ['drydock:review'] }, null],
    [{ drafts: 'skip' }, { isDraft: false }, null],
    [{ skipLabels: ['wip'] }, { labels: ['a', 'wip'] }, 'label'],
    [{ skipLabels: ['wip'] }, { labels: ['wip', 'drydock:review'] }, 'label'],
    [{ skipLabels: ['wip'] }, { labels: ['wip'], trigger: 'commanded' }, null],
  ] as const)('%j of the repository and %j give %s', (wishes, facts, expected) => {
    expect(why(wishes, facts)).toBe(expected);
  });
});

describe('isAnythingLeft', () => {
  const still = () => 0;
  const ignoring = (...ignorePaths: string[]) => ({ ignorePaths, onlyPaths: [] });

  it('tells whether a file is left that no glob covers', () => {
    expect(isAnythingLeft(['a.ts', 'docs/b.md'], ignoring('docs/**'), still)).toBe(true);
    expect(isAnythingLeft(['docs/b.md'], ignoring('docs/**'), still)).toBe(false);
    expect(isAnythingLeft([], ignoring(), still)).toBe(false);
  });

  it('counts only what the policy wants reviewed, less what it ignores', () => {
    const paths = { ignorePaths: ['**/*.snap'], onlyPaths: ['src/**', 'lib/**'] };

    expect(isAnythingLeft(['docs/b.md', 'lib/a.ts'], paths, still)).toBe(true);
    expect(isAnythingLeft(['docs/b.md', 'src/a.snap'], paths, still)).toBe(false);
  });

  it('stops believing globs that take too long', () => {
    let nowMs = 0;
    const slow = () => (nowMs += 100);

    expect(isAnythingLeft(['docs/a', 'docs/b', 'docs/c'], ignoring('docs/**'), slow)).toBe(true);
  });
});
