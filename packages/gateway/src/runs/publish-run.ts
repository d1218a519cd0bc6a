import {
  StaleError,
  TerminalError,
  attemptOf,
  type Clock,
  type Log,
  type Publication,
  type ReachPoint,
  type ReviewResult,
  type RunId,
} from '@drydock/core';
import type { RunMirrorPorts } from '../git/ensure-run-mirror.ts';
import type { MarkerKeys } from '../publish/marker.ts';
import { publishReview } from '../publish/publish-review.ts';
import { readReviewed } from '../publish/read-reviewed.ts';
import { requireForge } from '../require-forge.ts';
import { openRunChange } from './open-run-change.ts';
import type { RunStore, StoredRun } from './run-store.ts';

/** What publishing a run needs. */
export interface PublishRunPorts extends RunMirrorPorts {
  readonly store: RunStore;
  readonly markerKeys: MarkerKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly reach?: ReachPoint | undefined;
}

/**
 * Publishes the review of a run. Once it stands whole, a further call tells what it came to. Throws `StaleError` when a
 * newer launch or head has come, `TerminalError` (`run.unknown`, `run.no_result`) when there is nothing to publish.
 */
export async function publishRun(ports: PublishRunPorts, runId: RunId, signal: AbortSignal): Promise<Publication> {
  const run = await ports.store.get(runId);
  if (run === null) throw new TerminalError('run.unknown', 'no such run is known');
  if (run.publication !== null) return run.publication;
  const publication = await publish(ports, run, resultOf(run), signal);
  ports.reach?.('publish.storing');
  await ports.store.storePublication(runId, publication);
  ports.reach?.('publish.stored');
  return publication;
}

async function publish(
  ports: PublishRunPorts,
  run: StoredRun,
  result: ReviewResult,
  signal: AbortSignal,
): Promise<Publication> {
  const { runId, context } = run.record;
  const { subject, diffRefs, policy, launch } = context;
  const forge = requireForge(ports.forges, subject.forge);
  const assertCurrent = async () => assertNewest(await ports.store.get(runId));
  await assertCurrent();
  await using change = await openRunChange(ports, run, signal);
  const { mergeRequest } = await forge.readMergeRequest(subject, signal);
  const reviewed = await readReviewed({ forge, markerKeys: ports.markerKeys }, subject, signal);
  return await publishReview(
    { ...ports, forge },
    {
      mergeRequest: { ...mergeRequest, reviewed },
      refs: diffRefs,
      diff: change.diff,
      readLines: change.readLines,
      result,
      policy,
      usage: run.usage,
      attempt: attemptOf(launch),
      assertCurrent,
    },
    signal,
  );
}

/** What an agent handed in. Throws `TerminalError` (`run.no_result`) when it has not, or could not review. */
export function resultOf({ result }: StoredRun): ReviewResult {
  if (result === null) throw new TerminalError('run.no_result', 'the run has not handed in a result');
  if (result.kind !== 'review') throw new TerminalError('run.no_result', 'the run failed: there is no review');
  return result;
}

/** The token of a run that has ended may be revoked: what it handed in before counts. */
function assertNewest(run: StoredRun | null): void {
  if (run === null) throw new StaleError('run.unknown', 'the run is not known any more');
  if (run.isSuperseded) throw new StaleError('run.launch_superseded', 'a newer launch of this task has begun');
}
