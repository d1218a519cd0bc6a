import { checkFindings, filesToRead, type CheckedFindings } from './check-findings.ts';
import { filesUnderMarks, type LinesOf } from './code-is-gone.ts';
import type { OwnNotes } from './own-notes.ts';
import { isDeclined, knowFindings } from './plan-threads.ts';
import { findSecrets } from './redact-secrets.ts';
import type { ReviewToPublish } from './review-to-publish.ts';

/** The claims of a review, the change they are about, and the operator's rules. */
export type ReviewToJudge = Pick<ReviewToPublish, 'result' | 'diff' | 'policy' | 'readLines'>;

/** What the code under review gives away must not be repeated in words. */
export function secretsOf({ result }: Pick<ReviewToJudge, 'result'>): string[] {
  return [...new Set(result.findings.flatMap((finding) => findSecrets(finding.quotedCode)))];
}

/** Reads every file that claims and earlier comments are about. */
export async function readFiles(
  { result, diff, readLines }: ReviewToJudge,
  { threads }: Pick<OwnNotes, 'threads'>,
): Promise<LinesOf> {
  const marks = threads.map((thread) => thread.mark);
  const known = new Map<string, readonly string[] | null>();
  for (const { side, path } of [...filesToRead(result.findings, diff), ...filesUnderMarks(marks, diff)]) {
    const key = `${side}:${path}`;
    if (!known.has(key)) known.set(key, await readLines(side, path));
  }
  return (side, path) => known.get(`${side}:${path}`) ?? null;
}

/** Claims against the repository, and against what people turned down. */
export function judgeReview(
  { result, diff, policy }: ReviewToJudge,
  notes: OwnNotes,
  linesOf: LinesOf,
): CheckedFindings {
  const known = knowFindings(notes);
  const pathIsGone = (path: string) => linesOf('new', path) === null;
  return checkFindings(result.findings, {
    diff,
    linesOf,
    policy,
    isDeclined: (finding) => isDeclined(known, finding, pathIsGone),
  });
}
