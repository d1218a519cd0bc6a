import type { ReviewReport } from '@drydock/core';
import { aReportedFinding, aReviewReport } from './a-review-report.ts';

const local = aReviewReport().change;

/** Reviews that between them have all that a report can have, by the names of their golden files. */
export const sampleReports: Readonly<Record<'clean' | 'mixed' | 'merge-request' | 'partial', ReviewReport>> = {
  clean: aReviewReport(),
  mixed: aReviewReport({
    verdict: 'block',
    failOn: 'high',
    overview: 'Adds the average of a list.\n\n- reads values from a file\n- **no tests** come with it',
    findings: [
      aReportedFinding({
        identity: 'a1'.repeat(16),
        severity: 'critical',
        category: 'security',
        path: 'src/a folder/größe #1.ts',
        startLine: 12,
        endLine: 13,
        title: 'Values of the request become a command of the shell',
        reason:
          'Whoever sends `name` decides what runs:\n\n```sh\nname="; rm -rf /"\n```\n\n1. quote nothing by hand\n2. call `execFile` with the arguments as a list, so that no shell reads them at all and nothing has to be escaped',
        suggestion: ["  execFile('convert', [name], done);"],
        code: {
          startLine: 10,
          lines: [
            'export function convert(name: string, done: Done) {',
            '\t// fast',
            '  const line = `convert ${name}`;',
            '  exec(line, done);',
            '}',
          ],
        },
      }),
      aReportedFinding({
        identity: 'a2'.repeat(16),
        severity: 'high',
        category: 'correctness',
        side: 'old',
        startLine: 7,
        endLine: 9,
        placement: 'summary',
        title: 'The check of empty lists is gone',
        code: { startLine: 6, lines: ['', '  if (values.length === 0) {', '    return 0;', '  }', '  return sum;'] },
      }),
      aReportedFinding({
        identity: 'a3'.repeat(16),
        severity: 'medium',
        category: 'security',
        rule: 'binary-file',
        confidence: 1,
        path: 'bin/tool.exe',
        startLine: 1,
        endLine: 1,
        placement: 'file',
        title: 'A program is committed',
        reason: 'Nobody can read what it does.',
        code: { startLine: 1, lines: [] },
      }),
      aReportedFinding({
        identity: 'a4'.repeat(16),
        severity: 'low',
        category: 'maintainability',
        rule: 'debug-output',
        confidence: 1,
        startLine: 2,
        endLine: 2,
        title: 'Debug output is left',
        reason:
          '計算の結果がそのまま出力されます。この行は公開する前に消してください。そうしないと記録が読めなくなります。',
        suggestion: [],
        code: { startLine: 1, lines: ["const 名前 = '平均';", 'console.log(名前, sum);', ''] },
      }),
    ],
    heldBack: { 'below-severity': 2, duplicate: 1 },
  }),
  'merge-request': aReviewReport({
    change: {
      ...local,
      kind: 'merge-request',
      title: 'Average of values',
      projectPath: 'team/statistics',
      webUrl: 'https://gitlab.example/team/statistics/-/merge_requests/7',
    },
    findings: [
      aReportedFinding({ identity: 'b1'.repeat(16), severity: 'high', isNew: false }),
      aReportedFinding({
        identity: 'b2'.repeat(16),
        severity: 'low',
        category: 'tests',
        title: 'No test has an empty list | ask @team',
        reason: 'See #12 and [the guide](https://evil.example).\n/merge',
        placement: 'file',
      }),
    ],
    heldBack: { declined: 1 },
  }),
  partial: aReviewReport({
    partial: { why: 'the budget of this run is spent', code: 'budget.run_spent' },
    overview: '',
    changedFiles: 31,
    notRead: [
      { path: 'dist/app.min.js', why: 'generated' },
      { path: 'docs/a b.md', why: 'the budget was spent before it was read' },
    ],
    findings: [aReportedFinding({ identity: 'c1'.repeat(16) })],
    turns: 12,
    usage: {
      calls: 12,
      reusedCalls: 4,
      tokens: { input: 120_000, output: 8_000, cacheRead: 1_400_000, cacheWrite: 30_000 },
      costUsd: null,
    },
  }),
};
