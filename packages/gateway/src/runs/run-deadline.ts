/**
 * When the time of a run is over. One whose token is handed over begins at once. One that waits for its pod has a time for
 * that, and begins when the pod has exchanged its identity: how long a pod waits for its node, and for its images, is none
 * of its budget. These are only the last bounds: whoever follows an agent ends its token with it.
 */
import type { RunRecord } from './run-store.ts';

/** Time for an agent to be started and to hand in its result around its own deadline. */
const graceMs = 120_000;

type Times = Pick<RunRecord, 'context' | 'startedAtMs' | 'startSeconds'>;

/** Of a run that begins: until when its token is good, or its pod may exchange. */
export function firstDeadlineMs({ context, startedAtMs, startSeconds }: Times): number {
  return startedAtMs + (startSeconds ?? context.policy.budget.deadlineSeconds) * 1000 + graceMs;
}

/** Of a run that was just exchanged. Its agent is still to be started, for which it has the same time again. */
export function exchangedDeadlineMs({ context, startSeconds = 0 }: Times, nowMs: number): number {
  return nowMs + (startSeconds + context.policy.budget.deadlineSeconds) * 1000 + graceMs;
}
