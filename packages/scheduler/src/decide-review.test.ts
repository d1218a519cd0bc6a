import { describe, expect, it } from '@jest/globals';
import { projectAllowList, type Trigger } from '@drydock/core';
import fc from 'fast-check';
import type { ReviewFacts } from './decide-review.ts';
import {
  aMember,
  aMergeRequest,
  command,
  decide,
  done,
  head,
  olderHead,
  policy,
  refs,
} from './testing/review-facts.ts';

describe('decideReview', () => {
  it.each<[string, Partial<ReviewFacts>, string, string]>([
    ['a new merge request', { trigger: 'opened' }, 'run', 'first-review'],
    ['a new head', { mergeRequest: aMergeRequest({ reviewed: { ...done, headSha: olderHead } }) }, 'run', 'new-head'],
    [
      'a reviewed head, whatever woke us',
      { mergeRequest: aMergeRequest({ reviewed: done }) },
      'skip',
      'head-already-reviewed',
    ],
    [
      'a reopened one with a reviewed head',
      { trigger: 'reopened', mergeRequest: aMergeRequest({ reviewed: done }) },
      'skip',
      'head-already-reviewed',
    ],
    [
      'a review that ended half-way before',
      { mergeRequest: aMergeRequest({ reviewed: { ...done, state: 'failed' } }) },
      'run',
      'not-finished-before',
    ],
    ['a closed one', { mergeRequest: aMergeRequest({ state: 'closed' }) }, 'skip', 'closed'],
    ['a merged one', { mergeRequest: aMergeRequest({ state: 'merged' }) }, 'skip', 'closed'],
    ['a draft', { mergeRequest: aMergeRequest({ isDraft: true }) }, 'skip', 'draft'],
    [
      'a draft with the trigger label',
      { mergeRequest: aMergeRequest({ isDraft: true, labels: ['drydock:review'] }) },
      'run',
      'first-review',
    ],
    [
      'a draft under a policy that reviews drafts',
      { mergeRequest: aMergeRequest({ isDraft: true }), policy: { ...policy, drafts: 'review' } },
      'run',
      'first-review',
    ],
    ['a label that says no', { mergeRequest: aMergeRequest({ labels: ['drydock:skip'] }) }, 'skip', 'label'],
    [
      'both labels: no wins',
      { mergeRequest: aMergeRequest({ labels: ['drydock:review', 'drydock:skip'] }) },
      'skip',
      'label',
    ],
    [
      'a bot author',
      { mergeRequest: aMergeRequest({ author: { id: '9', username: 'renovate', isBot: true } }) },
      'skip',
      'bot-author',
    ],
    [
      'a bot author on the list',
      {
        mergeRequest: aMergeRequest({ author: { id: '9', username: 'renovate', isBot: true } }),
        policy: { ...policy, botAuthors: ['renovate'] },
      },
      'run',
      'first-review',
    ],
    ['a fork of a stranger', { mergeRequest: aMergeRequest({ isFromFork: true, authorRole: 'none' }) }, 'skip', 'fork'],
    [
      'a fork of a member',
      { mergeRequest: aMergeRequest({ isFromFork: true, authorRole: 'developer' }) },
      'run',
      'first-review',
    ],
    ['no commits', { mergeRequest: aMergeRequest({ headSha: null, diffRefs: null }) }, 'skip', 'no-commits'],
    ['a policy that is off', { policy: { ...policy, enabled: false } }, 'skip', 'switched-off'],
    [
      'a moved base',
      { trigger: 'retargeted', mergeRequest: aMergeRequest({ reviewed: { ...done, baseSha: olderHead } }) },
      'run',
      'base-moved',
    ],
    [
      'a retargeting that left the base',
      { trigger: 'retargeted', mergeRequest: aMergeRequest({ reviewed: done }) },
      'skip',
      'head-already-reviewed',
    ],
    [
      'a command of a developer on a reviewed draft',
      {
        trigger: 'commanded',
        command,
        commander: aMember(),
        mergeRequest: aMergeRequest({ isDraft: true, reviewed: done }),
      },
      'run',
      'commanded',
    ],
    [
      'a command on a closed one',
      { trigger: 'commanded', command, commander: aMember(), mergeRequest: aMergeRequest({ state: 'closed' }) },
      'skip',
      'closed',
    ],
    [
      'a command of a reporter',
      {
        trigger: 'commanded',
        command,
        commander: aMember({ role: 'reporter' }),
        mergeRequest: aMergeRequest({ reviewed: done }),
      },
      'skip',
      'command-not-allowed',
    ],
    [
      'a command of our own bot',
      {
        trigger: 'commanded',
        command,
        commander: aMember({ role: 'owner', isSelf: true }),
        mergeRequest: aMergeRequest({ reviewed: done }),
      },
      'skip',
      'command-not-allowed',
    ],
    [
      'a command of a stranger that swallowed a push',
      { trigger: 'commanded', command, commander: aMember({ role: 'none' }) },
      'run',
      'first-review',
    ],
    [
      'our bot asked as reviewer',
      { trigger: 'review-requested', mergeRequest: aMergeRequest({ isReviewRequested: true, reviewed: done }) },
      'run',
      'review-requested',
    ],
    [
      'somebody else asked as reviewer',
      { trigger: 'review-requested', mergeRequest: aMergeRequest({ reviewed: done }) },
      'skip',
      'head-already-reviewed',
    ],
    ['a diff that is not prepared', { mergeRequest: aMergeRequest({ diffRefs: null }) }, 'wait', 'diff-not-prepared'],
    [
      'a diff of the head before',
      { mergeRequest: aMergeRequest({ diffRefs: { ...refs, headSha: olderHead } }) },
      'wait',
      'diff-not-prepared',
    ],
    [
      'a diff that does not come',
      { mergeRequest: aMergeRequest({ diffRefs: null }), ageMs: 3_600_000 },
      'wait',
      'diff-not-prepared',
    ],
    [
      'a project that is not on the list, as the forge names it',
      { isProjectAllowed: projectAllowList(['other/*']), trigger: 'manual' },
      'skip',
      'project-not-allowed',
    ],
    ['a project on the list by its id', { isProjectAllowed: projectAllowList(['42']) }, 'run', 'first-review'],
    [
      'a base that moved, though the event that said so was swallowed by another',
      { trigger: 'labeled', mergeRequest: aMergeRequest({ reviewed: { ...done, baseSha: olderHead } }) },
      'run',
      'base-moved',
    ],
    [
      'a new target whose diff is not made yet',
      { trigger: 'retargeted', mergeRequest: aMergeRequest({ reviewed: done, diffRefs: null }) },
      'wait',
      'diff-not-prepared',
    ],
    [
      'a reviewed head without a diff, whatever woke us',
      { trigger: 'swept', mergeRequest: aMergeRequest({ reviewed: done, diffRefs: null }) },
      'skip',
      'head-already-reviewed',
    ],
    [
      'a command of another bot',
      {
        trigger: 'commanded',
        command,
        commander: aMember({ role: 'maintainer', isBot: true }),
        mergeRequest: aMergeRequest({ reviewed: done }),
      },
      'skip',
      'command-not-allowed',
    ],
  ])('decides about %s', (_name, facts, kind, reason) => {
    const decision = decide(facts);

    expect([decision.kind, decision.reason]).toEqual([kind, reason]);
  });

  it('pays for no head twice that the ledger has as done, though our note is gone, unless a person asks', () => {
    const redelivered = decide({ doneHeadSha: head });
    const newer = decide({ doneHeadSha: 'f'.repeat(40) });
    const asked = decide({ doneHeadSha: head, command, commander: aMember() });
    const manual = decide({ doneHeadSha: head, trigger: 'manual' });
    const moved = decide({
      doneHeadSha: head,
      mergeRequest: aMergeRequest({ reviewed: { ...done, baseSha: 'e'.repeat(40) } }),
    });

    expect(redelivered).toEqual({ kind: 'skip', reason: 'head-already-reviewed', announce: 'silent' });
    expect([newer, asked, manual, moved].map(({ reason }) => reason)).toEqual([
      'first-review',
      'commanded',
      'commanded',
      'base-moved',
    ]);
  });

  it('waits longer the longer the forge needs, and calls it a fault in the end', () => {
    const mergeRequest = aMergeRequest({ diffRefs: null });
    const delays = [0, 1000, 4000, 60_000].map((ageMs) => decide({ mergeRequest, ageMs }));

    expect(delays.map((decision) => (decision.kind === 'wait' ? decision.delayMs : null))).toEqual([
      1000, 1000, 4000, 30_000,
    ]);
    expect(delays.map((decision) => decision.kind === 'wait' && decision.isOverdue)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(decide({ mergeRequest, ageMs: 1_800_001 })).toMatchObject({ isOverdue: true });
  });

  it('never runs on a diff of another head, whoever asks', () => {
    const triggers: readonly Trigger[] = [
      'opened',
      'pushed',
      'commanded',
      'manual',
      'review-requested',
      'swept',
      'retargeted',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...triggers),
        fc.boolean(),
        fc.constantFrom(null, refs, { ...refs, headSha: olderHead }),
        fc.nat(10_000_000),
        (trigger, isReviewRequested, diffRefs, ageMs) => {
          const decision = decide({ trigger, ageMs, mergeRequest: aMergeRequest({ isReviewRequested, diffRefs }) });

          expect(decision.kind === 'run').toBe(diffRefs === refs);
        },
      ),
    );
  });
});
