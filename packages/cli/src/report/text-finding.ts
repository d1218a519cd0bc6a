import type { ReportedFinding, Severity } from '@drydock/core';
import { fileAddress, hyperlink } from './hyperlink.ts';
import { isAboutRemovedLines, placeOf, sourceOf } from './report-words.ts';
import { fitColumns } from './fit-columns.ts';
import type { Colours } from './text-look.ts';
import { visibleLine } from './visible-text.ts';
import { wrapProse } from './wrap-prose.ts';

/** Where and how findings are shown. */
export interface FindingFrame {
  readonly colours: Colours;
  /** Columns that a line of code may take; null: all it needs. */
  readonly codeWidth: number | null;
  /** Columns to wrap texts at. */
  readonly proseWidth: number;
  readonly hasLinks: boolean;
  readonly rootDir: string | null;
  /** Of the merge request; null: a change of this machine. */
  readonly webUrl: string | null;
}

/** The colour of a severity. */
export function severityColour(colours: Colours, severity: Severity): (text: string) => string {
  switch (severity) {
    case 'critical':
      return (text) => colours.bold(colours.red(text));
    case 'high':
      return colours.red;
    case 'medium':
      return colours.yellow;
    case 'low':
      return colours.blue;
  }
}

/** Severity and place, title, code, the comment under it, and the suggestion as a small diff. */
export function renderFinding(finding: ReportedFinding, frame: FindingFrame): string {
  const { colours, proseWidth } = frame;
  const title = wrapProse(finding.title.replace(/\s+/g, ' '), proseWidth, colours).map((line) => colours.bold(line));
  const comment = wrapProse(finding.reason, proseWidth - 2, colours).map((line) => (line === '' ? '' : `  ${line}`));
  return [[headline(finding, frame), ...title], codeLines(finding, frame), comment, suggestionLines(finding, frame)]
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n');
}

function headline(finding: ReportedFinding, { colours, hasLinks, rootDir, webUrl }: FindingFrame): string {
  const { severity, category, isNew, path, side } = finding;
  const shown = colours.underline(visibleLine(placeOf(finding)));
  const local = rootDir === null || side === 'old' ? null : fileAddress(rootDir, path);
  const place = hasLinks ? hyperlink(shown, webUrl ?? local) : shown;
  const facts = [
    category,
    sourceOf(finding, visibleLine),
    ...(isAboutRemovedLines(finding) ? ['before the change'] : []),
    ...(isNew ? [] : ['still open']),
  ];
  return `${severityColour(colours, severity)(severity.toUpperCase())} ${place} ${colours.dim(`(${facts.join(', ')})`)}`;
}

function codeLines({ code, startLine, endLine, side, severity }: ReportedFinding, frame: FindingFrame): string[] {
  const { colours, codeWidth } = frame;
  const last = code.startLine + code.lines.length - 1;
  const digits = String(Math.max(last, 0)).length;
  const paint = severityColour(colours, severity);
  const mark = side === 'old' ? '-' : '>';
  const lines = code.lines.map((line, index) => {
    const number = code.startLine + index;
    const isOwn = number >= startLine && number <= endLine;
    const gutter = `${isOwn ? mark : ' '} ${String(number).padStart(digits)} │`;
    const text = fitColumns(visibleLine(line), codeWidth === null ? null : codeWidth - digits - 5);
    if (text === '') return isOwn ? paint(gutter) : colours.dim(gutter);
    return isOwn ? `${paint(gutter)} ${text}` : colours.dim(`${gutter} ${text}`);
  });
  if (lines.length > 0 && last < endLine) lines.push(colours.dim(`  ${' '.repeat(digits)} … to line ${endLine}`));
  return lines;
}

function suggestionLines({ suggestion, code, startLine, endLine }: ReportedFinding, frame: FindingFrame): string[] {
  if (suggestion === null) return [];
  const { colours, codeWidth } = frame;
  const from = startLine - code.startLine;
  const old = code.lines.slice(Math.max(0, from), Math.max(0, from + endLine - startLine + 1));
  const row = (sign: string, line: string) =>
    `  ${sign} ${fitColumns(visibleLine(line), codeWidth === null ? null : codeWidth - 4)}`.trimEnd();
  return [
    suggestion.length === 0 ? '  Suggested: delete this' : '  Suggested:',
    ...old.map((line) => colours.red(row('-', line))),
    ...suggestion.map((line) => colours.green(row('+', line))),
  ];
}
