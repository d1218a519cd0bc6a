import type { ReviewPolicy } from '@drydock/core';
import { PolicyTrigger } from '@drydock/policy';
import { PodSettings } from '../launchers/pod-settings.ts';
import type { AppliedPolicy } from './policy-source.ts';

/** What holds where no object is for a project: the policy file, and the scheduler's own settings of pods. */
export function defaultPolicy(review: ReviewPolicy, pod: PodSettings = PodSettings.parse({})): AppliedPolicy {
  return {
    name: null,
    generation: 0,
    review,
    triggers: PolicyTrigger.options,
    pod,
    maxRunning: null,
    share: { weight: 1, maxRunning: null },
  };
}
