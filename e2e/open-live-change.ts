import { randomBytes } from 'node:crypto';
import type { DiffRefs, MergeRequestRef } from '@drydock/core';
import { mergeRequestHook, noteHook, type HookBody } from '@drydock/testkit';
import type { LiveNote, LiveRef } from './live-gitlab.ts';
import { actionsBetween, type LiveTree } from './live-tree.ts';
import { waitUntilPrepared, type Live, type LiveAccount } from './open-live.ts';

/** A change to be proposed. */
export interface LiveChangePlan {
  readonly title: string;
  readonly base: LiveTree;
  readonly head: LiveTree;
  /** Old paths by their new ones. */
  readonly moves: Readonly<Record<string, string>>;
}

/** An open merge request. Dispose of it: it is closed, and its branches are gone. */
export interface LiveChange extends AsyncDisposable {
  readonly ref: MergeRequestRef;
  readonly liveRef: LiveRef;
  readonly refs: DiffRefs;
  readonly url: string;
  /** Commits what leads to these files and waits until GitLab has taken it in; gives the head before. */
  push(tree: LiveTree): Promise<string>;
  /** What GitLab would send about it; `oldrev`: after a push. */
  mergeRequestBody(event: { readonly action: 'open' | 'update'; readonly oldrev?: string }): Promise<HookBody>;
  /** What GitLab would send about a comment. */
  noteBody(by: LiveAccount, note: LiveNote): Promise<HookBody>;
}

/** Keeps pipelines of the scratch project from running. */
const skipPipelines = '[skip ci]';

/**
 * Opens a merge request between two branches of its own, so that the project's default branch is not touched. Whatever
 * fails on the way, what was made is removed again: by name, as a failed answer may hide a success.
 */
export async function openLiveChange(live: Live, plan: LiveChangePlan): Promise<LiveChange> {
  await using stack = new AsyncDisposableStack();
  const { project, author, bot, instanceUrl } = live;
  const { gitlab } = author;
  const name = `drydock-live-${randomBytes(4).toString('hex')}`;
  const [target, source] = [`${name}-target`, `${name}-source`];

  stack.defer(() => gitlab.deleteBranch(project.id, target));
  await gitlab.commit(project.id, {
    branch: target,
    startBranch: project.defaultBranch,
    message: `Start of a live test ${skipPipelines}`,
    actions: actionsBetween({}, plan.base),
  });
  stack.defer(() => gitlab.deleteBranch(project.id, source));
  const firstHead = await gitlab.commit(project.id, {
    branch: source,
    startBranch: target,
    message: `${plan.title} ${skipPipelines}`,
    actions: actionsBetween(plan.base, plan.head, plan.moves),
  });
  stack.defer(() => gitlab.closeMergeRequests(project.id, source));
  const { iid, web_url: url } = await gitlab.openMergeRequest(project.id, {
    source,
    target,
    title: plan.title,
    description: 'Opened by the live test suite of Drydock, which closes it when it ends.',
  });
  const ref: MergeRequestRef = { forge: 'gitlab', projectId: String(project.id), iid };
  const liveRef: LiveRef = { projectId: project.id, iid };
  const refs = await waitUntilPrepared(live, ref, firstHead);

  let state = { tree: plan.head, headSha: firstHead };
  const facts = async () => ({
    project: { id: project.id, pathWithNamespace: project.path, instanceUrl },
    mergeRequest: await mergeRequestFacts(state.headSha),
  });
  const kept = stack.move();
  return {
    ref,
    liveRef,
    refs,
    url,
    async push(tree) {
      const before = state.headSha;
      const headSha = await gitlab.commit(project.id, {
        branch: source,
        message: `Next push ${skipPipelines}`,
        actions: actionsBetween(state.tree, tree),
      });
      state = { tree, headSha };
      await waitUntilPrepared(live, ref, headSha);
      return before;
    },
    mergeRequestBody: async (event) => mergeRequestHook({ ...event, ...(await facts()), user: author.user }),
    noteBody: async (by, note) =>
      noteHook({
        ...(await facts()),
        user: by.user,
        note: { id: note.id, body: note.body, authorId: by.user.id, createdAtMs: Date.now(), updatedAtMs: Date.now() },
      }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };

  async function mergeRequestFacts(headSha: string) {
    const found = await bot.gitlab.mergeRequest(liveRef);
    return {
      id: found.id,
      iid: found.iid,
      title: found.title,
      sourceBranch: found.source_branch,
      targetBranch: found.target_branch,
      sourceProjectId: project.id,
      authorId: author.user.id,
      updatedAtMs: Date.parse(found.updated_at),
      lastCommit: {
        id: headSha,
        message: plan.title,
        authorName: author.user.name,
        authorEmail: 'author@example.com',
        dateMs: Date.now(),
      },
    };
  }
}
