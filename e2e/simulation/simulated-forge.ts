import type { DiffRefs, MergeRequestRef, Placement, Sha } from '@drydock/core';
import type { Forge, ForgeThread } from '@drydock/forge';
import type { BadNetwork } from './bad-network.ts';
import { headSha } from './simulated-changes.ts';

/** A merge request as people see it. */
export interface SimulatedMergeRequest {
  readonly ref: MergeRequestRef;
  /** Names of all heads so far, oldest first. */
  readonly heads: Sha[];
  readonly threads: ForgeThread[];
}

const baseSha = 'c'.repeat(40);

/** A forge with merge requests in memory, reached over a bad network. */
export class SimulatedForge {
  readonly mergeRequests = new Map<number, SimulatedMergeRequest>();
  #lastId = 0;

  open(iid: number): SimulatedMergeRequest {
    const ref = { forge: 'gitlab', projectId: '42', iid };
    const opened = { ref, heads: [headSha(iid, 0)], threads: [] };
    this.mergeRequests.set(iid, opened);
    return opened;
  }

  push(mergeRequest: SimulatedMergeRequest): Sha {
    const sha = headSha(mergeRequest.ref.iid, mergeRequest.heads.length);
    mergeRequest.heads.push(sha);
    return sha;
  }

  headOf({ iid }: MergeRequestRef): Sha {
    return this.#find({ iid }).heads.at(-1) ?? '';
  }

  wasHead({ iid }: MergeRequestRef, sha: Sha): boolean {
    return this.#find({ iid }).heads.includes(sha);
  }

  /** As one caller reaches it. */
  reachedOver(network: BadNetwork): Forge {
    const over = <Answer>(signal: AbortSignal, work: () => Answer) => network.carry(async () => work(), signal);
    return {
      id: 'gitlab',
      canListAll: false,
      self: (signal) => over(signal, () => ({ id: '1', username: 'drydock' })),
      findProject: (_path, signal) => over(signal, () => '42'),
      readMergeRequest: (ref, signal) =>
        over(signal, () => ({ mergeRequest: this.#mergeRequest(ref), isDiffCut: false })),
      readHead: (ref, signal) =>
        over(signal, () => {
          const head = this.headOf(ref);
          return { state: 'opened' as const, headSha: head, diffRefs: refsOf(head), isDiffCut: false };
        }),
      readRole: (_project, _user, signal) => over(signal, () => ({ role: 'developer' as const, isBot: false })),
      gitRemote: () => {
        throw new Error('nothing is fetched here');
      },
      listOwnThreads: (ref, signal) => over(signal, () => [...this.#find(ref).threads]),
      createThread: (ref, { placement, body }, signal) =>
        over(signal, () => ({ kind: 'created' as const, noteId: this.#add(ref, body, placement) })),
      createNote: (ref, body, signal) => over(signal, () => this.#add(ref, body, null)),
      editNote: (ref, noteId, body, signal) =>
        over(signal, () => {
          this.#change(ref, (thread) =>
            thread.note.id === noteId ? { ...thread, note: { id: noteId, body } } : thread,
          );
        }),
      deleteNote: (ref, noteId, signal) =>
        over(signal, () => {
          const { threads } = this.#find(ref);
          const index = threads.findIndex(({ note }) => note.id === noteId);
          if (index >= 0) threads.splice(index, 1);
        }),
      setResolved: (ref, id, isResolved, signal) =>
        over(signal, () => {
          const resolvedBy = isResolved ? ('us' as const) : null;
          this.#change(ref, (thread) => (thread.id === id ? { ...thread, isResolved, resolvedBy } : thread));
        }),
      setCommitStatus: (_ref, _sha, _status, signal) => over(signal, () => undefined),
      listProjects: (_cursor, signal) => over(signal, () => ({ items: [], cursor: null })),
      listOpenMergeRequests: (_query, signal) => over(signal, () => ({ items: [], cursor: null })),
      listHooks: (_project, signal) => over(signal, () => []),
      listFailedDeliveries: (_hook, _page, signal) => over(signal, () => ({ items: [], nextPage: null })),
      resendDelivery: (_delivery, signal) => over(signal, () => 'gone' as const),
      noteUrl: (url, id) => `${url}#${id}`,
      close: () => Promise.resolve(),
    };
  }

  #find({ iid }: Pick<MergeRequestRef, 'iid'>): SimulatedMergeRequest {
    const found = this.mergeRequests.get(iid);
    if (found === undefined) throw new Error(`no merge request ${String(iid)}`);
    return found;
  }

  #mergeRequest(ref: MergeRequestRef) {
    const head = this.headOf(ref);
    return {
      v: 1 as const,
      ref,
      projectPath: 'shop/orders',
      webUrl: 'https://gitlab.example/shop/orders/-/merge_requests',
      title: 'Rows',
      description: '',
      state: 'opened' as const,
      isDraft: false,
      labels: [],
      isReviewRequested: false,
      author: { id: '3', username: 'ada', isBot: false },
      authorRole: null,
      sourceBranch: 'work',
      targetBranch: 'main',
      isFromFork: false,
      headSha: head,
      diffRefs: refsOf(head),
    };
  }

  #add(ref: MergeRequestRef, body: string, placement: Placement | null): string {
    this.#lastId += 1;
    const id = String(this.#lastId);
    this.#find(ref).threads.push({
      id: `thread-${id}`,
      note: { id, body },
      hasReplies: false,
      isResolved: false,
      resolvedBy: null,
      place: placement === null ? null : { kind: 'file', path: 'src/rows.ts' },
    });
    return id;
  }

  #change(ref: MergeRequestRef, change: (thread: ForgeThread) => ForgeThread): void {
    const { threads } = this.#find(ref);
    threads.splice(0, threads.length, ...threads.map(change));
  }
}

function refsOf(head: Sha): DiffRefs {
  return { baseSha, startSha: baseSha, headSha: head };
}
