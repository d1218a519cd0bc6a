import { TerminalError, type ForgeId, type MergeRequest } from '@drydock/core';
import type { Forge } from './forge.ts';

/** A change on this machine, told as the merge request that it might become. */
export interface LocalForgeSettings {
  readonly id: ForgeId;
  readonly mergeRequest: Omit<MergeRequest, 'reviewed'>;
}

/**
 * A forge with one merge request, which is a range of a repository on this machine: it can be reviewed as any other, and
 * nothing can be written to it. Its repository is not fetched, whoever reads it has it.
 */
export function createLocalForge({ id, mergeRequest }: LocalForgeSettings): Forge {
  const { headSha, diffRefs, state, author } = mergeRequest;
  const refuse = () => Promise.reject(new TerminalError('forge.rejected', 'a local change has no forge to write to'));
  return {
    id,
    self: async () => ({ id: author.id, username: author.username }),
    findProject: async () => mergeRequest.ref.projectId,
    readMergeRequest: async () => ({ mergeRequest, isDiffCut: false }),
    readHead: async () => ({ state, headSha, diffRefs, isDiffCut: false }),
    readRole: async () => ({ role: 'owner', isBot: false }),
    gitRemote: () => {
      throw new TerminalError('forge.rejected', 'the repository of a local change is on this machine');
    },
    listOwnThreads: async () => [],
    createThread: refuse,
    createNote: refuse,
    editNote: refuse,
    deleteNote: refuse,
    setResolved: refuse,
    setCommitStatus: refuse,
    canListAll: false,
    listProjects: async () => ({ items: [], cursor: null }),
    listOpenMergeRequests: async () => ({ items: [], cursor: null }),
    listHooks: async () => null,
    listFailedDeliveries: async () => null,
    resendDelivery: async () => 'gone',
    noteUrl: () => '',
    close: async () => undefined,
  };
}
