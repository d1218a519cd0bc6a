/** What people see of the queue and order there; both cross processes through the control API. */
import { z } from 'zod';
import { ForgeId, NumericId } from './merge-request.ts';

/** What happened to a task, in its own history. */
export const TaskEvent = z.object({
  /** By the store's clock, ms since the epoch. */
  atMs: z.int(),
  /** `server`, `sweep`, the scheduler's name, or the person as the control API knows them. */
  who: z.string(),
  what: z.enum([
    'queued',
    'coalesced',
    'superseding',
    'marked-dirty',
    'leased',
    'adopted',
    'launched',
    'publishing',
    'retrying',
    'released',
    'interrupted',
    'cancelling',
    'retried',
    'done',
    'skipped',
    'superseded',
    'cancelled',
    'dead',
  ]),
  /** Trigger and head, an error's code, or a reason; short, empty when there is nothing to say. */
  detail: z.string(),
  /** Of `launched`: which launch began. Absent of others, and where an older version wrote it. */
  launch: z.int().min(1).optional(),
});
export type TaskEvent = z.infer<typeof TaskEvent>;

/** What a pause holds back. What runs already goes on to its end. */
export const PauseScope = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('all') }),
  z.strictObject({ kind: z.literal('forge'), forge: ForgeId }),
  z.strictObject({ kind: z.literal('project'), forge: ForgeId, projectId: NumericId }),
]);
export type PauseScope = z.infer<typeof PauseScope>;

/** A pause that holds until somebody resumes it. */
export const Pause = z.strictObject({ scope: PauseScope, by: z.string(), why: z.string(), atMs: z.int() });
export type Pause = z.infer<typeof Pause>;

/** A pause that began or ended, and by whom. */
export const PauseEvent = z.object({
  /** By the store's clock, ms since the epoch. */
  atMs: z.int(),
  what: z.enum(['paused', 'resumed']),
  /** As the control API knows them. */
  who: z.string(),
  scope: PauseScope,
  /** Empty of what was resumed. */
  why: z.string(),
});
export type PauseEvent = z.infer<typeof PauseEvent>;

/** What no scheduler can read, so that it waits for a person: a task, or all of a project or forge. */
export const ParkedItem = z.object({
  kind: z.enum(['task', 'project', 'forge']),
  /** `review:gitlab:42:7`, `gitlab:42` or `gitlab`; of a task whose id is none of ours, that. */
  name: z.string(),
  /** Since when, by the store's clock. */
  sinceMs: z.int(),
});
export type ParkedItem = z.infer<typeof ParkedItem>;

/** A project by its forge and numeric id: `gitlab:42`. */
export const ProjectKey = z.string().regex(/^[a-z][a-z0-9-]*:[1-9]\d*$/);
export type ProjectKey = z.infer<typeof ProjectKey>;

/** Names a project, also that of a merge request. */
export function projectKeyOf({ forge, projectId }: { readonly forge: string; readonly projectId: string }): ProjectKey {
  return `${forge}:${projectId}`;
}

/** What a project may take of the slots, beside others: its weight, and how many tasks it may run; null: no limit. */
export const ProjectShare = z.strictObject({ weight: z.int().min(1).max(100), maxRunning: z.int().min(1).nullable() });
export type ProjectShare = z.infer<typeof ProjectShare>;

/**
 * Lease and launch numbers are `epoch · 2^22 + count`: a store that came back empty or behind is in a new epoch, so its
 * numbers are greater than all that it gave out before.
 */
export const numbersPerEpoch = 2 ** 22;

/** The launch as people count it, from 1. */
export function attemptOf(launch: number): number {
  return launch % numbersPerEpoch;
}
