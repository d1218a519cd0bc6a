import {
  StaleError,
  TransientError,
  type AgentResult,
  type DrydockError,
  type ErrorCode,
  type FailedResult,
  type NotRead,
  type ReviewResult,
  type Sha,
} from '@drydock/core';
import { isOverLimit } from './diff/left-out.ts';
import { countCutLines } from './diff/render-diff.ts';
import type { LoopEnd } from './loop/agent-loop.ts';
import type { ReviewSession } from './review-session.ts';

/** What a result is made of besides the review itself. */
export interface ResultFacts {
  readonly headSha: Sha;
  readonly turns: number;
  readonly stagesMs: Readonly<Record<string, number>>;
}

const maxNotRead = 2000;
const maxNotReadBytes = 1 << 20;
const maxWhyChars = 300;

/** The result of a review that ended, early or not. One that ended before it began is a failure. */
export function buildResult(session: ReviewSession, end: LoopEnd, facts: ResultFacts): AgentResult['result'] {
  if (end.kind === 'early' && !session.hasBegun) return earlyFailure(end.code, end.why);
  const unread = notReadFiles(session, end);
  return {
    kind: 'review',
    headSha: facts.headSha,
    partial: end.kind === 'early' ? end.why : partialByUnread(session, unread),
    partialCode: end.kind === 'early' ? end.code : null,
    summary: session.finished?.summary ?? '',
    findings: [...session.log.findings],
    changedFiles: session.files.length,
    notRead: capped([...leftOutFiles(session), ...unread]),
    turns: facts.turns,
    stagesMs: { ...facts.stagesMs },
  };
}

/** The result of a change in which there is nothing to look at. */
export function emptyReview(session: ReviewSession, facts: ResultFacts): ReviewResult {
  const count = session.files.length;
  return {
    kind: 'review',
    headSha: facts.headSha,
    partial: null,
    partialCode: null,
    summary:
      count === 0 ? 'Nothing to review: no file has changed.' : 'Nothing to review: all changed files are left out.',
    findings: [],
    changedFiles: count,
    notRead: capped(leftOutFiles(session)),
    turns: facts.turns,
    stagesMs: { ...facts.stagesMs },
  };
}

/** The result of an attempt that an error ended. Its message is for people: nothing of what was read stands in it. */
export function failureOf(error: Exclude<DrydockError, StaleError>): FailedResult {
  const isTransient = error.kind === 'transient' || error.code === 'budget.time_spent';
  return {
    kind: 'failed',
    class: isTransient ? 'transient' : error.kind === 'blocked' ? 'blocked' : 'terminal',
    code: error.code,
    message: messageFor(error),
    retryAfterMs: error instanceof TransientError ? error.retryAfterMs : null,
  };
}

function earlyFailure(code: ErrorCode, message: string): FailedResult {
  const kind = code === 'budget.time_spent' ? 'transient' : 'terminal';
  return { kind: 'failed', class: kind, code, message, retryAfterMs: null };
}

/** By the area of its code. */
const messages = new Map([
  ['git', 'The repository could not be read.'],
  ['model', 'The model could not be used.'],
  ['budget', 'The time or budget for one review is used up.'],
  ['gateway', 'The gateway could not be used.'],
  ['config', 'The reviewer is not set up rightly.'],
]);

function messageFor({ code, kind }: DrydockError): string {
  const [area = ''] = code.split('.');
  if (area === 'model' && kind === 'blocked') return 'The model refuses our access.';
  return messages.get(area) ?? 'The review could not be done.';
}

function leftOutFiles(session: ReviewSession): readonly NotRead[] {
  return session.files.flatMap(({ diff, leftOut }) => (leftOut === null ? [] : [{ path: diff.newPath, why: leftOut }]));
}

/** Files that were to be read and were not: what the model says of them, else that it did not open them. */
function notReadFiles(session: ReviewSession, end: LoopEnd): readonly NotRead[] {
  const told = new Map<string, NotRead>();
  for (const { path, why } of session.finished?.notRead ?? []) {
    const file = session.fileAt(path, 'new');
    if (file?.leftOut === null)
      told.set(file.diff.newPath, { path: file.diff.newPath, why: why.slice(0, maxWhyChars) });
  }
  const why = end.kind === 'early' ? 'the review ended before it' : 'not opened';
  for (const { diff } of session.unopened()) {
    if (!told.has(diff.newPath)) told.set(diff.newPath, { path: diff.newPath, why });
  }
  for (const { diff, leftOut } of session.files) {
    const cut = leftOut === null ? countCutLines(diff) : 0;
    if (cut === 0 || told.has(diff.newPath)) continue;
    told.set(diff.newPath, {
      path: diff.newPath,
      why: `${cut} of its changed lines are too long to be read to their end`,
    });
  }
  return [...told.values()];
}

function partialByUnread(session: ReviewSession, unread: readonly NotRead[]): string | null {
  const over = session.files.filter((file) => file.leftOut !== null && isOverLimit(file.leftOut)).length;
  const wanted = session.files.filter((file) => file.leftOut === null).length + over;
  const missed = unread.length + over;
  return missed === 0 ? null : `${missed} of ${wanted} files to be reviewed were not read, or not wholly.`;
}

/** So many, and so much, as a result may hold. */
function capped(notRead: readonly NotRead[]): NotRead[] {
  const shown: NotRead[] = [];
  let bytes = 0;
  for (const file of notRead) {
    bytes += Buffer.byteLength(JSON.stringify(file));
    if (shown.length >= maxNotRead - 1 || bytes > maxNotReadBytes) break;
    shown.push(file);
  }
  const rest = notRead.length - shown.length;
  return rest === 0 ? shown : [...shown, { path: '…', why: `and ${rest} more files` }];
}
