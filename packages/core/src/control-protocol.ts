/**
 * What scheduler and server may ask of the gateway, with the control token as `Authorization: Bearer`:
 *
 *   GET  /control/v1/merge-requests/:forge/:projectId/:iid          MergeRequest
 *   PUT  /control/v1/merge-requests/:forge/:projectId/:iid/state    StateRequest → StateWritten
 *   GET  /control/v1/members/:forge/:projectId/:userId              Member
 *   POST /control/v1/runs                                           RunRequest → RunGrant
 *   POST /control/v1/runs/over                                      RunsQuery → RunsOver
 *   GET  /control/v1/runs/:runId                                    RunView
 *   GET  /control/v1/runs/:runId/progress?after=N&waitMs=T          ProgressPage
 *   GET  /control/v1/runs/:runId/report                             ReviewReport
 *   POST /control/v1/runs/:runId/revoke                             → 204
 *   POST /control/v1/runs/:runId/publish                            Publication
 *   GET  /control/v1/projects/:forge?cursor=C                       ProjectPage
 *   GET  /control/v1/open-merge-requests/:forge?projectId=P&updatedAfterMs=T&cursor=C   OpenMergeRequestPage
 *   GET  /control/v1/hooks/:forge/:projectId                        HookReport
 *   GET  /control/v1/hooks/:forge/:projectId/:hookId/failures?page=N           FailedDeliveryPage
 *   POST /control/v1/hooks/:forge/:projectId/:hookId/failures/:eventId/resend  ResendReport
 *
 * Every call may be repeated: it has the effect of one (a delivery that is sent again bears the key of the first). Errors are a `WireError`.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { FailedResult, ReviewResult } from './agent-result.ts';
import { DiffRefs, MergeRequestRef, NumericId, Role, Sha } from './merge-request.ts';
import { ReviewPolicy } from './policy.ts';
import { ProgressEntry } from './progress.ts';
import { ReviewState } from './publication.ts';
import { TaskId, Trigger } from './task.ts';
import { RunUsage } from './usage.ts';

/** One attempt at one task, named after both: `<hash of the task>-<launch>`. */
export const RunId = z.string().regex(/^[0-9a-f]{16}-[1-9]\d*$/);
export type RunId = z.infer<typeof RunId>;

/** The name of a run; every process computes the same one. */
export function runIdOf(taskId: TaskId, launch: number): RunId {
  return `${createHash('sha256').update(taskId).digest('hex').slice(0, 16)}-${String(launch)}`;
}

/** A user's standing in a project, as the forge tells it now. `isSelf`: it is our own bot. */
export const Member = z.strictObject({ v: z.literal(1), role: Role, isSelf: z.boolean(), isBot: z.boolean() });
export type Member = z.infer<typeof Member>;

/** The longest that a run waits for its pod: a day. */
export const longestStartSeconds = 86_400;

/** Asks to begin launch `launch` of a task. An older launch of the same task loses its token. */
export const RunRequest = z.strictObject({
  v: z.literal(1),
  taskId: TaskId,
  launch: z.int().min(1),
  subject: MergeRequestRef,
  diffRefs: DiffRefs,
  trigger: Trigger,
  /** `exchange`: nobody is told a token; the run's own pod exchanges its identity for one. Absent: `grant`. */
  credential: z.enum(['grant', 'exchange']).optional(),
  /** With `exchange`: how long the scheduler waits for the pod, so that its run does not end before it begins. */
  startSeconds: z.int().min(0).max(longestStartSeconds).optional(),
  /** The policy that was chosen for the project, by the name that its budget of a day goes by. Absent: the gateway's own. */
  policy: z.strictObject({ name: z.string().min(1).max(253), review: ReviewPolicy }).optional(),
});
export type RunRequest = z.infer<typeof RunRequest>;

/** The gateway's answer: go, or why not. Only the gateway reads the repository's own wishes and its diff. */
export const RunGrant = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('granted'),
    runId: RunId,
    /** The agent's only credential: opaque, for this run only, revocable at once. */
    token: z.string().min(32),
    deadlineSeconds: z.int().positive(),
  }),
  /** Granted as asked with `credential: 'exchange'`. */
  z.strictObject({ kind: z.literal('to-exchange'), runId: RunId, deadlineSeconds: z.int().positive() }),
  z.strictObject({
    kind: z.literal('skip'),
    why: z.enum(['switched-off-by-repository', 'draft', 'label', 'nothing-to-review', 'bad-repository-config']),
    detail: z.string().max(500),
  }),
  z.strictObject({ kind: z.literal('over-budget'), why: z.string().max(500) }),
]);
export type RunGrant = z.infer<typeof RunGrant>;

/** What is known of a run. `result` is null until its agent handed one in. */
export const RunView = z.strictObject({
  v: z.literal(1),
  runId: RunId,
  taskId: TaskId,
  launch: z.int().min(1),
  isRevoked: z.boolean(),
  /** Its review stands on the merge request, whole. */
  isPublished: z.boolean(),
  result: z.discriminatedUnion('kind', [ReviewResult, FailedResult]).nullable(),
  usage: RunUsage,
});
export type RunView = z.infer<typeof RunView>;

