import { showHiddenCharacters, type ReportedFinding } from '@drydock/core';
import type { CheckedFinding } from './check-findings.ts';
import type { SuggestionRefusal } from './check-suggestion.ts';
import { redactSecrets } from './redact-secrets.ts';

const contextLines = 3;
const maxLines = 60;

/** What a forge would not take with one click is still of use to who reads it, unless it was left out for its content. */
const harmless: ReadonlySet<SuggestionRefusal> = new Set(['not-inline', 'too-long']);

/** A finding as data. `lines` are those of the file on its side; `secrets` are taken out wherever they stand. */
export function reportFinding(
  { finding, identity, path, placement, suggestion }: CheckedFinding,
  lines: readonly string[] | null,
  facts: { readonly secrets: readonly string[]; readonly isNew: boolean },
): ReportedFinding {
  const { side, startLine, endLine, severity, category, confidence, source } = finding;
  const plain = (text: string) => showHiddenCharacters(redactSecrets(text, facts.secrets));
  return {
    identity,
    path,
    side,
    startLine,
    endLine,
    severity,
    category,
    confidence,
    title: plain(finding.title),
    reason: plain(finding.reason),
    suggestion:
      suggestion.kind === 'offered' || (suggestion.kind === 'left-out' && harmless.has(suggestion.why))
        ? redactSecrets(suggestion.lines.join('\n'), facts.secrets).split('\n').slice(0, suggestion.lines.length)
        : null,
    rule: source.kind === 'rule' ? source.rule : null,
    placement: placement.kind,
    code: excerpt(lines ?? [], { startLine, endLine }, plain),
    isNew: facts.isNew,
  };
}

function excerpt(
  lines: readonly string[],
  { startLine, endLine }: { readonly startLine: number; readonly endLine: number },
  plain: (text: string) => string,
): ReportedFinding['code'] {
  const from = Math.max(1, startLine - contextLines);
  const to = Math.min(endLine + contextLines, from + maxLines - 1);
  const code = lines.slice(from - 1, to).map((line) => line.replace(/\r$/, ''));
  // As one text, because a secret may go over several lines.
  return { startLine: from, lines: code.length === 0 ? [] : plain(code.join('\n')).split('\n') };
}
