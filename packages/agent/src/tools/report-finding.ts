import { Category, Finding, Severity, Side, ToolError, findingIdentity, unreachable } from '@drydock/core';
import { z } from 'zod';
import { checkQuote, type QuoteCheck } from '../findings/verify.ts';
import { readTextAsset } from '../read-text-asset.ts';
import type { ReviewSession, ReviewedFile } from '../review-session.ts';
import { refOf, ToolPath } from '../workspace/repo-path.ts';
import { linesOf } from './read-file.ts';
import { defineTool, type ToolContext } from './tool.ts';
import { holdsSpelledCharacter } from './visible-text.ts';

const maxSpan = 300;
const maxShownLines = 20;
const LineNumber = z.int().min(1).max(10_000_000);

const Claim = z.strictObject({
  path: ToolPath,
  side: Side.describe('new: the head; old: a removed line'),
  startLine: LineNumber.describe('First line, from 1'),
  endLine: LineNumber.describe('Last line, included'),
  severity: Severity,
  category: Category,
  confidence: z.number().min(0).max(1),
  title: z.string().trim().min(1).max(200),
  quotedCode: z.string().min(1).max(20_000),
  reason: z.string().trim().min(1).max(4000),
  suggestion: z.string().max(20_000).optional(),
});
type Claim = z.infer<typeof Claim>;

/** Takes a claim, if its code stands where it says. The gateway checks all of it again. */
export const reportFinding = defineTool({
  name: 'report_finding',
  description: readTextAsset(new URL('report-finding.md', import.meta.url)),
  input: Claim,
  target: ({ path, startLine }) => `${path}:${startLine}`,
  run: async (claim, context) => {
    checkRange(claim);
    const file = changedFile(claim, context.review);
    checkSuggestion(claim);
    const lines = await readSide(claim, file, context);
    const quotedCode = confirmedCode(checkQuote(lines, claim), claim);
    const finding = toFinding(claim, quotedCode, context.review);
    context.review.log.add(identityOf(claim, file, lines), finding);
    context.onFinding(finding);
    return 'recorded';
  },
});

function checkRange({ startLine, endLine }: Claim): void {
  if (endLine < startLine) refuse('endLine is before startLine');
  if (endLine - startLine >= maxSpan) refuse(`a finding spans at most ${maxSpan} lines; name the ones that matter`);
}

function changedFile({ path, side }: Claim, review: ReviewSession): ReviewedFile {
  const file = review.fileAt(path, side);
  if (file === undefined) return refuse(`${path} is not changed by this merge request`);
  if (file.leftOut !== null) return refuse(`${path} is left out of this review: ${file.leftOut}`);
  return file;
}

function checkSuggestion({ side, suggestion }: Claim): void {
  if (suggestion === undefined) return;
  if (side === 'old') refuse('a suggestion cannot replace code of the old side');
  if (holdsSpelledCharacter(suggestion)) refuse('the suggestion holds ⟨U+…⟩, which is no code');
}

async function readSide({ side }: Claim, file: ReviewedFile, context: ToolContext): Promise<readonly string[]> {
  const path = side === 'new' ? file.diff.newPath : file.diff.oldPath;
  return linesOf(await context.workspace.read(refOf(side), path, context.signal), path);
}

function confirmedCode(check: QuoteCheck, { path, startLine, endLine }: Claim): string {
  const place = `lines ${startLine} to ${endLine} of ${path}`;
  switch (check.kind) {
    case 'confirmed':
      return check.code;
    case 'blank':
      return refuse('quotedCode holds no code');
    case 'no-such-lines':
      return refuse(`${path} has ${check.lineCount} lines on that side`);
    case 'elsewhere': {
      const places = check.starts.map((start) => `${start} to ${start + check.lineCount - 1}`);
      return refuse(`the quoted code is not ${place}; it stands on lines ${places.join(', or ')}`);
    }
    case 'differs': {
      const shown = check.standing.slice(0, maxShownLines).map((line) => line.slice(0, 500));
      const rest = check.standing.length > shown.length ? '\n[and more lines]' : '';
      return refuse(
        `the quoted code does not stand on that side of the file. These are ${place}:\n${shown.join('\n')}${rest}`,
      );
    }
    default:
      return unreachable(check);
  }
}

function toFinding(claim: Claim, quotedCode: string, { mayOfferSuggestions }: ReviewSession): Finding {
  const suggestion = mayOfferSuggestions && claim.suggestion !== quotedCode ? (claim.suggestion ?? null) : null;
  const finding = Finding.safeParse({ ...claim, quotedCode, suggestion, source: { kind: 'model' } });
  return finding.success ? finding.data : refuse('the finding is too long; quote fewer lines');
}

function identityOf(claim: Claim, { diff }: ReviewedFile, lines: readonly string[]): string {
  const { category, side, startLine, endLine } = claim;
  const path = diff.status === 'renamed' ? diff.oldPath : claim.path;
  return findingIdentity({ path, category, side, lines, startLine, endLine });
}

function refuse(why: string): never {
  throw new ToolError('tool.refused', `Not recorded: ${why}.`);
}
