/**
 * Decides for one open merge request whether something was missed. It only compares what its forge's list says with what
 * the ledger says; whether there is anything to review is for `decideReview` to judge, once the task is leased.
 *
 * | the ledger says                                     | then                                    |
 * | --------------------------------------------------- | --------------------------------------- |
 * | nothing                                             | enqueue `unknown`                       |
 * | it waits                                            | leave: it will see what is true         |
 * | it runs on this head, or will run once more         | leave                                   |
 * | it runs or ended on another head                    | enqueue `other-head`                    |
 * | this head is done, or dead and looked at by people  | leave                                   |
 * | skipped for what may change without a new head,     | enqueue `changed-since`                 |
 * | or ended by a closing, and it changed since         |                                         |
 * | superseded by a task that is not there              | enqueue `not-finished`                  |
 */
import { unreachable, type OpenMergeRequest, type TaskOutcome } from '@drydock/core';
import type { TaskView } from '@drydock/queue';
import type { SkipReason } from '../decide-review.ts';
import { closedMeanwhile } from '../task-ending.ts';

/** What the sweep does about a merge request. */
export type SweepPlan =
  | { readonly kind: 'enqueue'; readonly reason: 'unknown' | 'other-head' | 'changed-since' | 'not-finished' }
  | { readonly kind: 'leave'; readonly reason: 'no-commits' | 'waiting' | 'running' | 'ended' };

/** Skips whose reason goes away by an edit; all others need a new head, a person or another policy. */
const passing: ReadonlySet<string> = new Set<SkipReason | 'nothing-to-review'>([
  'draft',
  'label',
  'closed',
  'no-commits',
  'nothing-to-review',
]);

/** `task` is null where the ledger knows of none. */
export function planSweep(mergeRequest: OpenMergeRequest, task: TaskView | null): SweepPlan {
  const { headSha, updatedAtMs } = mergeRequest;
  if (headSha === null) return { kind: 'leave', reason: 'no-commits' };
  if (task === null) return { kind: 'enqueue', reason: 'unknown' };
  const isOtherHead = task.headSha !== null && task.headSha !== headSha;
  switch (task.state) {
    case 'waiting':
      return { kind: 'leave', reason: 'waiting' };
    case 'leased':
    case 'running':
    case 'publishing':
      return isOtherHead && !task.isDirty
        ? { kind: 'enqueue', reason: 'other-head' }
        : { kind: 'leave', reason: 'running' };
    case 'done':
    case 'skipped':
    case 'superseded':
    case 'cancelled':
    case 'dead': {
      if (isOtherHead) return { kind: 'enqueue', reason: 'other-head' };
      const hasChanged = task.endedAtMs !== null && updatedAtMs > task.endedAtMs;
      return planEnded(task.outcome, task.headSha === null, hasChanged);
    }
    default:
      return unreachable(task.state);
  }
}

function planEnded(outcome: TaskOutcome | null, isHeadUnknown: boolean, hasChanged: boolean): SweepPlan {
  const enqueueIf = (isMissed: boolean): SweepPlan =>
    isMissed ? { kind: 'enqueue', reason: 'changed-since' } : { kind: 'leave', reason: 'ended' };
  if (outcome === null) return enqueueIf(hasChanged);
  switch (outcome.kind) {
    case 'done':
    case 'dead':
      return enqueueIf(isHeadUnknown && hasChanged);
    case 'skipped':
      return enqueueIf(hasChanged && (isHeadUnknown || passing.has(outcome.why)));
    case 'cancelled':
      return enqueueIf(hasChanged && outcome.why === closedMeanwhile);
    case 'superseded':
      return { kind: 'enqueue', reason: 'not-finished' };
    default:
      return unreachable(outcome);
  }
}
