import { unreachable, type PublishedComment } from '@drydock/core';
import { demoProject, type PlantedBug } from '@drydock/testkit';
import type { SeenReview } from './demo-report.ts';
import type { DemoStage } from './demo-stage.ts';

interface Seen {
  readonly stage: DemoStage;
  readonly iid: number;
  readonly first: SeenReview;
  readonly second: SeenReview;
  readonly threadsBefore: number;
}

/**
 * What should have been seen and was not, in words; nothing: all is well. Of the scripted model every planted bug is
 * expected at its place; a real model may find others, so only what Drydock itself promises is asked of it.
 */
export function findProblems({ stage, iid, first, second, threadsBefore }: Seen): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  const { gitlab } = stage;
  const repeated = second.publication.comments.filter(
    (comment) => comment.isNew && isAmong(comment, first.publication.comments),
  );

  expect(gitlab.violations.length === 0, `GitLab refused ${String(gitlab.violations.length)} requests as wrong`);
  expect(
    gitlab.effects.length === 0,
    `comments set something off: ${gitlab.effects.map((effect) => effect.kind).join(', ')}`,
  );
  expect(gitlab.approvals(iid).length === 0, 'the merge request was approved');
  expect(repeated.length === 0, `${String(repeated.length)} comments were repeated`);
  expect(!gitlab.notes(iid).some((note) => note.body.includes(demoProject.fakeSecret)), 'a comment repeats the secret');
  expect(gitlab.notes(iid).filter((note) => note.type === null).length === 1, 'there is not exactly one summary note');
  if (stage.model.isPaid) return problems;

  expect(first.publication.state === 'done', `the first review is ${first.publication.state}`);
  for (const problem of compare(demoProject.expected, first.publication.comments))
    problems.push(`first review: ${problem}`);
  for (const problem of compare(demoProject.secondPush.expected, second.publication.comments))
    problems.push(`second review: ${problem}`);
  const resolved = demoProject.secondPush.fixed.length;
  expect(
    second.publication.resolved === resolved,
    `${String(second.publication.resolved)} threads were resolved, not ${String(resolved)}`,
  );
  const added = gitlab.discussions(iid).length - threadsBefore;
  expect(added === 0, `the second push added ${String(added)} threads`);
  return problems;
}

function compare(expected: readonly PlantedBug[], comments: readonly PublishedComment[]): string[] {
  const missing = expected.filter((bug) => !comments.some((comment) => stands(bug, comment)));
  const extra = comments.filter((comment) => !expected.some((bug) => stands(bug, comment)));
  return [
    ...missing.map((bug) => `nothing at ${placeOf(bug)}`),
    ...extra.map((comment) => `an unexpected comment at ${placeOf(comment)}`),
  ];
}

function stands(bug: PlantedBug, comment: PublishedComment): boolean {
  return placeOf(bug) === placeOf(comment) && bug.category === comment.category && bug.severity === comment.severity;
}

function isAmong(comment: PublishedComment, others: readonly PublishedComment[]): boolean {
  return others.some(
    (other) => other.path === comment.path && other.category === comment.category && other.body === comment.body,
  );
}

function placeOf({ path, side, startLine, endLine }: PlantedBug | PublishedComment): string {
  switch (side) {
    case 'new':
      return `${path}:${String(startLine)}-${String(endLine)}`;
    case 'old':
      return `${path}:${String(startLine)}-${String(endLine)} (removed)`;
    default:
      return unreachable(side);
  }
}
