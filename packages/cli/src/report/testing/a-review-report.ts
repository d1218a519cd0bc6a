import type { ReportedFinding, ReviewReport } from '@drydock/core';

/** A finding for tests: one line of `src/average.ts`, medium. */
export function aReportedFinding(facts: Partial<ReportedFinding> = {}): ReportedFinding {
  return {
    identity: '0123456789abcdef'.repeat(4),
    path: 'src/average.ts',
    side: 'new',
    startLine: 4,
    endLine: 4,
    severity: 'medium',
    category: 'correctness',
    confidence: 0.8,
    title: 'The average of no values is NaN',
    reason: 'With an empty list `values.length` is 0, so the division gives `NaN`.',
    suggestion: null,
    rule: null,
    placement: 'inline',
    code: {
      startLine: 1,
      lines: [
        'export function average(values: number[]): number {',
        '  let sum = 0;',
        '  for (const value of values) sum += value;',
        '  return sum / values.length;',
        '}',
      ],
    },
    isNew: true,
    ...facts,
  };
}

/** A review for tests: of a local change, clean. */
export function aReviewReport(facts: Partial<ReviewReport> = {}): ReviewReport {
  return {
    v: 1,
    change: {
      kind: 'local',
      title: 'Average of values',
      projectPath: 'statistics',
      sourceBranch: 'average',
      targetBranch: 'main',
      webUrl: null,
      diffRefs: { baseSha: 'b'.repeat(40), startSha: 'c'.repeat(40), headSha: 'a'.repeat(40) },
    },
    model: 'claude-sonnet-5-5',
    partial: null,
    verdict: (facts.findings ?? []).length === 0 ? 'clean' : 'comment',
    failOn: null,
    overview: 'Adds the average of a list of values.',
    findings: [],
    heldBack: {},
    changedFiles: 4,
    notRead: [],
    turns: 3,
    usage: {
      calls: 3,
      reusedCalls: 0,
      tokens: { input: 1_200, output: 640, cacheRead: 10_400, cacheWrite: 2_000 },
      costUsd: 0.0421,
    },
    ...facts,
  };
}
