import { codeSpan, neutraliseLine, neutraliseText, quotedCode, type Finding } from '@drydock/core';
import type { CheckedFinding } from './check-findings.ts';
import type { CheckedSuggestion, SuggestionRefusal } from './check-suggestion.ts';
import { redactSecrets } from './redact-secrets.ts';

/** Severities as people read them. */
export const severityNames: Readonly<Record<Finding['severity'], string>> = {
  low: 'Low',
  medium: 'Medium',
  high: 'High',
  critical: 'Critical',
};

/** Why a replacement stands in the comment only to be read, or not at all. */
const refusals: Readonly<Record<SuggestionRefusal, { readonly shown: boolean; readonly text: string | null }>> = {
  'not-inline': { shown: true, text: null },
  'removed-lines': { shown: true, text: null },
  'sensitive-file': { shown: true, text: 'Not offered with one click: changes to this file should be made by hand.' },
  'line-endings': {
    shown: true,
    text: 'Not offered with one click: the forge would change the line endings of this file.',
  },
  'too-long': { shown: true, text: 'Too long to be offered with one click.' },
  command: { shown: false, text: 'The replacement is not shown: a line of it would be a command to the forge.' },
  'hidden-characters': { shown: false, text: 'The replacement is not shown: it has invisible characters.' },
  secret: { shown: false, text: 'The replacement is not shown: it seems to hold a secret.' },
  marker: { shown: false, text: null },
  'no-change': { shown: false, text: null },
  blank: { shown: false, text: null },
};

/** The comment of one finding as it stands in a thread, without its marker. `secrets` are taken out wherever they stand. */
export function renderComment(checked: CheckedFinding, secrets: readonly string[]): string {
  const { finding, placement, suggestion } = checked;
  return [
    headline(finding, secrets),
    placement.kind === 'inline' ? null : `About ${whereOf(checked)}.`,
    neutraliseText(redactSecrets(finding.reason, secrets)),
    renderSuggestion(suggestion, finding, secrets),
    `${sourceOf(finding)}. Resolve this thread if it should not be raised again; comment \`/drydock review\` for another look.`,
  ]
    .filter((part) => part !== null && part !== '')
    .join('\n\n');
}

/** The same finding as a section of the summary note. */
export function renderInSummary(checked: CheckedFinding, secrets: readonly string[]): string {
  const { finding, suggestion } = checked;
  const replacement: CheckedSuggestion =
    suggestion.kind === 'offered' ? { kind: 'left-out', why: 'not-inline', lines: suggestion.lines } : suggestion;
  return [
    `${headline(finding, secrets)} (${whereOf(checked)})`,
    neutraliseText(redactSecrets(finding.reason, secrets)),
    renderSuggestion(replacement, finding, secrets),
  ]
    .filter((part) => part !== null && part !== '')
    .join('\n\n');
}

/** The title alone. */
export function renderTitle(title: string, secrets: readonly string[]): string {
  const text = neutraliseLine(redactSecrets(title, secrets));
  return text === '' ? 'Finding' : text;
}

/** `src/a.ts:3-5` */
export function lineReference(path: string, startLine: number, endLine: number): string {
  return `${path}:${startLine}${endLine > startLine ? `-${endLine}` : ''}`;
}

function headline(finding: Finding, secrets: readonly string[]): string {
  return `**${severityNames[finding.severity]}** (${finding.category}): ${renderTitle(finding.title, secrets)}`;
}

function whereOf({ path, codeLines, finding }: CheckedFinding): string {
  const { startLine, endLine, side } = finding;
  const where = codeSpan(codeLines === 0 ? path : lineReference(path, startLine, endLine));
  return side === 'old' && codeLines > 0 ? `${where}, before the change` : where;
}

function renderSuggestion(
  suggestion: CheckedSuggestion,
  { startLine, endLine }: Finding,
  secrets: readonly string[],
): string | null {
  switch (suggestion.kind) {
    case 'none':
      return null;
    case 'offered':
      return suggestionBlock(suggestion.lines, endLine - startLine);
    case 'left-out': {
      const { shown, text } = refusals[suggestion.why];
      if (!shown) return text;
      const lines = redactSecrets(suggestion.lines.join('\n'), secrets).split('\n');
      const block = suggestion.lines.length === 0 ? 'Suggested: delete this.' : `Suggested:\n\n${quotedCode(lines)}`;
      return text === null ? block : `${block}\n\n${text}`;
    }
  }
}

/** Replaces the commented line and the `above` lines before it. The fence is longer than any in it. */
function suggestionBlock(lines: readonly string[], above: number): string {
  const runs = [...lines.join('\n').matchAll(/`+/g)].map((run) => run[0].length);
  const fence = '`'.repeat(Math.max(3, ...runs.map((length) => length + 1)));
  return [`${fence}suggestion:-${above}+0`, ...lines, fence].join('\n');
}

function sourceOf({ source, confidence }: Finding): string {
  const sure = `${Math.round(confidence * 100)} % sure`;
  return source.kind === 'rule' ? `Found by the rule ${codeSpan(source.rule)}` : `Found by a model, ${sure}`;
}
