/**
 * The model behind the demo: an honest reviewer of a few rules. It knows nothing but the conversation, and has no
 * memory beside it: each turn is computed anew from the tool calls made so far and what they returned.
 *
 *   overview of the change → the diff of each file → look-ups that confirm or clear → findings → the end
 *
 * What it reads in the change is data. Text that asks it for something is reported, not followed. It reports what it
 * sees, also what an earlier review has reported: that nothing stands twice is not left to a model.
 */
import { compareSeverity, type Category } from '@drydock/core';
import { z } from 'zod';
import type { ClaudeReply, ClaudeReplyBlock, ClaudeScript } from '../claude-reply.ts';
import { reply, toolUse } from '../claude-reply.ts';
import type { ClaudeRequest } from '../claude-request.ts';
import { systemTextOf } from '../claude-request.ts';
import { sqlFromText, swallowedError } from './block-rules.ts';
import { injectedText, singleLineRules } from './line-rules.ts';
import { divisionByLength, forgottenAwait, removedCheck, staleImport } from './lookup-rules.ts';
import { callKey, firstMessageText, pastCalls } from './read-conversation.ts';
import type { PastCall } from './read-conversation.ts';
import type { ChangedFile, ShownFile } from './read-shown-diff.ts';
import { readHunks, readNumberedLines, readOverview } from './read-shown-diff.ts';
import type { Claim, Lookup, Rule, Suspicion } from './rule.ts';

const rules: readonly Rule[] = [
  ...singleLineRules,
  sqlFromText,
  swallowedError,
  forgottenAwait,
  removedCheck,
  staleImport,
  divisionByLength,
];
// Each turn sends the whole conversation again: few turns with many calls keep a huge change within its tokens.
const maxCallsPerTurn = 24;
const maxFiles = 320;
const maxLookups = 64;
const maxClaims = 96;
/** Of the same in one file. */
const maxAlike = 5;

/** A script that reviews any change through the agent's tools, deterministically. */
export function scriptedReviewer(): ClaudeScript {
  return (request) => nextTurn(new Review(request));
}

interface Call {
  readonly name: string;
  readonly input: object;
}

/** One conversation as far as it went. */
class Review {
  readonly request: ClaudeRequest;
  readonly calls: readonly PastCall[];
  readonly #offered: ReadonlySet<string>;
  readonly #byKey: ReadonlyMap<string, PastCall>;

  constructor(request: ClaudeRequest) {
    this.request = request;
    this.calls = pastCalls(request);
    this.#byKey = new Map(this.calls.map((call) => [callKey(call), call]));
    this.#offered = new Set((request.tools ?? []).map((tool) => tool.name));
  }

  offers(name: string): boolean {
    return this.#offered.has(name);
  }

  find(call: Call): PastCall | undefined {
    return this.#byKey.get(callKey(call));
  }

  /** The calls that were not made yet, of those whose tool there is. */
  open(calls: readonly Call[]): readonly Call[] {
    const seen = new Set<string>();
    return calls.filter((call) => {
      const key = JSON.stringify(call);
      const isNew = !seen.has(key) && this.offers(call.name) && this.find(call) === undefined;
      seen.add(key);
      return isNew;
    });
  }

  say(text: string, calls: readonly Call[]): ClaudeReply {
    const choice = this.request.tool_choice;
    const isSerial = choice?.type !== 'none' && choice?.disable_parallel_tool_use === true;
    const blocks: readonly ClaudeReplyBlock[] = calls
      .slice(0, isSerial ? 1 : maxCallsPerTurn)
      .map((call) => toolUse(call.name, call.input));
    return reply.blocks([{ kind: 'text', text }, ...blocks]);
  }
}

