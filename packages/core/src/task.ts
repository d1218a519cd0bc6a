import { z } from 'zod';
import { MergeRequestRef, NumericId, Sha } from './merge-request.ts';
import { unreachable } from './unreachable.ts';

/** What an agent does. Later: reply, plan, implement, fix, diagnose. */
export const TaskKind = z.enum(['review']);
export type TaskKind = z.infer<typeof TaskKind>;

/** Why a task was asked for. */
export const Trigger = z.enum([
  'opened',
  'reopened',
  'pushed',
  'ready',
  'labeled',
  'retargeted',
  'review-requested',
  'commanded',
  'closed',
  'swept',
  'manual',
]);
export type Trigger = z.infer<typeof Trigger>;

/** A person's order in a comment. Whether that person may give it is asked at the forge when the task is leased. */
export const Command = z.strictObject({ verb: z.enum(['review']), noteId: NumericId, userId: NumericId });
export type Command = z.infer<typeof Command>;

/** What the server records of an event: facts only, no decision. */
export const TaskRequest = z.strictObject({
  v: z.literal(1),
  kind: TaskKind,
  subject: MergeRequestRef,
  /** For people to read; the subject's numeric id is what counts. */
  projectPath: z.string().max(1000),
  trigger: Trigger,
  /** The head that the event spoke of; null when it named none. */
  headSha: Sha.nullable(),
  /** When the forge says it happened (ms since the epoch); orders events that arrive out of order. Null: unknown. */
  occurredAtMs: z.int().nullable(),
  command: Command.nullable(),
});
export type TaskRequest = z.infer<typeof TaskRequest>;

/** One task per subject and kind: `review:gitlab:42:7`. */
export const TaskId = z.string().regex(/^[a-z]+:[a-z][a-z0-9-]*:[1-9]\d*:[1-9]\d*$/);
export type TaskId = z.infer<typeof TaskId>;

/** Names the task of a subject and kind. */
export function taskIdOf(kind: TaskKind, subject: MergeRequestRef): TaskId {
  return `${kind}:${subject.forge}:${subject.projectId}:${subject.iid}`;
}

/** Higher is leased first: a person's command, then what happened to a merge request, then a sweep. */
export function priorityOf(trigger: Trigger): number {
  switch (trigger) {
    case 'commanded':
    case 'manual':
      return 30;
    case 'swept':
      return 10;
    case 'opened':
    case 'reopened':
    case 'pushed':
    case 'ready':
    case 'labeled':
    case 'retargeted':
    case 'review-requested':
    case 'closed':
      return 20;
    default:
      return unreachable(trigger);
  }
}

/** How a task ended. `why` is a short reason for people and metrics. */
export const TaskOutcome = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('done') }),
  z.strictObject({ kind: z.literal('skipped'), why: z.string() }),
  z.strictObject({ kind: z.literal('superseded'), why: z.string() }),
  z.strictObject({ kind: z.literal('cancelled'), why: z.string() }),
  z.strictObject({ kind: z.literal('dead'), why: z.string() }),
]);
export type TaskOutcome = z.infer<typeof TaskOutcome>;

/** Where a task is on its way: `waiting → leased → running → publishing`, then one of the outcomes. */
export const TaskState = z.enum([
  'waiting',
  'leased',
  'running',
  'publishing',
  'done',
  'skipped',
  'superseded',
  'cancelled',
  'dead',
]);
export type TaskState = z.infer<typeof TaskState>;
