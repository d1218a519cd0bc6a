import { describe, expect, it } from '@jest/globals';
import type { MergeRequest } from '@drydock/core';
import { createLocalForge } from './local-forge.ts';

const signal = new AbortController().signal;
const headSha = 'a'.repeat(40);
const ref = { forge: 'local', projectId: '1', iid: 1 };
const mergeRequest: Omit<MergeRequest, 'reviewed'> = {
  v: 1,
  ref,
  projectPath: 'shop',
  webUrl: '',
  title: 'A change',
  description: '',
  state: 'opened',
  isDraft: false,
  labels: [],
  isReviewRequested: false,
  author: { id: '1', username: 'ada', isBot: false },
  authorRole: null,
  sourceBranch: 'feature',
  targetBranch: 'main',
  isFromFork: false,
  headSha,
  diffRefs: { baseSha: 'b'.repeat(40), startSha: 'c'.repeat(40), headSha },
};

describe('createLocalForge', () => {
  it('tells the change as a merge request on which nothing stands', async () => {
    const forge = createLocalForge({ id: 'local', mergeRequest });

    expect(await forge.readMergeRequest(ref, signal)).toEqual({ mergeRequest, isDiffCut: false });
    expect(await forge.readHead(ref, signal)).toMatchObject({ state: 'opened', headSha });
    expect(await forge.listOwnThreads(ref, signal)).toEqual([]);
  });

  it('takes no write and names no remote', async () => {
    const forge = createLocalForge({ id: 'local', mergeRequest });

    await expect(forge.createNote(ref, 'hello', signal)).rejects.toMatchObject({ code: 'forge.rejected' });
    await expect(forge.setResolved(ref, '1', true, signal)).rejects.toMatchObject({ code: 'forge.rejected' });
    expect(() => forge.gitRemote('shop', 1)).toThrow('on this machine');
  });
});
