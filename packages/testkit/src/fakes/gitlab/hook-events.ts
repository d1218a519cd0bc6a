/** What happened in the world, told to the webhooks that want it. */
import type {
  GitLabHookEvent,
  GitLabMergeRequest,
  GitLabNote,
  GitLabProject,
  GitLabUser,
  GitLabWebhook,
} from './gitlab-state.ts';
import { isDraftTitle, type GitLabWorld } from './gitlab-world.ts';
import {
  mergeRequestHook,
  noteHook,
  pushHook,
  type HookBody,
  type HookCommit,
  type HookMergeRequest,
  type HookProject,
} from './webhook-payloads.ts';

const eventNames: Record<GitLabHookEvent, string> = {
  merge_requests_events: 'Merge Request Hook',
  note_events: 'Note Hook',
  push_events: 'Push Hook',
};

function send(world: GitLabWorld, project: GitLabProject, event: GitLabHookEvent, body: HookBody): void {
  for (const webhook of project.webhooks) {
    const { disabled } = webhook;
    const isSending = disabled === null || (disabled.untilMs !== null && disabled.untilMs <= world.nowMs());
    if (isSending && webhook.events.includes(event)) world.webhooks.send(webhook, eventNames[event], body, world.url);
  }
}

/** A merge request was opened, changed, closed, approved … */
export async function tellMergeRequest(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  event: {
    readonly action: string;
    readonly by: GitLabUser;
    readonly oldrev?: string | null;
    readonly changes?: HookBody;
  },
): Promise<void> {
  const project = world.project(mergeRequest.projectId);
  const body = mergeRequestHook({
    action: event.action,
    user: event.by,
    project: projectFacts(world, project),
    mergeRequest: await mergeRequestFacts(world, mergeRequest),
    oldrev: event.oldrev ?? null,
    ...(event.changes === undefined ? {} : { changes: event.changes }),
  });
  send(world, project, 'merge_requests_events', body);
}

/** A person's note was written or edited; system notes call no webhook. */
export async function tellNote(world: GitLabWorld, note: GitLabNote, action: 'create' | 'update'): Promise<void> {
  if (note.system) return;
  const project = world.project(note.projectId);
  const body = noteHook({
    action,
    user: world.user(note.authorId),
    project: projectFacts(world, project),
    mergeRequest: await mergeRequestFacts(world, world.mergeRequest(project.id, note.mergeRequestIid)),
    note: {
      ...note,
      position: note.position === null ? null : { ...note.position },
      originalPosition: note.originalPosition === null ? null : { ...note.originalPosition },
    },
  });
  send(world, project, 'note_events', body);
}

/** A branch moved. */
export async function tellPush(
  world: GitLabWorld,
  project: GitLabProject,
  push: { readonly ref: string; readonly before: string; readonly after: string; readonly by: GitLabUser },
): Promise<void> {
  const isMade = /^0+$/.test(push.before);
  const isRemoved = /^0+$/.test(push.after);
  const shas = isMade || isRemoved ? [] : await project.repository.commitsBetween(push.before, push.after);
  const commits: HookCommit[] = [];
  for (const id of shas.slice(0, 20)) commits.push({ id, ...(await project.repository.readCommit(id)) });
  const body = pushHook({ ...push, user: push.by, project: projectFacts(world, project), commits });
  send(world, project, 'push_events', { ...body, total_commits_count: shas.length });
}

/** What GitLab sends when a person tries a webhook; false where the project has nothing to show. */
export async function testWebhook(
  world: GitLabWorld,
  project: GitLabProject,
  webhook: GitLabWebhook,
  event: GitLabHookEvent,
): Promise<boolean> {
  const mergeRequest = project.mergeRequests.at(-1);
  if (mergeRequest === undefined) return false;
  const facts = { project: projectFacts(world, project), mergeRequest: await mergeRequestFacts(world, mergeRequest) };
  const user = world.user(mergeRequest.authorId);
  const build = { merge_requests_events: mergeRequestHook, note_events: noteHook, push_events: pushHook }[event];
  world.webhooks.send(webhook, eventNames[event], build({ ...facts, user }), world.url);
  return true;
}

function projectFacts(world: GitLabWorld, project: GitLabProject): HookProject {
  const { id, name, pathWithNamespace, defaultBranch, visibility } = project;
  const visibilityLevel = visibility === 'public' ? 20 : visibility === 'internal' ? 10 : 0;
  return { id, name, pathWithNamespace, instanceUrl: world.url, defaultBranch, visibilityLevel };
}

async function mergeRequestFacts(world: GitLabWorld, mergeRequest: GitLabMergeRequest): Promise<HookMergeRequest> {
  const project = world.project(mergeRequest.projectId);
  const headSha = mergeRequest.versions.at(-1)?.headSha ?? '';
  return {
    ...mergeRequest,
    draft: isDraftTitle(mergeRequest.title),
    reviewers: mergeRequest.reviewerIds.map((id) => world.user(id)),
    lastCommit: { id: headSha, ...(await project.repository.readCommit(headSha)) },
    detailedMergeStatus: world.shownVersion(mergeRequest) === null ? 'preparing' : 'mergeable',
  };
}
