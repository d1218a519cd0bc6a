import { ReviewPolicy, type Member, type MergeRequest } from '@drydock/core';
import { PolicyTrigger } from '@drydock/policy';
import { decideReview, type ReviewFacts } from '../decide-review.ts';

/** The head that is looked at, and one before it. */
export const head = 'a'.repeat(40);
export const olderHead = 'b'.repeat(40);
const base = 'c'.repeat(40);
export const policy = ReviewPolicy.parse({});
export const refs = { baseSha: base, startSha: base, headSha: head };
/** What a note says of a finished review of the head. */
export const done = { headSha: head, baseSha: base, state: 'done' } as const;

/** An open one of a member, which nobody has reviewed. */
export function aMergeRequest(changes: Partial<MergeRequest> = {}): MergeRequest {
  return {
    v: 1,
    ref: { forge: 'gitlab', projectId: '42', iid: 7 },
    projectPath: 'shop/orders',
    webUrl: 'https://gitlab.example/shop/orders/-/merge_requests/7',
    title: 'Add invoices',
    description: '',
    state: 'opened',
    isDraft: false,
    labels: [],
    isReviewRequested: false,
    author: { id: '3', username: 'ada', isBot: false },
    authorRole: null,
    sourceBranch: 'invoices',
    targetBranch: 'main',
    isFromFork: false,
    headSha: head,
    diffRefs: refs,
    reviewed: null,
    ...changes,
  };
}

/** About a push to it by a policy that triggers always. */
export function decide(changes: Partial<ReviewFacts> = {}) {
  const facts: ReviewFacts = {
    trigger: 'pushed',
    command: null,
    commander: null,
    mergeRequest: aMergeRequest(),
    policy,
    triggers: PolicyTrigger.options,
    doneHeadSha: null,
    isProjectAllowed: () => true,
    ageMs: 0,
    ...changes,
  };
  return decideReview(facts);
}

/** A developer. */
export function aMember(changes: Partial<Member> = {}): Member {
  return { v: 1, role: 'developer', isSelf: false, isBot: false, ...changes };
}
export const command = { verb: 'review', noteId: '11', userId: '3' } as const;
