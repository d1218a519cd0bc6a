import { noUsage, type ReviewReport } from '@drydock/core';
import type { ReviewSettings } from '@drydock/standalone/review';

/** As git writes a commit that is none. */
const noCommit = '0'.repeat(40);

/** The report of a review in which there was nothing to look at, and why. */
export function emptyReport(why: string, { subject, model, policy }: ReviewSettings): ReviewReport {
  return {
    v: 1,
    change: {
      kind: subject.kind,
      title: '',
      projectPath: '',
      sourceBranch: '',
      targetBranch: '',
      webUrl: subject.kind === 'merge-request' ? subject.url : null,
      diffRefs: { baseSha: noCommit, startSha: noCommit, headSha: noCommit },
    },
    model: model.kind === 'scripted' ? 'scripted' : (model.name ?? policy.model),
    partial: null,
    verdict: 'clean',
    failOn: null,
    overview: why,
    findings: [],
    heldBack: {},
    changedFiles: 0,
    notRead: [],
    turns: 0,
    usage: { calls: 0, reusedCalls: 0, tokens: noUsage, costUsd: 0 },
  };
}
