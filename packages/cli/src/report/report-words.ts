/** What every report says in the same words. Text of strangers is not made harmless here. */
import {
  compareSeverity,
  totalTokens,
  type ReportedFinding,
  type ReviewReport,
  type RunUsage,
  type Severity,
} from '@drydock/core';

/** Worst first. */
export const severities: readonly Severity[] = ['critical', 'high', 'medium', 'low'];

const heldBackNames = new Map([
  ['not-confirmed', 'not confirmed by the code'],
  ['duplicate', 'said twice'],
  ['declined', 'turned down by a person before'],
  ['below-severity', 'under the severity threshold'],
  ['below-confidence', 'too uncertain'],
  ['over-cap', 'over the limit of comments'],
]);

/** Such as `3 findings, the worst high`. */
export function outcomeOf({ findings, partial }: ReviewReport): string {
  const where = partial === null ? '' : ' in what was read';
  const [worst] = findings.map((finding) => finding.severity).sort((left, right) => compareSeverity(right, left));
  if (worst === undefined) return `no findings${where}`;
  return `${count(findings.length, 'finding')}${where}, ${findings.length > 1 ? 'the worst ' : ''}${worst}`;
}

/** Such as `1 high, 2 low`; empty when there are no findings. */
export function severityCounts(findings: readonly ReportedFinding[]): { severity: Severity; number: number }[] {
  return severities
    .map((severity) => ({ severity, number: findings.filter((finding) => finding.severity === severity).length }))
    .filter(({ number }) => number > 0);
}

/** Whether the finding's lines are those of the file before the change. Its path then is the old one, too. */
export function isAboutRemovedLines({ side, code }: ReportedFinding): boolean {
  return side === 'old' && code.lines.length > 0;
}

/** Such as `src/a.ts:3-5`, or the path alone where the finding is about the file as a whole. */
export function placeOf({ path, startLine, endLine, code }: ReportedFinding): string {
  if (code.lines.length === 0) return path;
  return `${path}:${startLine}${endLine > startLine ? `-${endLine}` : ''}`;
}

/** Who found it: `found by the rule x`, or `80 % sure`. */
export function sourceOf({ rule, confidence }: ReportedFinding, showRule: (rule: string) => string): string {
  return rule === null ? `${Math.round(confidence * 100)} % sure` : `rule ${showRule(rule)}`;
}

/** Such as `2 said twice, 1 too uncertain`; null: nothing was held back. */
export function heldBackText({ heldBack }: ReviewReport, showKey: (key: string) => string): string | null {
  const parts = Object.entries(heldBack)
    .filter(([, number]) => number > 0)
    .map(([why, number]) => `${number} ${heldBackNames.get(why) ?? showKey(why)}`);
  return parts.length === 0 ? null : parts.join(', ');
}

/** Tokens as they are paid for; calls that cost nothing are told apart. */
export function tokensText({ tokens, reusedCalls }: RunUsage): string {
  const { input, output, cacheRead, cacheWrite } = tokens;
  const reused = reusedCalls === 0 ? '' : `, ${count(reusedCalls, 'call')} answered from the store`;
  if (totalTokens(tokens) === 0) return `no tokens${reused}`;
  const cached = cacheRead === 0 ? '' : ` (${grouped(cacheRead)} from the cache)`;
  return `${grouped(input + cacheRead + cacheWrite)} tokens read${cached}, ${grouped(output)} written${reused}`;
}

/** `1 finding`, `2 findings`. */
export function count(number: number, noun: string): string {
  return `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** The first `max` characters, with a sign that there were more. */
export function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

function grouped(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}
