import type { MergeRequest, MergeRequestRef } from '@drydock/core';
import type { LocalChange } from './local-change.ts';
import type { ReviewEnd, ReviewPorts, ReviewSettings } from './review-settings.ts';

import { startReviewStage } from './review-stage.ts';

const ref: MergeRequestRef = { forge: 'local', projectId: '1', iid: 1 };

/** Reviews a range of a repository of this machine. Nothing is written to it. */
export async function reviewLocalChange(
  change: LocalChange,
  settings: ReviewSettings,
  ports: ReviewPorts,
): Promise<ReviewEnd> {
  const { repository, scope, rootDir } = change;
  const local = { id: ref.forge, mergeRequest: asMergeRequest(change), repository };
  await using stage = await startReviewStage({ ...settings, forges: [], local, scope }, ports);
  const end = await stage.review({ ref, diffRefs: change.refs });
  return end.kind === 'reviewed' ? { ...end, rootDir, publication: null } : end;
}

function asMergeRequest(change: LocalChange): Omit<MergeRequest, 'reviewed'> {
  const { refs, projectPath, title, description, author, sourceBranch, targetBranch } = change;
  return {
    v: 1,
    ref,
    projectPath,
    webUrl: '',
    title,
    description,
    state: 'opened',
    isDraft: false,
    labels: [],
    isReviewRequested: false,
    author: { id: '1', username: author, isBot: false },
    authorRole: null,
    sourceBranch,
    targetBranch,
    isFromFork: false,
    headSha: refs.headSha,
    diffRefs: refs,
  };
}
