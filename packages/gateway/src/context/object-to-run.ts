import {
  anyGlob,
  compileGlob,
  type MergeRequest,
  type RepositoryConfig,
  type ReviewPolicy,
  type RunGrant,
  type Trigger,
} from '@drydock/core';

/** Why a run need not begin. */
export type Objection = Extract<RunGrant, { kind: 'skip' }>;

/** What a person asked for goes over what a repository wishes in general, but not over switching it off. */
const orders: readonly Trigger[] = ['commanded', 'manual', 'review-requested'];

/** What the repository's wishes say against a run, by the same rules as the operator's policy; null: nothing. */
export function objectionOf(
  wishes: RepositoryConfig,
  policy: ReviewPolicy,
  { isDraft, labels }: Pick<MergeRequest, 'isDraft' | 'labels'>,
  trigger: Trigger,
): Objection | null {
  if (wishes.enabled === false) {
    return skip('switched-off-by-repository', '.drydock.yaml of the target branch says "enabled: false"');
  }
  if (orders.includes(trigger)) return null;
  const unwanted = labels.find((label) => policy.skipLabels.includes(label));
  if (unwanted !== undefined) return skip('label', 'a label asks for no review');
  if (labels.some((label) => policy.triggerLabels.includes(label))) return null;
  return isDraft && wishes.drafts === 'skip' ? skip('draft', 'drafts are not reviewed in this repository') : null;
}

/** For how long globs of a repository may keep us busy. */
const matchLimitMs = 250;

/** Whether anything of a change is left to be reviewed. Globs that take too long to tell are taken for a no. */
export function isAnythingLeft(
  changedPaths: readonly string[],
  { ignorePaths, onlyPaths }: Pick<ReviewPolicy, 'ignorePaths' | 'onlyPaths'>,
  monotonicMs: () => number,
): boolean {
  const ignores = ignorePaths.map(compileGlob);
  const isWanted = onlyPaths.length === 0 ? () => true : anyGlob(onlyPaths); // the operator's own: believed
  const endMs = monotonicMs() + matchLimitMs;
  const isIgnored = (path: string) => ignores.some((matches) => monotonicMs() <= endMs && matches(path));
  return changedPaths.some((path) => isWanted(path) && !isIgnored(path));
}

function skip(why: Objection['why'], detail: string): Objection {
  return { kind: 'skip', why, detail };
}
