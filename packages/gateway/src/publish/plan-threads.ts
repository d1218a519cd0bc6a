/**
 * What is to be done about the threads on a merge request, decided from what stands there and what a review found.
 * Doing it twice, or after half of it was done, comes to the same.
 */
import type { CheckedFinding } from './check-findings.ts';
import { shortIdentity, type FindingMark } from './marker.ts';
import type { FindingThread, OwnNotes } from './own-notes.ts';

/** What is known of one finding's threads. */
interface KnownFinding {
  /** The oldest, which stays. */
  readonly keeper: FindingThread;
  readonly duplicates: readonly FindingThread[];
  readonly isDeclined: boolean;
}

/** The threads of a merge request by the finding they are about. */
export interface KnownFindings {
  readonly byIdentity: ReadonlyMap<string, KnownFinding>;
  /** Beginnings of identities that once had a thread. */
  readonly posted: ReadonlySet<string>;
}

/** What to do, in this order. */
export interface ThreadPlan {
  /** Findings without a thread that shall have one, by file and line. */
  readonly toPost: readonly CheckedFinding[];
  readonly standing: readonly { readonly checked: CheckedFinding; readonly thread: FindingThread }[];
  /** Resolved by us, and found again. */
  readonly toReopen: readonly FindingThread[];
  /** Open, not found again, and their code is gone. */
  readonly toResolve: readonly FindingThread[];
  /** Open, not found again, but their code still stands. */
  readonly stillOpen: readonly FindingThread[];
  /** Threads whose code is gone, resolved by us before or to be resolved now. */
  readonly fixed: number;
  /** Second threads of a finding, without answers. */
  readonly toDelete: readonly FindingThread[];
}

/** Brings threads and findings together. */
export function knowFindings({ threads, summaries, hasUnreadable }: OwnNotes): KnownFindings {
  const groups = new Map<string, FindingThread[]>();
  for (const thread of threads) groups.set(thread.mark.identity, [...(groups.get(thread.mark.identity) ?? []), thread]);
  const byIdentity = new Map<string, KnownFinding>();
  for (const [identity, [keeper, ...others]] of groups) {
    if (keeper === undefined) continue;
    const isByPeople = ({ thread }: FindingThread) => thread.resolvedBy === 'others';
    byIdentity.set(identity, {
      keeper,
      duplicates: others.filter((other) => !other.thread.hasReplies && !isByPeople(other)),
      isDeclined: [keeper, ...others].some(isByPeople),
    });
  }
  // With a key gone, a thread that is not known need not have been deleted: then it is rather said twice than never.
  const posted = hasUnreadable ? [] : summaries.flatMap((summary) => summary.mark.posted);
  return { byIdentity, posted: new Set(posted) };
}

/** Whether people resolved or deleted the thread of this finding: then it is never raised again. */
export function isDeclined(
  known: KnownFindings,
  checked: CheckedFinding,
  pathIsGone: (path: string) => boolean,
): boolean {
  const found = knownFindingOf(known, checked, pathIsGone);
  return found === undefined ? known.posted.has(shortIdentity(checked.identity)) : found.isDeclined;
}

/** Pure. `isGone` tells whether the code under a mark no longer stands. */
export function planThreads(facts: {
  readonly findings: readonly CheckedFinding[];
  readonly known: KnownFindings;
  readonly isGone: (mark: FindingMark) => boolean;
  readonly pathIsGone: (path: string) => boolean;
}): ThreadPlan {
  const { findings, known, isGone, pathIsGone } = facts;
  const toPost: CheckedFinding[] = [];
  const standing: { checked: CheckedFinding; thread: FindingThread }[] = [];
  for (const checked of [...findings].sort(byPlace)) {
    const found = knownFindingOf(known, checked, pathIsGone);
    if (found !== undefined) standing.push({ checked, thread: found.keeper });
    else if (checked.placement.kind !== 'summary') toPost.push(checked);
  }
  const foundAgain = new Set(standing.map(({ thread }) => thread.thread.id));
  const others = [...known.byIdentity.values()].filter(
    ({ keeper, isDeclined }) => !isDeclined && !foundAgain.has(keeper.thread.id),
  );
  const gone = others.filter(({ keeper }) => isGone(keeper.mark)).map(({ keeper }) => keeper);
  const open = others.map(({ keeper }) => keeper).filter(({ thread }) => !thread.isResolved);
  return {
    toPost,
    standing,
    toReopen: standing.map(({ thread }) => thread).filter(({ thread }) => thread.resolvedBy === 'us'),
    toResolve: open.filter((thread) => gone.includes(thread)),
    stillOpen: open.filter((thread) => !gone.includes(thread)),
    fixed: gone.length,
    toDelete: [...known.byIdentity.values()].flatMap(({ duplicates }) => duplicates),
  };
}

/** By identity; or by the same code where the file under a thread was moved, which git cannot tell of a new file. */
function knownFindingOf(
  { byIdentity }: KnownFindings,
  checked: CheckedFinding,
  pathIsGone: (path: string) => boolean,
): KnownFinding | undefined {
  const exact = byIdentity.get(checked.identity);
  if (exact !== undefined || checked.codeLines === 0) return exact;
  return [...byIdentity.values()].find(({ keeper: { mark } }) => {
    const { category, side } = checked.finding;
    if (mark.category !== category || mark.side !== side || mark.codeHash !== checked.codeHash) return false;
    return mark.codeLines === checked.codeLines && mark.path !== checked.path && pathIsGone(mark.path);
  });
}

function byPlace(left: CheckedFinding, right: CheckedFinding): number {
  if (left.path !== right.path) return left.path < right.path ? -1 : 1;
  return left.finding.startLine - right.finding.startLine;
}
