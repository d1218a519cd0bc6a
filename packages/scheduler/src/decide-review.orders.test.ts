import { describe, expect, it } from '@jest/globals';
import type { MergeRequest } from '@drydock/core';
import type { PolicyTrigger } from '@drydock/policy';
import type { ReviewFacts } from './decide-review.ts';
import { aMember, aMergeRequest, command, decide, done, head, olderHead, policy } from './testing/review-facts.ts';

describe('decideReview', () => {
  it.each<[string, Partial<ReviewFacts>, string, string]>([
    ['a stranger at a closed one', { mergeRequest: aMergeRequest({ state: 'closed' }) }, 'closed', 'edit'],
    ['a stranger at a draft', { mergeRequest: aMergeRequest({ isDraft: true }) }, 'draft', 'edit'],
    [
      'a stranger at a reviewed head',
      { mergeRequest: aMergeRequest({ reviewed: done }) },
      'command-not-allowed',
      'silent',
    ],
    ['a stranger where it is off', { policy: { ...policy, enabled: false } }, 'switched-off', 'silent'],
    [
      'a member at a closed one',
      { commander: aMember(), mergeRequest: aMergeRequest({ state: 'closed' }) },
      'closed',
      'create',
    ],
    [
      'a member where it is off',
      { commander: aMember(), policy: { ...policy, enabled: false } },
      'switched-off',
      'create',
    ],
    ['a member elsewhere', { commander: aMember(), isProjectAllowed: () => false }, 'project-not-allowed', 'silent'],
  ])('lets nobody but who may give orders make us write a new note: %s', (_name, facts, reason, announce) => {
    const decision = decide({ trigger: 'commanded', command, commander: aMember({ role: 'none' }), ...facts });

    expect(decision).toEqual({ kind: 'skip', reason, announce });
  });

  it.each<[string, Partial<MergeRequest>]>([
    ['closed', { state: 'closed' }],
    ['made a draft', { isDraft: true }],
    ['labeled', { labels: ['drydock:skip'] }],
  ])(
    'leaves a finished review standing when its merge request is %s, so that it is not paid for again',
    (_name, changes) => {
      expect(decide({ mergeRequest: aMergeRequest({ reviewed: done, ...changes }) })).toMatchObject({
        kind: 'skip',
        announce: 'silent',
      });
      expect(
        decide({ mergeRequest: aMergeRequest({ reviewed: { ...done, state: 'reviewing' }, ...changes }) }),
      ).toMatchObject({
        kind: 'skip',
        announce: 'edit',
      });
    },
  );

  it.each<[string, readonly PolicyTrigger[], Partial<ReviewFacts>, string]>([
    ['a first review', ['commanded'], {}, 'trigger-off'],
    ['a first review', ['opened'], {}, 'first-review'],
    ['a first review after a push', ['pushed'], {}, 'first-review'],
    ['a first review that nobody pushed', ['pushed'], { trigger: 'swept' }, 'trigger-off'],
    [
      'a new head',
      ['opened'],
      { mergeRequest: aMergeRequest({ reviewed: { ...done, headSha: olderHead } }) },
      'trigger-off',
    ],
    [
      'a new head',
      ['pushed'],
      { mergeRequest: aMergeRequest({ reviewed: { ...done, headSha: olderHead } }) },
      'new-head',
    ],
    [
      'another base',
      ['opened'],
      { mergeRequest: aMergeRequest({ reviewed: { ...done, baseSha: head } }) },
      'trigger-off',
    ],
    [
      'another base',
      ['retargeted'],
      { mergeRequest: aMergeRequest({ reviewed: { ...done, baseSha: head } }) },
      'base-moved',
    ],
    [
      'what was begun',
      [],
      { mergeRequest: aMergeRequest({ reviewed: { ...done, state: 'reviewing' } }) },
      'not-finished-before',
    ],
    ['a label that asks', ['labeled'], { mergeRequest: aMergeRequest({ labels: ['drydock:review'] }) }, 'first-review'],
    ['a label that asks', [], { mergeRequest: aMergeRequest({ labels: ['drydock:review'] }) }, 'trigger-off'],
    [
      'a command',
      ['opened', 'pushed'],
      { command, commander: aMember(), mergeRequest: aMergeRequest({ reviewed: done }) },
      'command-not-allowed',
    ],
    ['a command', ['commanded'], { command, commander: aMember() }, 'commanded'],
    ['a person at the server', [], { trigger: 'manual' }, 'commanded'],
    [
      'a request for a review',
      [],
      { trigger: 'review-requested', mergeRequest: aMergeRequest({ isReviewRequested: true }) },
      'trigger-off',
    ],
  ])('answers %s where the triggers are %j', (_, triggers, facts, reason) => {
    expect(decide({ ...facts, triggers })).toMatchObject({ reason });
  });
});
