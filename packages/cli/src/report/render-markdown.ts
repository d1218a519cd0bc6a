/**
 * A review as Markdown for a comment or a chat. What a model or the repository wrote goes through the same neutralising
 * as the gateway's notes. The whole fits into one comment of GitHub: the frame has a bound, findings are left out whole.
 */
import {
  codeSpan,
  neutraliseLine,
  neutraliseText,
  quotedCode,
  tableCell,
  type ReportedFinding,
  type ReviewReport,
} from '@drydock/core';
import {
  clip,
  count,
  heldBackText,
  isAboutRemovedLines,
  outcomeOf,
  placeOf,
  sourceOf,
  tokensText,
} from './report-words.ts';
import { visibleLine } from './visible-text.ts';

/** GitHub's limit of one comment, in characters. */
const maxCharacters = 65_536;
const maxTableCharacters = 16_000;
const maxOverviewCharacters = 8_000;
const maxNotRead = 20;
const maxNote = 120;
const maxTextCharacters = 4_000;
const maxTitleCharacters = 300;
const maxPathCharacters = 300;
const maxCodeCharacters = 500;

const severityNames = { low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' } as const;

/** Never longer than a comment may be. */
export function renderMarkdown(report: ReviewReport): string {
  const head = [headline(report), ...notices(report), overview(report.overview), table(report.findings)];
  const tail = [heldBack(report), notRead(report), footer(report)];
  const frame = joinParts([...head, ...tail]).length;
  const sections = fittingSections(report.findings, maxCharacters - frame - maxNote);
  return `${joinParts([...head, ...sections, ...tail])}\n`;
}

function headline(report: ReviewReport): string {
  return `**Drydock: ${outcomeOf(report)}**`;
}

function notices({ verdict, partial }: ReviewReport): (string | null)[] {
  return [
    verdict === 'block' ? 'The policy blocks a change with findings this severe.' : null,
    partial === null ? null : `**The review is partial**: ${neutraliseLine(clip(partial.why, 500))}`,
  ];
}

function overview(text: string): string | null {
  const safe = neutraliseText(clip(text, maxTextCharacters));
  return safe.length <= maxOverviewCharacters ? safe : neutraliseText(clip(text, maxOverviewCharacters / 20));
}

function table(findings: readonly ReportedFinding[]): string | null {
  if (findings.length === 0) return null;
  const rows: string[] = [];
  let characters = 0;
  for (const finding of findings) {
    const where = tableCell(codeSpan(shortPlace(finding)));
    const row = `| ${severityNames[finding.severity]} | ${where} | ${tableCell(titleOf(finding))}${stateOf(finding)} |`;
    characters += row.length + 1;
    if (characters > maxTableCharacters) break;
    rows.push(row);
  }
  const more = findings.length - rows.length;
  if (more > 0) rows.push(`| | | and ${more} more |`);
  return ['| Severity | Where | Finding |', '| --- | --- | --- |', ...rows].join('\n');
}

/** Worst first, each whole or not at all; a smaller one may still fit where a larger one did not. */
function fittingSections(findings: readonly ReportedFinding[], maxLength: number): string[] {
  const sections: string[] = [];
  let room = maxLength;
  let leftOut = 0;
  for (const finding of findings) {
    const section = renderSection(finding);
    if (section.length + 2 > room) {
      leftOut += 1;
      continue;
    }
    room -= section.length + 2;
    sections.push(section);
  }
  if (leftOut > 0) sections.push(`The details of ${count(leftOut, 'finding')} did not fit here.`);
  return sections;
}

function renderSection(finding: ReportedFinding): string {
  const { category, severity, reason } = finding;
  const removed = isAboutRemovedLines(finding) ? ', before the change' : '';
  return joinParts([
    '---',
    `**${severityNames[severity]}** (${category}): ${titleOf(finding)}${stateOf(finding)}`,
    `${codeSpan(shortPlace(finding))}${removed}, ${sourceOf(finding, codeSpan)}`,
    excerpt(finding),
    neutraliseText(clip(reason, maxTextCharacters)),
    suggestion(finding.suggestion),
  ]);
}

function titleOf({ title }: ReportedFinding): string {
  const text = neutraliseLine(clip(title, maxTitleCharacters));
  return text === '' ? 'Finding' : text;
}

function stateOf({ isNew }: ReportedFinding): string {
  return isNew ? '' : ' (still open)';
}

function shortPlace(finding: ReportedFinding): string {
  return placeOf({ ...finding, path: clip(finding.path, maxPathCharacters) });
}

function excerpt({ code, startLine, endLine }: ReportedFinding): string | null {
  if (code.lines.length === 0) return null;
  const digits = String(code.startLine + code.lines.length).length;
  return quotedCode(
    code.lines.map((line, index) => {
      const number = code.startLine + index;
      const mark = number >= startLine && number <= endLine ? '>' : ' ';
      return `${mark} ${String(number).padStart(digits)} | ${codeLine(line)}`.trimEnd();
    }),
  );
}

function suggestion(lines: readonly string[] | null): string | null {
  if (lines === null) return null;
  return lines.length === 0 ? 'Suggested: delete this.' : `Suggested:\n\n${quotedCode(lines.map(codeLine))}`;
}

function codeLine(line: string): string {
  return visibleLine(clip(line, maxCodeCharacters));
}

function heldBack(report: ReviewReport): string | null {
  const text = heldBackText(report, (key) => codeSpan(clip(key, 50)));
  return text === null ? null : `**Held back**: ${clip(text, 2_000)}.`;
}

function notRead({ notRead: files, changedFiles }: ReviewReport): string | null {
  if (files.length === 0) return null;
  const lines = files
    .slice(0, maxNotRead)
    .map(({ path, why }) => `- ${codeSpan(clip(path, maxPathCharacters))}: ${neutraliseLine(clip(why, 300))}`);
  if (files.length > maxNotRead) lines.push(`- and ${files.length - maxNotRead} more`);
  return `**Not read** (${files.length} of ${count(changedFiles, 'changed file')}):\n\n${lines.join('\n')}`;
}

function footer({ change, model, turns, usage }: ReviewReport): string {
  // A dollar sign before a number would be a snippet to GitLab.
  const cost = usage.costUsd === null ? 'unknown cost' : `${usage.costUsd.toFixed(4)} USD`;
  const commit = codeSpan(change.diffRefs.headSha.slice(0, 12));
  return `Commit ${commit}, ${codeSpan(clip(model, 100))}, ${count(turns, 'turn')}, ${tokensText(usage)}, ${cost}.`;
}

function joinParts(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== '').join('\n\n');
}