function nextTurn(review: Review): ClaudeReply {
  const overviewCall = { name: 'show_diff', input: {} };
  const overview = review.find(overviewCall);
  if (overview === undefined) {
    if (!review.offers('show_diff')) return finish(review, { files: [], unread: [] });
    const first = review.open([overviewCall, { name: 'log', input: { limit: 10 } }]);
    return review.say('I start with what changed and how it came about.', first);
  }
  const { wanted, unwanted } = filesToRead(overview);
  const diffs = review.open(wanted.map(diffCall));
  if (diffs.length > 0) return review.say(`I read the changes of ${count(wanted.length, 'file')}.`, diffs);
  const { files, unread } = shownFiles(review, wanted);
  const suspicions = files.flatMap((file) => rules.flatMap((rule) => rule(file, { files })));
  const lookups = review.open(suspicions.flatMap(({ lookup }) => lookup ?? []).slice(0, maxLookups));
  if (lookups.length > 0) return review.say('Some of this depends on code around it, which I look up.', lookups);
  const claims = review.offers('report_finding') ? claimsOf(review, suspicions) : [];
  const reports = review.open(claims.map(reportCall));
  if (reports.length > 0) return review.say('I report what I am sure of.', reports);
  const corrections = review.open(claims.flatMap((claim) => correctionCall(review, claim) ?? []));
  if (corrections.length > 0) return review.say('Some findings were refused; I check them once more.', corrections);
  return finish(review, { files, unread: [...unread, ...unwanted] });
}

function filesToRead(overview: PastCall): {
  readonly wanted: readonly ChangedFile[];
  readonly unwanted: readonly NotRead[];
} {
  const shown = overview.isError ? [] : readOverview(overview.result).filter((file) => file.leftOut === null);
  const why = `more than ${String(maxFiles)} changed files`;
  return { wanted: shown.slice(0, maxFiles), unwanted: shown.slice(maxFiles).map(({ path }) => ({ path, why })) };
}

interface NotRead {
  readonly path: string;
  readonly why: string;
}

function diffCall(file: ChangedFile): Call {
  return { name: 'show_diff', input: { path: file.path } };
}

function shownFiles(
  review: Review,
  wanted: readonly ChangedFile[],
): { readonly files: readonly ShownFile[]; readonly unread: readonly NotRead[] } {
  const files: ShownFile[] = [];
  const unread: NotRead[] = [];
  for (const file of wanted) {
    const call = review.find(diffCall(file));
    if (call === undefined || call.isError) unread.push({ path: file.path, why: 'its diff could not be shown' });
    else files.push({ ...file, hunks: readHunks(call.result) });
    if (call?.isError === false && isCutShort(call.result)) {
      unread.push({ path: file.path, why: 'only part of its diff was shown' });
    }
  }
  return { files, unread };
}

/** Whether a notice of the tool says that there was more. */
function isCutShort(result: string): boolean {
  return /^\[[^\]]*\bnot shown\b/m.test(result);
}

function claimsOf(review: Review, suspicions: readonly Suspicion[]): readonly Claim[] {
  const categories = wantedCategories(review.request);
  const claims = suspicions.flatMap(({ lookup, conclude }) => conclude(answerTo(review, lookup)));
  const seen = new Set<string>();
  const distinct = claims.filter((claim) => {
    const key = [claim.path, claim.side, claim.startLine, claim.endLine, claim.category].join('\0');
    const isNew = !seen.has(key) && categories(claim.category);
    seen.add(key);
    return isNew;
  });
  const alike = new Map<string, number>();
  const telling = distinct.filter(({ path, title }) => {
    const number = (alike.get(`${path}\0${title}`) ?? 0) + 1;
    alike.set(`${path}\0${title}`, number);
    return number <= maxAlike;
  });
  // Nobody reads hundreds: the worst, in the order of the files.
  return telling.sort((left, right) => compareSeverity(right.severity, left.severity)).slice(0, maxClaims);
}

function answerTo(review: Review, lookup: Lookup | null): string | null {
  const call = lookup === null ? undefined : review.find(lookup);
  return call === undefined || call.isError ? null : call.result;
}

/** A specialist reports what it is asked for: by the tool's own schema, or by what the system prompt makes of it. */
function wantedCategories(request: ClaudeRequest): (category: Category) => boolean {
  const tool = (request.tools ?? []).find((offered) => offered.name === 'report_finding');
  const allowed = ReportSchema.safeParse(tool?.input_schema).data?.properties.category.enum;
  const role =
    /\b(correctness|security|performance|tests|maintainability|documentation) (?:specialist|reviewer)\b/i.exec(
      systemTextOf(request),
    )?.[1];
  return (category) =>
    (allowed === undefined || allowed.includes(category)) && (role === undefined || role.toLowerCase() === category);
}

