import { StaleError, TerminalError, type AgentResult } from '@drydock/core';
import type { RunStore, StoredRun } from './run-store.ts';

/**
 * Keeps the one result of a run. Throws `TerminalError` (`run.result_conflict`) when another one is kept already, and
 * `StaleError` when the run may not hand in any more.
 */
export async function keepResult(store: RunStore, run: StoredRun, result: AgentResult, nowMs: number): Promise<void> {
  const { runId, context } = run.record;
  const { result: claim } = result;
  if (claim.kind === 'review' && claim.headSha !== context.diffRefs.headSha) {
    throw new TerminalError('request.malformed', 'the result is for another head than the run');
  }
  const kept = await store.storeResult(runId, JSON.stringify(result), nowMs);
  if (kept.kind === 'stored' || kept.kind === 'same') return;
  if (kept.kind === 'conflict') throw new TerminalError('run.result_conflict', 'this run has handed in another result');
  switch (kept.why) {
    case 'unknown':
      throw new StaleError('run.unknown', 'the run is not known any more');
    case 'revoked':
      throw new StaleError('run.revoked', 'this run was ended');
    case 'superseded':
      throw new StaleError('run.launch_superseded', 'a newer launch of this task has begun');
    case 'late':
      throw new StaleError('run.timed_out', 'the time of this run is over');
  }
}
