import type { Publication, PublishedComment } from '@drydock/core';
import type { LiveDiscussion, LiveNote } from './live-gitlab.ts';
import { injection, linesMoved, offByOne, type PlantedBug } from './live-planted-change.ts';
import type { LiveChange } from './open-live-change.ts';
import type { Live } from './open-live.ts';

/** A review as Drydock tells of it and as GitLab shows it. */
export interface SeenReview {
  readonly publication: Publication;
  readonly discussions: readonly LiveDiscussion[];
}

/** Reads back what stands on the merge request. */
export async function seeReview(live: Live, change: LiveChange, publication: Publication): Promise<SeenReview> {
  return { publication, discussions: await live.bot.gitlab.discussions(change.liveRef) };
}

/** What is wrong with the first review, in words; nothing: all is well. */
export function findReviewProblems(live: Live, seen: SeenReview): readonly string[] {
  const { publication } = seen;
  return [
    ...findUnfinished(seen),
    ...[injection, offByOne].flatMap((bug) =>
      publication.comments.some((comment) => comment.placement === 'inline' && isAbout(bug, comment))
        ? []
        : [`${bug.name} has no comment on its line (${bug.path}:${bug.startLine}); ${found(publication)}`],
    ),
    ...findStandingProblems(live, seen),
  ];
}

function findUnfinished({ publication: { state } }: SeenReview): readonly string[] {
  return state === 'done' ? [] : [`the review is ${state}, not done`];
}

/** Whether what was published stands on GitLab where it is said to, and one summary beside it. */
function findStandingProblems(live: Live, { publication, discussions }: SeenReview): readonly string[] {
  const own = notesBy(live, discussions);
  const problems = publication.comments
    .filter((comment) => comment.placement === 'inline' && comment.isNew)
    .flatMap((comment) => {
      const note = own.find((candidate) => comment.url?.endsWith(`#note_${candidate.id}`) === true);
      const position = note?.position;
      if (position === null || position === undefined) return [`no comment stands at ${placeOf(comment)}`];
      const isNewSide = comment.side === 'new';
      const path = isNewSide ? position.new_path : position.old_path;
      const line = isNewSide ? position.new_line : position.old_line;
      if (path === comment.path && line === comment.endLine) return [];
      return [`the comment of ${placeOf(comment)} stands at ${path}:${String(line)}`];
    });
  const summaries = own.filter((note) => note.type === null);
  if (summaries.length !== 1) problems.push(`there are ${summaries.length} summary notes`);
  return problems;
}

/** What is wrong with a review of code that was reviewed before: it need not name again what stands, and must not repeat it. */
export function findAgainProblems(live: Live, before: SeenReview, after: SeenReview): readonly string[] {
  const isTwin = (left: PublishedComment, right: PublishedComment) =>
    left.path === right.path &&
    left.side === right.side &&
    left.category === right.category &&
    left.startLine <= right.endLine &&
    right.startLine <= left.endLine;
  return [
    ...findUnfinished(after),
    ...after.publication.comments
      .filter((comment) => comment.isNew && before.publication.comments.some((earlier) => isTwin(earlier, comment)))
      .map((comment) => `${placeOf(comment)} was commented again`),
    ...findStandingProblems(live, after),
  ];
}

/** What is wrong after the push that mends the injection and moves the loop. */
export function findMendedProblems(live: Live, first: SeenReview, second: SeenReview): readonly string[] {
  const threads = (bug: PlantedBug) => {
    const ids = first.publication.comments
      .filter((comment) => isAbout(bug, comment))
      .map((comment) => comment.url?.replace(/^.*#note_/, ''));
    return second.discussions.filter(({ notes }) => ids.includes(String(notes[0]?.id)));
  };
  const isResolved = ({ notes }: LiveDiscussion) => notes[0]?.resolved === true;
  const moved = {
    ...offByOne,
    startLine: offByOne.startLine + linesMoved,
    endLine: offByOne.endLine + linesMoved,
  };
  const mended = threads(injection);
  return [
    ...findUnfinished(second),
    ...(mended.length > 0 && mended.every(isResolved) ? [] : [`the thread of ${injection.name} is not resolved`]),
    ...(threads(offByOne).some(isResolved) ? [`the thread of ${offByOne.name} was resolved, but it still stands`] : []),
    ...second.publication.comments
      .filter((comment) => comment.isNew && isAbout(moved, comment) && wasFound(first, offByOne, comment))
      .map((comment) => `${placeOf(comment)} was commented again after it moved`),
    ...findStandingProblems(live, second),
  ];
}

function wasFound({ publication }: SeenReview, bug: PlantedBug, { category }: PublishedComment): boolean {
  return publication.comments.some((comment) => isAbout(bug, comment) && comment.category === category);
}

function isAbout(bug: PlantedBug, comment: PublishedComment): boolean {
  const isOnLines = comment.startLine <= bug.endLine && bug.startLine <= comment.endLine;
  return comment.path === bug.path && comment.side === 'new' && isOnLines;
}

/** What our account wrote. */
export function notesBy(live: Live, discussions: readonly LiveDiscussion[]): readonly LiveNote[] {
  return discussions
    .flatMap(({ notes }) => notes)
    .filter((note) => !note.system && note.author.id === live.bot.user.id);
}

function found({ comments }: Publication): string {
  return comments.length === 0 ? 'the model found nothing' : `found: ${comments.map(placeOf).join(', ')}`;
}

function placeOf({ path, startLine, endLine, placement, category }: PublishedComment): string {
  return `${path}:${startLine}-${endLine} (${category}, ${placement})`;
}
