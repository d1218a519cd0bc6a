import type { Clock, Log } from '@drydock/core';
import type { KubeClient, KubeMetrics } from '@drydock/kube';
import type { TaskQueue } from '@drydock/queue';
import { policyObjects, watchPolicies } from './kube-policies.ts';
import { ObjectPolicySource } from './object-policy-source.ts';
import type { AppliedPolicy, PolicySource } from './policy-source.ts';
import { writePolicyStatuses } from './write-policy-status.ts';

/** What policies by object take. */
export interface PoliciesSettings {
  readonly client: KubeClient;
  /** Where the objects are. */
  readonly namespace: string;
  /** Applies where no object does. */
  readonly fallback: AppliedPolicy;
  readonly queue: Pick<TaskQueue, 'projects'>;
  /** Only the leader writes statuses. */
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: KubeMetrics;
  /** Its abortion is the end. */
  readonly signal: AbortSignal;
}

/** Policies by object, as they are known now. */
export interface RunningPolicies {
  readonly source: PolicySource;
  /** Resolves when all objects are known: before, no task may be leased, for a wider policy might be taken. */
  readonly ready: Promise<void>;
  /** Settles when nothing of it runs any more; rejects with a bug. */
  readonly ended: Promise<void>;
}

/** Watches the policy objects of a namespace and says in their status what becomes of them. */
export function startPolicies(settings: PoliciesSettings): RunningPolicies {
  const watched = watchPolicies(settings);
  const source = new ObjectPolicySource(policyObjects(watched), settings.fallback, settings.log);
  const writing = writePolicyStatuses({ ...settings, policies: watched, source });
  writing.catch(() => undefined); // whoever waits for `ended` sees the error
  return { source, ready: watched.ready, ended: Promise.all([writing, watched.ended]).then(() => undefined) };
}
