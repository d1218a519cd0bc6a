import type { Clock, Log, MergeRequestRef, ReachPoint, Sha } from '@drydock/core';
import { StaleError } from '@drydock/core';
import type { Forge, MergeRequestHead } from '@drydock/forge';
import type { MarkerKeys } from './marker.ts';

/** What writing to a merge request needs. */
export interface PublishPorts {
  readonly forge: Forge;
  readonly markerKeys: MarkerKeys;
  readonly log: Log;
  readonly clock: Clock;
  readonly reach?: ReachPoint | undefined;
}

/**
 * Throws a `StaleError` when this is no longer the head of an open merge request. Gives whether the forge's own diff is
 * cut, so that it will refuse places in the rest.
 */
export async function assertHead(
  forge: Forge,
  ref: MergeRequestRef,
  headSha: Sha,
  signal: AbortSignal,
): Promise<Pick<MergeRequestHead, 'isDiffCut'>> {
  const head = await forge.readHead(ref, signal);
  if (head.state !== 'opened') throw new StaleError('merge_request.closed', 'the merge request is no longer open');
  if (head.headSha !== headSha) throw new StaleError('merge_request.head_moved', 'the merge request has a newer head');
  return head;
}
