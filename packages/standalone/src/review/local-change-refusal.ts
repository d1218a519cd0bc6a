/** Why there is nothing to review, and what to do about it: sentences for people. */
export interface Refused {
  readonly kind: 'refused';
  readonly why: string;
  readonly hint: string;
}

/** Both ends are found, and are the same. */
export interface Nothing {
  readonly kind: 'nothing';
  readonly why: string;
}

/** How to get the rest of a shallow clone, here and in pipelines. */
export const deepen =
  'fetch the rest with `git fetch --unshallow`; in a pipeline set `GIT_DEPTH: 0` (GitLab) or `fetch-depth: 0` (actions/checkout).';

/** A refusal, in one line. */
export function refuse(why: string, hint: string): Refused {
  return { kind: 'refused', why, hint };
}