/** Runs that are looked at together. */
export const RunsQuery = z.strictObject({ v: z.literal(1), runIds: z.array(RunId).min(1).max(200) });
export type RunsQuery = z.infer<typeof RunsQuery>;

/** Which of these are over, though their agents may go on: a result was handed in, or the run was ended. */
export const RunsOver = z.strictObject({
  v: z.literal(1),
  over: z.array(z.strictObject({ runId: RunId, why: z.enum(['result-is-in', 'revoked']) })),
});
export type RunsOver = z.infer<typeof RunsOver>;

/** Progress after a sequence number, oldest first. */
export const ProgressPage = z.strictObject({ v: z.literal(1), entries: z.array(ProgressEntry) });
export type ProgressPage = z.infer<typeof ProgressPage>;

/** Whether the summary note was changed: `absent` when there was none and the state is not worth a new one. */
export const StateWritten = z.strictObject({ v: z.literal(1), kind: z.enum(['written', 'unchanged', 'absent']) });
export type StateWritten = z.infer<typeof StateWritten>;

/** A state to show. `createNote` false: only a note that is already there is edited. */
export const StateRequest = z.strictObject({
  v: z.literal(1),
  state: ReviewState,
  createNote: z.boolean(),
  /** Whether the policy of the project wants it as a commit status too; absent: the gateway's own policy says. */
  commitStatus: z.boolean().optional(),
});
export type StateRequest = z.infer<typeof StateRequest>;

/** Continues a list; opaque, made by the gateway alone. */
const Cursor = z.string().max(200);

/** A page of the projects that our account is a member of. `cursor` is null on the last page. */
export const ProjectPage = z.strictObject({
  v: z.literal(1),
  projects: z.array(z.strictObject({ projectId: NumericId, projectPath: z.string() })),
  cursor: Cursor.nullable(),
  /** Open merge requests of all projects can be listed at once: the forge is not one that the whole world shares. */
  canListAll: z.boolean(),
});
export type ProjectPage = z.infer<typeof ProjectPage>;

/** An open merge request as a list of its forge tells it. */
export const OpenMergeRequest = z.strictObject({
  ref: MergeRequestRef,
  projectPath: z.string(),
  /** Null: there are no commits. */
  headSha: Sha.nullable(),
  /** By the forge's clock, milliseconds since the epoch. */
  updatedAtMs: z.int(),
});
export type OpenMergeRequest = z.infer<typeof OpenMergeRequest>;

/**
 * A page of open merge requests, longest unchanged first, one call of the forge's API. One that changes meanwhile comes
 * again on a later page, and none is left out. `cursor` is null on the last page.
 */
export const OpenMergeRequestPage = z.strictObject({
  v: z.literal(1),
  mergeRequests: z.array(OpenMergeRequest),
  cursor: Cursor.nullable(),
});
export type OpenMergeRequestPage = z.infer<typeof OpenMergeRequestPage>;

/**
 * How a project's webhooks to us fare; `unseen`: our account may not look, which takes the role of a maintainer.
 * `paused`: the forge sends nothing for a while, as deliveries failed; `off`: it sends nothing until a person acts.
 * `lastFailedId` grows with each delivery that failed; null: none did, or the forge keeps no log that we may read.
 */
export const HookReport = z.discriminatedUnion('kind', [
  z.strictObject({ v: z.literal(1), kind: z.literal('unseen') }),
  z.strictObject({
    v: z.literal(1),
    kind: z.literal('seen'),
    hooks: z.array(
      z.strictObject({
        hookId: NumericId,
        state: z.enum(['sending', 'paused', 'off']),
        lastFailedId: NumericId.nullable(),
      }),
    ),
  }),
]);
export type HookReport = z.infer<typeof HookReport>;

/**
 * A page of the deliveries of one of our webhooks that failed, newest first, one call of the forge's API. Sent again, a
 * delivery that fails is logged anew: under another `eventId`, with the same key. `nextPage` is null on the last page.
 */
export const FailedDeliveryPage = z.strictObject({
  v: z.literal(1),
  deliveries: z.array(
    z.strictObject({
      eventId: NumericId,
      /** What the receiver knows it by, however often it is sent; null: it has none. */
      deliveryKey: z.string().min(1).max(200).nullable(),
      /** `nothing`: we would ignore it. */
      about: z.enum(['comment', 'merge-request', 'nothing']),
      /** By the forge's clock; null: unknown. */
      occurredAtMs: z.int().nullable(),
    }),
  ),
  nextPage: z.int().min(2).nullable(),
});
export type FailedDeliveryPage = z.infer<typeof FailedDeliveryPage>;

/** What came of a delivery sent again. `gone`: the forge has forgotten it. */
export const ResendReport = z.strictObject({ v: z.literal(1), kind: z.enum(['delivered', 'failed', 'gone']) });
export type ResendReport = z.infer<typeof ResendReport>;
