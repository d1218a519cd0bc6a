/**
 * GitLab's deliveries. Only the fields named here are read; what a field means: docs.gitlab.com, Webhook events.
 *
 * An `update` is new code only if it carries `oldrev`; everything else about it stands in `changes`.
 */
import { NumericId, Sha, type Trigger } from '@drydock/core';
import { z } from 'zod';
import type { ForgeEvent } from './forge-event.ts';

const Id = z.int().min(1).transform(String).pipe(NumericId);
/** GitLab leaves out what it has nothing to say about, or sends null: one and the same here. */
function orNull<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? null);
}

/** Good to know, but no reason to lose an event: of another shape, it counts as left out. */
function hint<T extends z.ZodType>(schema: T) {
  return orNull(schema).catch(null);
}

const LastCommit = hint(z.object({ id: Sha }));
const UpdatedAt = hint(z.string().max(100));
const maxLabels = 500;
const maxNoteCharacters = 100_000;

const Project = z.object({ id: Id, path_with_namespace: z.string().max(1000) });
const Named = z.object({ id: z.int() });
const listChange = z.object({
  previous: orNull(z.array(Named).max(maxLabels)),
  current: orNull(z.array(Named).max(maxLabels)),
});

const MergeRequestHook = z.object({
  project: Project,
  object_attributes: z.object({
    iid: z.int().min(1),
    action: orNull(z.string().max(100)),
    oldrev: orNull(z.string().max(64)),
    last_commit: LastCommit,
    updated_at: UpdatedAt,
  }),
});
type MergeRequestHook = z.infer<typeof MergeRequestHook>;

/** Read only where nothing else tells what an update is about. */
const Changes = z.object({
  changes: orNull(
    z.object({
      labels: orNull(listChange),
      reviewers: orNull(listChange),
      draft: orNull(z.object({ previous: orNull(z.boolean()), current: orNull(z.boolean()) })),
      target_branch: orNull(z.object({ current: orNull(z.string()) })),
    }),
  ),
});
type Changes = z.infer<typeof Changes>['changes'];

const NoteHook = z.object({
  project: Project,
  user: z.object({ id: Id }),
  object_attributes: z.object({
    id: Id,
    note: z.string().max(1_000_000),
    noteable_type: z.string().max(100),
    action: orNull(z.string().max(100)), // absent before GitLab 16.11: then it is a new comment
    system: orNull(z.boolean()),
    updated_at: UpdatedAt,
  }),
  merge_request: orNull(z.object({ iid: z.int().min(1), last_commit: LastCommit })),
});

/** Which event a body is, by its own word: the header is not signed. */
const Kind = z.object({ object_kind: z.string().max(100) });

/** Reads a delivery's parsed body. Never throws. */
export function parseGitLabEvent(body: unknown): ForgeEvent {
  const kind = Kind.safeParse(body);
  if (!kind.success) return unreadable(kind.error);
  switch (kind.data.object_kind) {
    case 'merge_request': {
      const hook = MergeRequestHook.safeParse(body);
      return hook.success ? mergeRequestEvent(hook.data, body) : unreadable(hook.error);
    }
    case 'note': {
      const hook = NoteHook.safeParse(body);
      return hook.success ? noteEvent(hook.data) : unreadable(hook.error);
    }
    default:
      return { kind: 'ignored', why: 'unknown-event' };
  }
}

function mergeRequestEvent(hook: MergeRequestHook, body: unknown): ForgeEvent {
  const { action, iid, last_commit, oldrev, updated_at } = hook.object_attributes;
  const subject = {
    projectId: hook.project.id,
    projectPath: hook.project.path_with_namespace,
    iid,
    headSha: last_commit?.id ?? null,
    occurredAtMs: parseTime(updated_at),
  };
  const changed = (trigger: Trigger): ForgeEvent => ({
    kind: 'merge-request-changed',
    trigger,
    ...subject,
  });
  switch (action) {
    case 'open':
      return changed('opened');
    case 'reopen':
      return changed('reopened');
    case 'close':
    case 'merge':
      return changed('closed');
    case 'approved':
    case 'unapproved':
    case 'approval':
    case 'unapproval':
      return { kind: 'ignored', why: 'approval' };
    case 'update': {
      if (oldrev !== null && oldrev !== '') return changed('pushed');
      const other = Changes.safeParse(body);
      if (!other.success) return unreadable(other.error);
      const trigger = triggerOf(other.data.changes);
      return trigger === null ? { kind: 'ignored', why: 'nothing-relevant-changed' } : changed(trigger);
    }
    case null:
    default:
      return { kind: 'ignored', why: 'unknown-action' };
  }
}

function triggerOf(changes: Changes): Trigger | null {
  if (changes === null) return null;
  if (changes.target_branch !== null) return 'retargeted';
  if (hasGained(changes.reviewers)) return 'review-requested';
  if (changes.draft?.previous === true && changes.draft.current === false) return 'ready';
  return hasGained(changes.labels) ? 'labeled' : null;
}

function hasGained(change: z.infer<typeof listChange> | null): boolean {
  const before = new Set((change?.previous ?? []).map((item) => item.id));
  return (change?.current ?? []).some((item) => !before.has(item.id));
}

function noteEvent(hook: z.infer<typeof NoteHook>): ForgeEvent {
  const { id, note, noteable_type, action, system, updated_at } = hook.object_attributes;
  if (noteable_type !== 'MergeRequest' || hook.merge_request === null)
    return { kind: 'ignored', why: 'not-on-a-merge-request' };
  if (system === true) return { kind: 'ignored', why: 'system-note' };
  if (action !== null && action !== 'create') return { kind: 'ignored', why: 'comment-edited' };
  return {
    kind: 'commented',
    projectId: hook.project.id,
    projectPath: hook.project.path_with_namespace,
    iid: hook.merge_request.iid,
    headSha: hook.merge_request.last_commit?.id ?? null,
    occurredAtMs: parseTime(updated_at),
    noteId: id,
    userId: hook.user.id,
    body: note.slice(0, maxNoteCharacters),
  };
}

/** GitLab writes `2026-11-21 14:12:11 UTC` or ISO 8601, by version. */
function parseTime(text: string | null): number | null {
  if (text === null) return null;
  const ms = Date.parse(text.replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) UTC$/, '$1T$2Z'));
  return Number.isSafeInteger(ms) && ms >= 0 ? ms : null;
}

function unreadable(error: z.ZodError): ForgeEvent {
  const places = error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.map(String).join('.').slice(0, 100) || 'body'}: ${issue.code}`);
  return { kind: 'unreadable', problems: places.join('; ') };
}
