/**
 * The one note that tells the state of the review at any time. While a new state is shown, the last review stays below
 * it, so that nothing that was found is lost by a review that then fails.
 */
import {
  codeSpan,
  compareSeverity,
  neutraliseLine,
  neutraliseText,
  tableCell,
  totalTokens,
  type NotRead,
  type ReviewState,
  type RunUsage,
  type Severity,
  type Verdict,
} from '@drydock/core';
import type { HeldBackWhy } from './check-findings.ts';
import { redactSecrets } from './redact-secrets.ts';
import { renderTitle, severityNames } from './render-comment.ts';

/** A finding as a row of the table. */
export interface SummaryRow {
  readonly severity: Severity;
  /** Such as `src/a.ts:3-5`. */
  readonly where: string;
  readonly title: string;
  /** Of its thread; null: its text stands below. */
  readonly url: string | null;
  /** It stood there before this review. */
  readonly isEarlier: boolean;
}

/** What a review came to. */
export interface ReviewFacts {
  readonly headSha: string;
  readonly attempt: number;
  readonly verdict: Verdict;
  readonly rows: readonly SummaryRow[];
  /** Sections of the findings that have no thread, with their markers. */
  readonly sections: readonly string[];
  /** Own threads whose code is gone, over the life of the merge request. */
  readonly fixed: number;
  readonly heldBack: Readonly<Partial<Record<HeldBackWhy, number>>>;
  /** What the agent says of the change. */
  readonly overview: string;
  /** Why not everything was read; null: it was. */
  readonly partial: string | null;
  readonly changedFiles: number;
  readonly notRead: readonly NotRead[];
  readonly turns: number;
  readonly usage: RunUsage;
  readonly secrets: readonly string[];
}

const earlierReview = '<!-- drydock:earlier -->';
const askAgain = 'Comment `/drydock review` to ask for another review.';
const maxRows = 200;
const maxNotRead = 20;
const maxSectionCharacters = 200_000;

const heldBackNames: Readonly<Record<HeldBackWhy, string>> = {
  'not-confirmed': 'not confirmed by the code',
  duplicate: 'said twice',
  declined: 'turned down by a person before',
  'below-severity': 'under the severity threshold',
  'below-confidence': 'too uncertain',
  'over-cap': 'over the limit of comments',
};

/** A finished review, whole or partial. */
export function renderReview(facts: ReviewFacts): string {
  const { overview, secrets, sections } = facts;
  return joinParts([
    `**Drydock: ${outcome(facts)}**`,
    facts.verdict === 'block' ? 'This blocks the merge request, as the policy asks for findings this severe.' : null,
    facts.partial === null
      ? null
      : `**The review is partial**: ${neutraliseLine(redactSecrets(facts.partial, secrets))}`,
    neutraliseText(redactSecrets(overview, secrets)),
    renderTable(facts.rows, secrets),
    sections.length === 0 ? null : renderSections(sections),
    facts.fixed === 0 ? null : `**Fixed**: the code of ${count(facts.fixed, 'earlier comment')} is gone.`,
    renderHeldBack(facts.heldBack),
    renderNotRead(facts),
    renderFooter(facts),
  ]);
}

/** A state that is no review, above what `body`, the note as it stands, has of the last one. */
export function renderState(state: ReviewState, body: string | null, bodyIsReview: boolean): string {
  const earlier = body === null ? null : earlierPart(body, bodyIsReview);
  return joinParts([stateText(state), earlier === null ? null : `${earlierReview}\n\n---\n\n${earlier}`]);
}

function earlierPart(body: string, bodyIsReview: boolean): string | null {
  const at = body.indexOf(earlierReview);
  if (at >= 0) return body.slice(at + earlierReview.length).replace(/^\s*---\s*/, '');
  return bodyIsReview ? body : null;
}

function stateText(state: ReviewState): string {
  const commit = state.headSha === null ? 'this merge request' : codeSpan(state.headSha.slice(0, 12));
  const why = state.kind === 'reviewing' ? '' : neutraliseLine(redactSecrets(state.why));
  switch (state.kind) {
    case 'reviewing':
      return `**Drydock: reviewing** ${commit} (attempt ${state.attempt}).`;
    case 'skipped':
      return `**Drydock: skipped** ${commit}: ${why}\n\n${askAgain}`;
    case 'over-budget':
      return `**Drydock: over budget**, ${commit} is not reviewed: ${why}`;
    case 'failed': {
      const next = state.willRetry ? 'It will be tried again.' : `It will not be tried again by itself. ${askAgain}`;
      return `**Drydock: failed** to review ${commit}: ${why}\n\n${next}`;
    }
  }
}

