/** Writing, editing, resolving and removing comments, with everything that a body sets off. */
import { findBodyEffects } from './body-effects.ts';
import { checkPosition, inspectErrors, type DiffPosition, type PositionCheck } from './check-position.ts';
import {
  GitLabApiError,
  badRequest,
  type GitLabDiscussion,
  type GitLabMergeRequest,
  type GitLabNote,
  type GitLabUser,
} from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { tellMergeRequest, tellNote } from './hook-events.ts';
import { refsOf, traceTo } from './merge-request-actions.ts';
import { extractQuickActions } from './quick-actions.ts';
import { runQuickAction } from './run-quick-action.ts';

/** A comment to be written. */
export interface NewNote {
  readonly mergeRequest: GitLabMergeRequest;
  readonly author: GitLabUser;
  readonly body: string;
  readonly position?: DiffPosition | null;
  /** Reply into this one. */
  readonly discussion?: GitLabDiscussion | null;
  /** A thread, not a comment that stands alone. */
  readonly isThread?: boolean;
  readonly internal?: boolean;
  readonly createdAtMs?: number;
}

/** The note; or nothing was stored, since the body held only commands, which ran. */
export type WrittenNote =
  | { readonly kind: 'note'; readonly note: GitLabNote }
  | { readonly kind: 'commands-only'; readonly names: readonly string[] };

const maxNoteLength = 1_000_000;

/** Writes a comment as GitLab does: check, run commands, store what is left, tell the webhooks. */
export async function createNote(world: GitLabWorld, draft: NewNote): Promise<WrittenNote> {
  const { mergeRequest, author } = draft;
  checkBody(draft.body);
  const asked = draft.position ?? null;
  const placed = asked === null ? null : await placeNote(world, mergeRequest, asked);
  const { actions, content } = extractQuickActions(draft.body);
  const noteId = world.nextId();
  for (const action of actions)
    await runQuickAction(world, mergeRequest, action, author, content === '' ? null : noteId);
  if (content === '' && actions.length > 0)
    return { kind: 'commands-only', names: actions.map((action) => action.name) };

  const parent = draft.discussion?.notes[0] ?? null;
  const nowMs = draft.createdAtMs ?? world.nowMs();
  const note: GitLabNote = {
    id: noteId,
    discussionId: draft.discussion?.id ?? world.nextHexId(),
    mergeRequestIid: mergeRequest.iid,
    projectId: mergeRequest.projectId,
    type: typeOf(draft, parent),
    body: content,
    authorId: author.id,
    system: false,
    internal: draft.internal ?? false,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    position: placed?.position ?? parent?.position ?? null,
    originalPosition: asked ?? parent?.originalPosition ?? null,
    lineCode: placed?.lineCode ?? parent?.lineCode ?? null,
    isOutdated: placed?.isOutdated ?? parent?.isOutdated ?? false,
    resolvedById: parent?.resolvedById ?? null,
    resolvedAtMs: parent?.resolvedAtMs ?? null,
    awards: [],
  };
  store(draft, note);
  mergeRequest.updatedAtMs = nowMs;
  recordEffects(world, note);
  await tellNote(world, note, 'create');
  return { kind: 'note', note };
}

function checkBody(body: string): void {
  const errors = noteErrors(body);
  if (errors !== null) throw badRequest(`Note ${inspectErrors(errors)}`);
}

function noteErrors(body: string): Record<string, string[]> | null {
  if (body.trim() === '') return { note: ["can't be blank"] };
  if (body.length <= maxNoteLength) return null;
  return { note: [`is too long (maximum is ${maxNoteLength} characters)`] };
}

function typeOf(draft: NewNote, parent: GitLabNote | null): GitLabNote['type'] {
  if (parent !== null) return parent.type ?? 'DiscussionNote';
  if ((draft.position ?? null) !== null) return 'DiffNote';
  return draft.isThread === true ? 'DiscussionNote' : null;
}

function store({ mergeRequest, discussion = null }: NewNote, note: GitLabNote): void {
  if (discussion === null) {
    mergeRequest.discussions.push({ id: note.discussionId, isIndividual: note.type === null, notes: [note] });
    return;
  }
  const [first] = discussion.notes;
  if (discussion.isIndividual && first !== undefined && !first.system) {
    discussion.isIndividual = false;
    first.type = 'DiscussionNote';
  }
  discussion.notes.push(note);
}

/** What stands in a body is noted, whoever wrote it: tests ask for the bot's. */
function recordEffects(world: GitLabWorld, note: GitLabNote): void {
  for (const effect of findBodyEffects(note.body, world.url)) {
    world.effects.push({ ...effect, noteId: note.id, iid: note.mergeRequestIid, authorId: note.authorId });
  }
}

interface PlacedNote {
  readonly position: DiffPosition;
  readonly lineCode: string | null;
  readonly isOutdated: boolean;
}

