import { describe, expect, it } from '@jest/globals';
import { findOverlaps } from './find-overlaps.ts';
import { policyStatus, PolicyStatus } from './policy-status.ts';
import { aPolicy } from './testing/policy-builders.ts';

const counts = { matchedProjects: 2, waiting: 1, running: 0 };
const nowMs = Date.parse('2026-11-21T10:00:00.123Z');

describe('policyStatus', () => {
  it('accepts a valid policy that nothing goes before', () => {
    const status = policyStatus(aPolicy('a', { projects: ['a/*'] }, { generation: 3 }), [], counts, null, nowMs);

    expect(PolicyStatus.parse(status)).toEqual(status);
    expect(status).toEqual({
      observedGeneration: 3,
      conditions: [
        {
          type: 'Accepted',
          status: 'True',
          reason: 'Valid',
          message: 'It applies to its projects.',
          observedGeneration: 3,
          lastTransitionTime: '2026-11-21T10:00:00Z',
        },
        {
          type: 'Conflicted',
          status: 'False',
          reason: 'NoOverlap',
          message: 'No other policy goes before it.',
          observedGeneration: 3,
          lastTransitionTime: '2026-11-21T10:00:00Z',
        },
      ],
      ...counts,
    });
  });

  it('warns of what has no effect', () => {
    const policy = aPolicy('a', { projects: ['a/*'], review: { maxComments: 0 } });

    expect(policyStatus(policy, [], counts, null, nowMs).conditions?.[0]).toMatchObject({
      status: 'True',
      reason: 'ValidWithWarnings',
      message: 'It applies, but spec.review.maxComments is 0: every finding is held back, and counted in the summary',
    });
  });

  it('names what is wrong in one that is not applied', () => {
    const policy = aPolicy('a', { projects: ['a/*'], review: { minSeverity: 'hihg' }, color: 'blue' });

    const [accepted] = policyStatus(policy, [], counts, null, nowMs).conditions ?? [];

    expect(accepted).toMatchObject({ status: 'False', reason: 'Invalid' });
    expect(accepted?.message).toMatch(/^Not applied, and reviews of its projects are held back: spec.*minSeverity: /);
    expect(accepted?.message).toMatch(/color/);
  });

  it('names who goes first, where, and why; only an unwritten order is a conflict', async () => {
    const all = aPolicy('all', { projects: ['*'] });
    const one = aPolicy('one', { projects: ['a/*'] });
    const two = aPolicy('two', { projects: ['a/*'] });
    const overlaps = await findOverlaps([all, one, two]);
    const conflicted = (policy: typeof all) =>
      policyStatus(policy, overlaps.get(policy.name) ?? [], counts, null, nowMs).conditions?.[1];

    expect(conflicted(all)).toMatchObject({ status: 'False', reason: 'Overridden' });
    expect(conflicted(one)).toMatchObject({ status: 'False', reason: 'NoOverlap' });
    expect(conflicted(two)).toMatchObject({
      status: 'True',
      reason: 'Overlap',
      message:
        'policy one goes first for projects that match both a/* and its a/*: its name comes first in the alphabet. Set spec.precedence to say which is meant.',
    });
  });

  it('keeps the time of a condition that stays as it is', () => {
    const policy = aPolicy('a', { projects: ['a/*'] });
    const before = policyStatus(policy, [], counts, null, nowMs);

    expect(policyStatus(policy, [], counts, before, nowMs + 60_000)).toEqual(before);
  });
});