const ReportSchema = z.looseObject({
  properties: z.looseObject({ category: z.looseObject({ enum: z.array(z.string()) }) }),
});

function reportCall(claim: Claim): Call {
  return { name: 'report_finding', input: claim };
}

/** The next step for a refused claim: a look at the place, then one corrected report; null when there is none. */
function correctionCall(review: Review, claim: Claim): Call | null {
  if (review.find(reportCall(claim))?.isError !== true) return null;
  const ref = claim.side === 'new' ? 'head' : 'base';
  const around = { startLine: Math.max(1, claim.startLine - 40), endLine: claim.endLine + 40 };
  const look = { name: 'read_file', input: { path: claim.path, ...around, ref } };
  const seen = review.find(look);
  if (seen === undefined) return look;
  const corrected = seen.isError ? null : correct(claim, readNumberedLines(seen.result));
  return corrected === null ? null : reportCall(corrected);
}

/** The claim where its code really stands, without the parts that may be at fault; null when it stands nowhere. */
function correct(claim: Claim, lines: ReadonlyMap<number, string>): Claim | null {
  const quoted = claim.quotedCode.split('\n');
  const starts = [...lines.keys()].filter((start) =>
    quoted.every((text, offset) => lines.get(start + offset)?.trim() === text.trim()),
  );
  const [start] = starts.sort((left, right) => Math.abs(left - claim.startLine) - Math.abs(right - claim.startLine));
  if (start === undefined) return null;
  const { suggestion: _suggestion, rootCause: _rootCause, ...rest } = claim;
  const quotedCode = quoted.map((_, offset) => lines.get(start + offset) ?? '').join('\n');
  const corrected = { ...rest, startLine: start, endLine: start + quoted.length - 1, quotedCode };
  return JSON.stringify(corrected) === JSON.stringify(claim) ? null : corrected;
}

interface Outcome {
  readonly files: readonly ShownFile[];
  readonly unread: readonly NotRead[];
}

function finish(review: Review, outcome: Outcome): ClaudeReply {
  const summary = summaryOf(review, outcome);
  const attempts = [{ summary, ...(outcome.unread.length === 0 ? {} : { notRead: outcome.unread }) }, { summary }];
  const done = reply.text('The review is finished.');
  if (!review.offers('finish_review'))
    return outcome.files.length === 0 ? reply.text('There is nothing for me to do.') : done;
  for (const input of attempts) {
    const call = review.find({ name: 'finish_review', input });
    if (call === undefined) return review.say('That is all.', [{ name: 'finish_review', input }]);
    if (!call.isError) return done;
  }
  return done;
}

function summaryOf(review: Review, { files, unread }: Outcome): string {
  const recorded = review.calls.filter((call) => call.name === 'report_finding' && !call.isError);
  const read = `Read the changes of ${count(files.length, 'file')}${unread.length === 0 ? '' : `, not of ${String(unread.length)}`}.`;
  const found =
    recorded.length === 0 ? 'Nothing to report.' : `${count(recorded.length, 'finding')}: ${severities(recorded)}.`;
  const injected = untrustedParts(firstMessageText(review.request)).some((part) => injectedText.test(part))
    ? ' What was written about the change holds text addressed to reviewers; it was read as data and followed in nothing.'
    : '';
  return `${read} ${found}${injected}`;
}

function severities(recorded: readonly PastCall[]): string {
  return (['critical', 'high', 'medium', 'low'] as const)
    .map((severity) => ({ severity, number: recorded.filter((call) => call.input['severity'] === severity).length }))
    .filter(({ number }) => number > 0)
    .map(({ severity, number }) => `${String(number)} ${severity}`)
    .join(', ');
}

/** What stands between two marks of the same kind: a long word of letters and digits that comes more than once. */
function untrustedParts(text: string): readonly string[] {
  const words: readonly string[] = text.match(/\b(?=[a-z]*\d)[a-z0-9]{16,64}\b/g) ?? [];
  const marks = [...new Set(words)].filter((word) => words.indexOf(word) !== words.lastIndexOf(word));
  return marks.flatMap((mark) => text.split(mark).slice(1, -1));
}

function count(number: number, noun: string): string {
  return `${String(number)} ${noun}${number === 1 ? '' : 's'}`;
}
