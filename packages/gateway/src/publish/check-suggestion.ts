import { hasHiddenCharacters, type Finding, type Placement } from '@drydock/core';
import { findSecrets } from './redact-secrets.ts';

/** Why a suggestion is not offered with one click. */
export type SuggestionRefusal =
  | 'not-inline'
  | 'removed-lines'
  | 'no-change'
  | 'too-long'
  | 'command'
  | 'hidden-characters'
  | 'secret'
  | 'marker'
  | 'line-endings'
  | 'blank'
  | 'sensitive-file';

/** What becomes of a finding's suggestion. */
export type CheckedSuggestion =
  | { readonly kind: 'none' }
  /** No lines: what stands there is deleted. */
  | { readonly kind: 'offered'; readonly lines: readonly string[] }
  | { readonly kind: 'left-out'; readonly why: SuggestionRefusal; readonly lines: readonly string[] };

/** GitLab takes this many lines each way. */
const maxLines = 100;

/**
 * A line that either generation of GitLab could take for a command. Not only the known ones: their list grows, and the
 * code around a suggestion does not shield it in older versions.
 */
const command = /^\s*\/[a-z_]+(?:\s|$)/i;

/** Files in which one click could start code, change what is installed, or hold a credential. */
const sensitive: readonly RegExp[] = [
  /(?:^|\/)\.gitlab-ci[^/]*\.ya?ml$|(?:^|\/)\.gitlab\//i,
  /(?:^|\/)(?:\.github|\.circleci|\.woodpecker|\.buildkite|\.forgejo|\.gitea)\//i,
  /(?:^|\/)(?:Jenkinsfile|azure-pipelines\.ya?ml|bitbucket-pipelines\.ya?ml|\.travis\.ya?ml|\.drone\.ya?ml)$/i,
  /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|composer\.lock)$/i,
  /(?:^|\/)(?:Gemfile\.lock|Cargo\.lock|poetry\.lock|uv\.lock|Pipfile\.lock|go\.sum|flake\.lock|mix\.lock|[^/]+\.lockfile)$/i,
  /(?:^|\/)(?:\.env(?:\.[^/]*)?|\.npmrc|\.pypirc|\.netrc|id_[a-z0-9]+|[^/]*\.(?:pem|key|p12|pfx|jks|keystore))$/i,
];

/** `lines` is the whole new side. */
export function checkSuggestion(
  finding: Finding,
  placement: Placement,
  lines: readonly string[],
  isWanted: boolean,
): CheckedSuggestion {
  const { suggestion, side, startLine, endLine, path } = finding;
  if (suggestion === null || !isWanted) return { kind: 'none' };
  const offered = suggestedLines(suggestion);
  const replaced = lines.slice(startLine - 1, endLine);
  const why = refusal({ offered, replaced, side, path, placement });
  return why === null ? { kind: 'offered', lines: offered } : { kind: 'left-out', why, lines: offered };
}

function refusal(facts: {
  readonly offered: readonly string[];
  readonly replaced: readonly string[];
  readonly side: Finding['side'];
  readonly path: string;
  readonly placement: Placement;
}): SuggestionRefusal | null {
  const { offered, replaced, side, path, placement } = facts;
  const text = offered.join('\n');
  if (side === 'old') return 'removed-lines';
  if (placement.kind !== 'inline') return 'not-inline';
  if (sensitive.some((pattern) => pattern.test(path))) return 'sensitive-file';
  if (text === replaced.map(withoutReturn).join('\n')) return 'no-change';
  if (offered.length > maxLines || replaced.length > maxLines) return 'too-long';
  if (offered.some((line) => command.test(line))) return 'command';
  if (hasHiddenCharacters(text)) return 'hidden-characters';
  if (findSecrets(text).length > 0) return 'secret';
  if (/<!--\s*drydock/i.test(text)) return 'marker';
  // GitLab keeps the ending of the last line it replaces, and drops every carriage return of a comment.
  if (offered.length > 1 && replaced.some((line) => line.endsWith('\r'))) return 'line-endings';
  // GitLab takes blank text for a deletion.
  return offered.length > 0 && text.trim() === '' ? 'blank' : null;
}

function suggestedLines(suggestion: string): string[] {
  if (suggestion === '') return [];
  return suggestion.replace(/\r\n/g, '\n').replace(/\n$/, '').split('\n').map(withoutReturn);
}

function withoutReturn(line: string): string {
  return line.replace(/\r$/, '');
}