/** A position on an older version is followed to the newest one; GitLab keeps it, outdated, where the line is gone. */
async function placeNote(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  position: DiffPosition,
): Promise<PlacedNote> {
  const accepted = accept(world, await checkNotePosition(world, mergeRequest, position));
  const versions = world.shownVersions(mergeRequest);
  const [newest] = versions;
  const own = versions.find(
    (version) => version.headSha === position.head_sha && version.baseSha === position.base_sha,
  );
  if (newest === undefined || own === undefined || own.id === newest.id) {
    return { position, lineCode: accepted.lineCode, isOutdated: false };
  }
  const traced = await traceTo(world, mergeRequest, position, own, newest);
  if (traced === null) return { position, lineCode: accepted.lineCode, isOutdated: true };
  const { lineCode } = accept(world, await checkNotePosition(world, mergeRequest, { ...traced, line_range: null }));
  return { position: traced, lineCode, isOutdated: false };
}

function accept(world: GitLabWorld, check: PositionCheck): Extract<PositionCheck, { kind: 'accepted' }> {
  if (check.kind === 'accepted') return check;
  if (check.isStricter) world.violate('POST', 'position', check.message);
  throw new GitLabApiError(check.status, { message: check.message });
}

/** Checks a position against the version of a merge request that it names. */
export async function checkNotePosition(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  position: DiffPosition,
): Promise<PositionCheck> {
  const versions = world.shownVersions(mergeRequest);
  const [newest] = versions;
  const lineErrors = { line_code: ["can't be blank", 'must be a valid line code'] };
  if (newest === undefined) {
    const errors = { ...lineErrors, noteable: ["doesn't support new-style diff notes"] };
    const message = `400 Bad request - Note ${inspectErrors(errors)}`;
    return { kind: 'refused', status: 400, message, isStricter: false };
  }
  const isOf = (version: (typeof versions)[number]) =>
    version.headSha === position.head_sha &&
    version.baseSha === position.base_sha &&
    version.startSha === position.start_sha;
  const version = versions.find(isOf) ?? newest;
  const { repository } = world.project(mergeRequest.projectId);
  const diff = await repository.diff(version.baseSha, version.headSha, world.settings.maxPatchBytes);
  return checkPosition({ diff, refs: refsOf(version), position });
}

/** Changes a body; commands in the new text run, and a text of commands alone removes the note. */
export async function editNote(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  note: GitLabNote,
  body: string,
  by: GitLabUser,
): Promise<WrittenNote> {
  checkBody(body);
  const { actions, content } = extractQuickActions(body);
  for (const action of actions) await runQuickAction(world, mergeRequest, action, by, content === '' ? null : note.id);
  if (content === '' && actions.length > 0) {
    deleteNote(mergeRequest, note);
    return { kind: 'commands-only', names: actions.map((action) => action.name) };
  }
  const isChanged = content !== note.body;
  note.body = content;
  note.updatedAtMs = world.nowMs();
  if (isChanged) {
    recordEffects(world, note);
    await tellNote(world, note, 'update');
  }
  return { kind: 'note', note };
}

/** Removes a note, and its thread with the last one. */
export function deleteNote(mergeRequest: GitLabMergeRequest, note: GitLabNote): void {
  const index = mergeRequest.discussions.findIndex((discussion) => discussion.id === note.discussionId);
  const discussion = mergeRequest.discussions[index];
  if (discussion === undefined) return;
  discussion.notes.splice(discussion.notes.indexOf(note), 1);
  if (discussion.notes.length === 0) mergeRequest.discussions.splice(index, 1);
}

/** Whether a note can be resolved at all. */
export function isResolvable(note: GitLabNote): boolean {
  return note.type !== null && !note.system;
}

/** Whether a thread has something to resolve, and all of it is. */
export function isResolved(discussion: GitLabDiscussion): boolean {
  const notes = discussion.notes.filter(isResolvable);
  return notes.length > 0 && notes.every((note) => note.resolvedById !== null);
}

/** Resolves or reopens a whole thread. */
export async function resolveDiscussion(
  world: GitLabWorld,
  mergeRequest: GitLabMergeRequest,
  discussion: GitLabDiscussion,
  resolved: boolean,
  by: GitLabUser,
): Promise<void> {
  if (isResolved(discussion) === resolved) return;
  for (const note of discussion.notes.filter(isResolvable)) {
    note.resolvedById = resolved ? by.id : null;
    note.resolvedAtMs = resolved ? world.nowMs() : null;
  }
  mergeRequest.updatedAtMs = world.nowMs();
  const open = mergeRequest.discussions.filter(
    (candidate) => candidate.notes.some(isResolvable) && !isResolved(candidate),
  );
  if (resolved && open.length === 0) await tellMergeRequest(world, mergeRequest, { action: 'update', by, changes: {} });
}
