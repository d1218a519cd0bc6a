/**
 * A review to be read in a terminal. All text of strangers goes through `visibleLine` before anything of ours is put
 * around it: the only escape sequences that leave here are our own colours and links.
 */
import type { ReviewReport } from '@drydock/core';
import picocolors from 'picocolors';
import { count, heldBackText, severityCounts, tokensText } from './report-words.ts';
import { renderFinding, severityColour, type FindingFrame } from './text-finding.ts';
import type { TextLook } from './text-look.ts';
import { visibleLine } from './visible-text.ts';
import { webAddress } from './hyperlink.ts';
import { wrapProse } from './wrap-prose.ts';

/** What text needs beside the report. */
export interface TextOptions {
  readonly look: TextLook;
  /** Absolute path of the checkout, to link to its files; null: there is none. */
  readonly rootDir: string | null;
}

const proseWidth = 80;
const maxNotRead = 20;

/** Ends in a line feed. A clean review is one or two lines. */
export function renderText(report: ReviewReport, { look, rootDir }: TextOptions): string {
  const frame: FindingFrame = {
    colours: picocolors.createColors(look.isColoured),
    codeWidth: look.width,
    proseWidth: Math.min(look.width ?? proseWidth, 100),
    hasLinks: look.hasLinks,
    rootDir,
    webUrl: webAddress(report.change.webUrl),
  };
  const parts = isWhollyClean(report)
    ? [summary(report, frame)]
    : [
        changeLines(report, frame),
        overview(report, frame),
        ...report.findings.map((finding) => `${renderFinding(finding, frame)}\n`),
        summary(report, frame),
      ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function isWhollyClean({ findings, partial, notRead }: ReviewReport): boolean {
  return findings.length === 0 && partial === null && notRead.length === 0;
}

/** A local change needs no name: it is what the reader just made. */
function changeLines({ change }: ReviewReport, { colours, proseWidth: width, webUrl }: FindingFrame): string {
  if (webUrl === null) return '';
  const title = wrapProse(change.title.replace(/\s+/g, ' '), width, colours).map((line) => colours.bold(line));
  return [...title, colours.dim(visibleLine(webUrl))].join('\n');
}

function overview({ overview: text }: ReviewReport, { proseWidth: width, colours }: FindingFrame): string {
  return wrapProse(text, width, colours).join('\n');
}

function summary(report: ReviewReport, frame: FindingFrame): string {
  return [
    ...outcomeLines(report, frame),
    ...heldBackLines(report, frame),
    ...notReadLines(report, frame),
    costLine(report, frame),
  ].join('\n');
}

function outcomeLines(
  { findings, partial, changedFiles, verdict, change }: ReviewReport,
  frame: FindingFrame,
): string[] {
  const { colours } = frame;
  const range = `${change.diffRefs.baseSha.slice(0, 12)}..${change.diffRefs.headSha.slice(0, 12)}`;
  const where = `${count(changedFiles, 'changed file')}, ${range}`;
  if (findings.length === 0) {
    const found = partial === null ? colours.green('No findings') : colours.yellow('No findings in what was read');
    return [`${found} (${where})`, ...partialLines(partial, frame)];
  }
  const counts = severityCounts(findings).map(({ severity, number }) =>
    severityColour(colours, severity)(`${number} ${severity}`),
  );
  const earlier = findings.filter((finding) => !finding.isNew).length;
  const open = earlier === 0 ? '' : `, ${earlier} of them still open from an earlier review`;
  const blocks = verdict === 'block' ? [colours.red('The policy blocks a change with findings this severe.')] : [];
  const total = colours.bold(count(findings.length, 'finding'));
  return [`${total}: ${counts.join(', ')}${open} (${where})`, ...blocks, ...partialLines(partial, frame)];
}

function partialLines(partial: ReviewReport['partial'], { colours, proseWidth: width }: FindingFrame): string[] {
  if (partial === null) return [];
  const code = partial.code === null ? '' : ` (${partial.code})`;
  return wrapProse(`The review is partial: ${partial.why}${code}`, width, colours).map((line) => colours.yellow(line));
}

function heldBackLines(report: ReviewReport, { colours, proseWidth: width }: FindingFrame): string[] {
  const text = heldBackText(report, visibleLine);
  return text === null ? [] : wrapProse(`Held back: ${text}`, width, colours);
}

function notReadLines({ notRead, changedFiles }: ReviewReport, { colours, proseWidth: width }: FindingFrame): string[] {
  if (notRead.length === 0) return [];
  const lines = notRead
    .slice(0, maxNotRead)
    .flatMap(({ path, why }) =>
      wrapProse(`${visibleLine(path)}: ${why}`.replace(/\s+/g, ' '), width - 2, colours).map((line) => `  ${line}`),
    );
  if (notRead.length > maxNotRead) lines.push(`  and ${notRead.length - maxNotRead} more`);
  return [`Not read (${notRead.length} of ${count(changedFiles, 'changed file')}):`, ...lines];
}

function costLine({ model, turns, usage }: ReviewReport, { colours }: FindingFrame): string {
  const cost = usage.costUsd === null ? 'unknown cost' : `$${usage.costUsd.toFixed(4)}`;
  return colours.dim(`${visibleLine(model)}, ${count(turns, 'turn')}, ${tokensText(usage)}, ${cost}`);
}
