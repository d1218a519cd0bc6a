import { compareSeverity, type ReviewReport, type Severity } from '@drydock/core';
import type { ReviewEnd } from '@drydock/standalone/review';
import { exitCodes } from '../exit-codes.ts';

const overBudget: ReadonlySet<string> = new Set(['budget.run_spent', 'budget.day_spent']);

/**
 * The exit code of a review. Findings at the threshold count most: they were found, whatever else went wrong. `failOn`
 * null: what the repository's configuration or the policy says.
 */
export function reviewExitCode(end: ReviewEnd, failOn: Severity | null): number {
  switch (end.kind) {
    case 'reviewed':
      if (isFailing(end.report, failOn ?? end.report.failOn)) return exitCodes.findings;
      return overBudget.has(end.report.partial?.code ?? '') ? exitCodes.overBudget : exitCodes.ok;
    case 'nothing':
      return exitCodes.ok;
    case 'refused':
    case 'failed':
      return exitCodes.notReviewed;
    case 'bad-config':
      return exitCodes.config;
    case 'over-budget':
      return exitCodes.overBudget;
    case 'cancelled':
      return exitCodes.interrupted;
  }
}

function isFailing({ findings }: ReviewReport, failOn: Severity | null): boolean {
  return failOn !== null && findings.some(({ severity }) => compareSeverity(severity, failOn) >= 0);
}
