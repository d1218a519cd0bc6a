import type { CoreV1Event, V1Job, V1Pod, V1TokenReview } from '@kubernetes/client-node';
import { z } from 'zod';
import { defineResource, ObjectMetadata, type Manifest, type Resource } from './resource.ts';

const Condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
  lastTransitionTime: z.string().nullish(),
});

const KubeJob = z.object({
  metadata: ObjectMetadata,
  spec: z.object({
    suspend: z.boolean().optional(),
    activeDeadlineSeconds: z.int().optional(),
    ttlSecondsAfterFinished: z.int().optional(),
  }),
  status: z
    .object({
      active: z.int().default(0),
      ready: z.int().default(0),
      succeeded: z.int().default(0),
      failed: z.int().default(0),
      terminating: z.int().default(0),
      startTime: z.string().optional(),
      completionTime: z.string().optional(),
      conditions: z.array(Condition).default([]),
    })
    .prefault({}),
});
/** A Job as it is read back. */
export type KubeJob = z.infer<typeof KubeJob>;

const Terminated = z.object({
  exitCode: z.int(),
  signal: z.int().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  startedAt: z.string().nullish(),
  finishedAt: z.string().nullish(),
});
const ContainerState = z.object({
  waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  running: z.object({ startedAt: z.string().nullish() }).optional(),
  terminated: Terminated.optional(),
});
const ContainerStatus = z.object({
  name: z.string(),
  ready: z.boolean(),
  started: z.boolean().optional(),
  restartCount: z.int(),
  image: z.string(),
  imageID: z.string(),
  state: ContainerState.default({}),
  lastState: ContainerState.default({}),
});
/** One container of a pod as it is read back. */
export type KubeContainerStatus = z.infer<typeof ContainerStatus>;

const KubePod = z.object({
  metadata: ObjectMetadata,
  spec: z.object({
    nodeName: z.string().optional(),
    serviceAccountName: z.string().optional(),
    activeDeadlineSeconds: z.int().optional(),
  }),
  status: z
    .object({
      phase: z.string().default('Pending'),
      reason: z.string().optional(),
      message: z.string().optional(),
      podIP: z.string().optional(),
      podIPs: z.array(z.object({ ip: z.string() })).default([]),
      startTime: z.string().optional(),
      conditions: z.array(Condition).default([]),
      initContainerStatuses: z.array(ContainerStatus).default([]),
      containerStatuses: z.array(ContainerStatus).default([]),
    })
    .prefault({}),
});
/** A pod as it is read back. */
export type KubePod = z.infer<typeof KubePod>;

const KubeLease = z.object({
  metadata: ObjectMetadata,
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.int().nullish(),
    })
    .prefault({}),
});
/** A Lease as it is read back: who holds it is `spec.holderIdentity`, empty or absent when it was released. */
export type KubeLease = z.infer<typeof KubeLease>;

/** A Lease to be written: client-node's type has times as `Date`, which lose the microseconds that the server asks for. */
export interface LeaseManifest extends Manifest {
  readonly spec: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

const KubeEvent = z.object({
  metadata: ObjectMetadata,
  reason: z.string().optional(),
  message: z.string().optional(),
  type: z.string().optional(),
  count: z.int().optional(),
  lastTimestamp: z.string().nullish(),
  involvedObject: z.object({ kind: z.string().optional(), name: z.string().optional(), uid: z.string().optional() }),
});
/** An event as it is read back. */
export type KubeEvent = z.infer<typeof KubeEvent>;

const KubeTokenReview = z.object({
  // It is an answer and no object: the server gives it neither name nor uid.
  metadata: z
    .object({})
    .nullish()
    .transform(() => noMetadata),
  status: z
    .object({
      authenticated: z.boolean().default(false),
      error: z.string().optional(),
      audiences: z.array(z.string()).default([]),
      user: z
        .object({
          username: z.string().default(''),
          uid: z.string().default(''),
          groups: z.array(z.string()).default([]),
          extra: z.record(z.string(), z.array(z.string())).default({}),
        })
        .prefault({}),
    })
    .prefault({}),
});
/** What the server says of a token: believed only if `authenticated` and the audience asked for is among `audiences`. */
export type KubeTokenReview = z.infer<typeof KubeTokenReview>;

const noMetadata: ObjectMetadata = {
  name: '',
  uid: '',
  resourceVersion: '',
  creationTimestamp: '',
  labels: {},
  annotations: {},
  finalizers: [],
  ownerReferences: [],
};

/** `batch/v1` Jobs. */
export const jobs: Resource<KubeJob, V1Job> = defineResource({
  group: 'batch',
  version: 'v1',
  plural: 'jobs',
  kind: 'Job',
  isNamespaced: true,
  schema: KubeJob,
});

/** `v1` Pods: of the core group. */
export const pods: Resource<KubePod, V1Pod> = defineResource({
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  isNamespaced: true,
  schema: KubePod,
});

/** `coordination.k8s.io/v1` Leases. */
export const leases: Resource<KubeLease, LeaseManifest> = defineResource({
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  isNamespaced: true,
  schema: KubeLease,
});

/** Events of the core group, as `kubectl describe` shows them. */
export const events: Resource<KubeEvent, CoreV1Event> = defineResource({
  group: '',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  isNamespaced: true,
  schema: KubeEvent,
});

/** `authentication.k8s.io/v1` TokenReviews: created only, and answered at once. */
export const tokenReviews: Resource<KubeTokenReview, V1TokenReview> = defineResource({
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  isNamespaced: false,
  schema: KubeTokenReview,
});