function outcome({ rows, partial }: ReviewFacts): string {
  const where = partial === null ? '' : ' in what was read';
  const [worst] = rows.map((row) => row.severity).sort((left, right) => compareSeverity(right, left));
  if (worst === undefined) return `no findings${where}`;
  return `${count(rows.length, 'finding')}${where}, ${rows.length > 1 ? 'the worst ' : ''}${worst}`;
}

function renderTable(rows: readonly SummaryRow[], secrets: readonly string[]): string | null {
  if (rows.length === 0) return null;
  const cells = rows.slice(0, maxRows).map((row) => {
    const where = tableCell(codeSpan(row.where));
    const link = row.url === null ? null : linkTarget(row.url);
    const note = row.isEarlier ? ' (still open)' : '';
    const place = link === null ? where : `[${where}](${link})`;
    return `| ${severityNames[row.severity]} | ${place} | ${tableCell(renderTitle(row.title, secrets))}${note} |`;
  });
  const more = rows.length > maxRows ? [`| | | and ${rows.length - maxRows} more |`] : [];
  return ['| Severity | Where | Finding |', '| --- | --- | --- |', ...cells, ...more].join('\n');
}

/** The address is the forge's own; what could end a link early is encoded. */
function linkTarget(url: string): string | null {
  if (!URL.canParse(url)) return null;
  return new URL(url).href.replace(/[()<>[\]\\|`*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
}

function renderSections(sections: readonly string[]): string {
  const kept: string[] = [];
  let characters = 0;
  for (const section of sections) {
    characters += section.length;
    if (characters <= maxSectionCharacters) kept.push(section);
  }
  if (kept.length < sections.length)
    kept.push(`${count(sections.length - kept.length, 'more text')} did not fit here.`);
  return joinParts(['**Without a place in the diff**', ...kept]);
}

function renderHeldBack(heldBack: ReviewFacts['heldBack']): string | null {
  const parts = (Object.keys(heldBackNames) as HeldBackWhy[]).flatMap((why) => {
    const number = heldBack[why] ?? 0;
    return number === 0 ? [] : [`${number} ${heldBackNames[why]}`];
  });
  return parts.length === 0 ? null : `**Held back**: ${parts.join(', ')}.`;
}

function renderNotRead({ notRead, changedFiles, secrets }: ReviewFacts): string | null {
  if (notRead.length === 0) return null;
  const lines = notRead
    .slice(0, maxNotRead)
    .map(({ path, why }) => `- ${codeSpan(path)}: ${neutraliseLine(redactSecrets(why, secrets))}`);
  if (notRead.length > maxNotRead) lines.push(`- and ${notRead.length - maxNotRead} more`);
  return `**Not read** (${notRead.length} of ${count(changedFiles, 'changed file')}):\n\n${lines.join('\n')}`;
}

function renderFooter({ headSha, attempt, turns, usage }: ReviewFacts): string {
  const { input, cacheRead, cacheWrite, output } = usage.tokens;
  const read = input + cacheRead + cacheWrite;
  const tokens = `${grouped(read)} tokens read (${grouped(cacheRead)} from the cache), ${grouped(output)} written`;
  // A dollar sign before a number would be a snippet to GitLab.
  const cost = usage.costUsd === null ? 'cost unknown' : `${usage.costUsd.toFixed(4)} USD`;
  const spent = totalTokens(usage.tokens) === 0 ? 'no tokens' : `${tokens}, ${cost}`;
  const parts = [`attempt ${attempt}`, count(turns, 'turn'), spent, ...renderReused(usage)];
  return `Commit ${codeSpan(headSha.slice(0, 12))}, ${parts.join(', ')}. ${askAgain}`;
}

function renderReused({ calls, reusedCalls }: RunUsage): readonly string[] {
  if (reusedCalls === 0) return [];
  return [`${reusedCalls} of ${count(calls + reusedCalls, 'model call')} answered from the store at no cost`];
}

function grouped(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function joinParts(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== '').join('\n\n');
}
