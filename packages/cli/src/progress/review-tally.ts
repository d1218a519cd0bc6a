import type { ReviewProgress } from '@drydock/standalone/review';
import type { RunUsage } from '@drydock/core';

/** Where a review stands, in numbers. */
export interface ReviewTally {
  readonly stage: string | null;
  readonly turns: number;
  readonly findings: number;
  /** What the agent looked at last. */
  readonly target: string | null;
  /** Null: nothing known yet. */
  readonly usage: RunUsage | null;
}

/** Before anything has happened. */
export const nothingYet: ReviewTally = { stage: null, turns: 0, findings: 0, target: null, usage: null };

/** Where it stands after one more event. */
export function tallyOf(before: ReviewTally, progress: ReviewProgress): ReviewTally {
  if (progress.kind !== 'agent') return before;
  const { event, usage } = progress.entry;
  const tally = { ...before, usage };
  switch (event.kind) {
    case 'stage-started':
      return { ...tally, stage: event.stage, target: null };
    case 'turn':
      return { ...tally, turns: event.turn, target: null };
    case 'tool':
      return { ...tally, target: event.target === '' ? event.tool : event.target };
    case 'finding':
      return { ...tally, findings: tally.findings + 1 };
    case 'stage-ended':
    case 'log':
      return tally;
  }
}
