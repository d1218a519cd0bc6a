import type { Clock, Log } from '@drydock/core';
import {
  ObjectMetadata,
  defineResource,
  startWatch,
  type KubeClient,
  type KubeMetrics,
  type Watched,
} from '@drydock/kube';
import { PolicyStatus, policyApiVersion, readPolicyObject, type ReadPolicy } from '@drydock/policy';
import { z } from 'zod';
import type { PolicyObjects } from './object-policy-source.ts';

const kind = 'ReviewPolicy';
const [group = '', version = ''] = policyApiVersion.split('/');

/** `ReviewPolicy` objects; their specs are read by the schema of policies, which says what is wrong in them. */
export const reviewPolicies = defineResource({
  group,
  version,
  plural: 'reviewpolicies',
  kind,
  isNamespaced: true,
  schema: z.object({ metadata: ObjectMetadata, spec: z.unknown().optional(), status: z.unknown().optional() }),
});

/** What is kept of a policy object. */
export interface KnownPolicy {
  readonly policy: ReadPolicy;
  /** As it stands in the object; null: it has none that can be read. */
  readonly status: PolicyStatus | null;
}

/** What watching policies takes. */
export interface PolicyWatch {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics?: KubeMetrics;
}

/** Keeps the policy objects of a namespace as the API server has them, until the signal is aborted. */
export function watchPolicies(watch: PolicyWatch): Watched<KnownPolicy> {
  return startWatch({
    ...watch,
    resource: reviewPolicies,
    project: ({ metadata, spec, status }) => knownPolicy(metadata, spec, status),
  });
}

/** The policies of a watch, as they are chosen among. */
export function policyObjects(watched: Watched<KnownPolicy>): PolicyObjects {
  return {
    list: () => watched.list().map(({ policy }) => policy),
    onChange: (listener) =>
      watched.onChange((change) => {
        const previous = change.previous?.policy ?? null;
        if (change.kind === 'set') listener({ kind: 'set', value: change.value.policy, previous });
        else listener({ kind: 'gone', previous: change.previous.policy });
      }),
  };
}

function knownPolicy(metadata: ObjectMetadata, spec: unknown, status: unknown): KnownPolicy {
  const policy = readPolicyObject({ apiVersion: policyApiVersion, kind, metadata, spec });
  if (policy === null) throw new Error(`the metadata of policy ${metadata.name} cannot be read`);
  return { policy, status: PolicyStatus.safeParse(status).data ?? null };
}
