import type {
  Member,
  MergeRequest,
  MergeRequestRef,
  Publication,
  RunGrant,
  RunId,
  RunRequest,
  RunView,
  RunsOver,
  StateRequest,
  StateWritten,
} from '@drydock/core';

/**
 * What the scheduler asks of the gateway. Every call may be repeated: it has the effect of one. Throws the error classes
 * of core; `TransientError` (`gateway.unreachable`, `gateway.timeout`) when the gateway does not answer; whatever comes,
 * once the signal is aborted.
 */
export interface Gateway {
  readMergeRequest(ref: MergeRequestRef, signal: AbortSignal): Promise<MergeRequest>;
  readMember(ref: MergeRequestRef, userId: string, signal: AbortSignal): Promise<Member>;
  writeState(ref: MergeRequestRef, request: StateRequest, signal: AbortSignal): Promise<StateWritten>;
  startRun(request: RunRequest, signal: AbortSignal): Promise<RunGrant>;
  /** Null: the gateway knows no such run. */
  readRun(runId: RunId, signal: AbortSignal): Promise<RunView | null>;
  /** Which of at most 200 runs are over, though their agents may go on. */
  overRuns(runIds: readonly RunId[], signal: AbortSignal): Promise<RunsOver['over']>;
  revokeRun(runId: RunId, signal: AbortSignal): Promise<void>;
  publishRun(runId: RunId, signal: AbortSignal): Promise<Publication>;
}
