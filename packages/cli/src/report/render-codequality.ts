import { showHiddenCharacters, type ReportedFinding, type ReviewReport, type Severity } from '@drydock/core';
import { jsonText } from './json-text.ts';
import { clip, isAboutRemovedLines } from './report-words.ts';

const maxDescription = 700;

const severityOf: Readonly<Record<Severity, 'minor' | 'major' | 'critical' | 'blocker'>> = {
  low: 'minor',
  medium: 'major',
  high: 'critical',
  critical: 'blocker',
};

/**
 * GitLab's code quality report. GitLab stops reading at the first entry that it does not take, and keeps one entry of each
 * fingerprint. It knows only lines of the new side: what is about removed lines stands on line 1 and says so.
 *
 * @see https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
 */
export function renderCodequality({ findings }: ReviewReport): string {
  const seen = new Map<string, number>();
  return jsonText(
    findings.map((finding) => {
      const times = (seen.get(finding.identity) ?? 0) + 1;
      seen.set(finding.identity, times);
      return {
        description: descriptionOf(finding),
        check_name: `drydock/${finding.rule ?? finding.category}`,
        fingerprint: times === 1 ? finding.identity : `${finding.identity}-${times}`,
        severity: severityOf[finding.severity],
        categories: [codeClimateCategory[finding.category]],
        location: { path: finding.path, lines: linesOf(finding) },
      };
    }),
  );
}

/** Code Climate's words, which GitLab ignores and other readers of the format want. */
const codeClimateCategory: Readonly<Record<ReportedFinding['category'], string>> = {
  correctness: 'Bug Risk',
  security: 'Security',
  performance: 'Performance',
  tests: 'Bug Risk',
  maintainability: 'Clarity',
  documentation: 'Style',
};

function linesOf({ side, startLine, endLine, code }: ReportedFinding): { begin: number; end: number } {
  return side === 'old' || code.lines.length === 0 ? { begin: 1, end: 1 } : { begin: startLine, end: endLine };
}

/** GitLab shows this text and no other. */
function descriptionOf(finding: ReportedFinding): string {
  const { title, reason, startLine, endLine } = finding;
  const lines = endLine > startLine ? `lines ${startLine}-${endLine}` : `line ${startLine}`;
  const removed = isAboutRemovedLines(finding) ? ` (${lines} before the change)` : '';
  return clip(showHiddenCharacters(`${title}${removed}: ${reason}`.replace(/\s+/g, ' ')).trim(), maxDescription);
}
