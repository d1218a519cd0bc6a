import type { ProjectShare, ReviewPolicy } from '@drydock/core';
import type { PolicyProject, PolicyTrigger } from '@drydock/policy';
import type { PodSettings } from '../launchers/pod-settings.ts';

/** What holds for the reviews of a project. */
export interface AppliedPolicy {
  /** Null: the default, which no object is. */
  readonly name: string | null;
  readonly generation: number;
  readonly review: ReviewPolicy;
  readonly triggers: readonly PolicyTrigger[];
  readonly pod: PodSettings;
  /** Tasks of all its projects running at once; null: no limit of its own. */
  readonly maxRunning: number | null;
  /** Of each of its projects. */
  readonly share: ProjectShare;
}

/** `held`: the policy that is for the project cannot be applied, and no wider one takes its place. */
export type PolicyAnswer =
  { readonly kind: 'applies'; readonly policy: AppliedPolicy } | { readonly kind: 'held'; readonly name: string };

/** Tells which policy applies to a project now; from a file, or from objects that may change at any time. */
export interface PolicySource {
  policyFor(project: PolicyProject): PolicyAnswer;
}
