import type { KubeContainerStatus, KubeJob, KubePod } from '@drydock/kube';
import { annotationNames, labelNames } from './job-labels.ts';
import { containerNames } from './job-manifest.ts';

/** What happened to a condition of an object, in the words of who set it. */
export interface Reason {
  readonly reason: string;
  readonly message: string;
}

/** What a scheduler keeps of a Job: a few hundred bytes. */
export interface JobFacts {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Empty: it is of no run of ours. */
  readonly runId: string;
  readonly taskId: string;
  readonly specHash: string;
  readonly createdAtMs: number;
  /** From its start to its end by Kubernetes' clock; null: it has none. */
  readonly deadlineSeconds: number | null;
  /** How long its agent may work; null: it is not told. */
  readonly runSeconds: number | null;
  readonly isDeleting: boolean;
  readonly isSuspended: boolean;
  /** Failed for good, or about to: its pods are being ended. */
  readonly failure: Reason | null;
  readonly isComplete: boolean;
  /** When it was found complete or failed for good; null: not yet. */
  readonly finishedAtMs: number | null;
}

/** How one container of a pod fares; null: nothing is known of it. */
export type ContainerFacts =
  | ({ readonly kind: 'waiting' } & Reason)
  | { readonly kind: 'running' }
  | ({ readonly kind: 'terminated'; readonly exitCode: number } & Reason)
  | null;

/** What a scheduler keeps of a pod. */
export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  readonly runId: string;
  readonly createdAtMs: number;
  readonly isDeleting: boolean;
  readonly nodeName: string;
  readonly phase: string;
  readonly status: Reason;
  /** Why it is or was taken away without any fault of its own: preempted, drained, its node lost. */
  readonly disruption: Reason | null;
  /** Why no node takes it. */
  readonly unscheduled: Reason | null;
  readonly preflight: ContainerFacts;
  readonly agent: ContainerFacts;
}

type Condition = KubeJob['status']['conditions'][number];

/** Reads of a Job what a scheduler needs. */
export function jobFacts({ metadata, spec, status }: KubeJob): JobFacts {
  const failed = isTrue(status.conditions, 'Failed') ?? isTrue(status.conditions, 'FailureTarget');
  const ended = isTrue(status.conditions, 'Failed') ?? isTrue(status.conditions, 'Complete');
  return {
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    runId: metadata.labels[labelNames.run] ?? '',
    taskId: metadata.annotations[annotationNames.taskId] ?? '',
    specHash: metadata.annotations[annotationNames.specHash] ?? '',
    createdAtMs: Date.parse(metadata.creationTimestamp),
    deadlineSeconds: spec.activeDeadlineSeconds ?? null,
    runSeconds: runSecondsOf(metadata.annotations),
    isDeleting: metadata.deletionTimestamp !== undefined,
    isSuspended: spec.suspend ?? false,
    failure: failed === null ? null : reasonOf(failed),
    isComplete: isTrue(status.conditions, 'Complete') !== null,
    finishedAtMs: ended === null ? null : Date.parse(ended.lastTransitionTime ?? metadata.creationTimestamp),
  };
}

function runSecondsOf(annotations: Readonly<Record<string, string>>): number | null {
  const seconds = annotations[annotationNames.runSeconds];
  return seconds !== undefined && /^[1-9]\d{0,8}$/.test(seconds) ? Number(seconds) : null;
}

/** Reads of a pod what a scheduler needs. */
export function podFacts({ metadata, spec, status }: KubePod): PodFacts {
  const disruption = isTrue(status.conditions, 'DisruptionTarget');
  const unscheduled = status.conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  return {
    name: metadata.name,
    uid: metadata.uid,
    runId: metadata.labels[labelNames.run] ?? '',
    createdAtMs: Date.parse(metadata.creationTimestamp),
    isDeleting: metadata.deletionTimestamp !== undefined,
    nodeName: spec.nodeName ?? '',
    phase: status.phase,
    status: reasonOf(status),
    disruption: disruption === null ? null : reasonOf(disruption),
    unscheduled: unscheduled === undefined ? null : reasonOf(unscheduled),
    preflight: containerFacts(status.initContainerStatuses, containerNames.preflight),
    agent: containerFacts(status.containerStatuses, containerNames.agent),
  };
}

function isTrue(conditions: readonly Condition[], type: string): Condition | null {
  return conditions.find((condition) => condition.type === type && condition.status === 'True') ?? null;
}

const longestText = 300;

function reasonOf({
  reason = '',
  message = '',
}: {
  reason?: string | undefined;
  message?: string | undefined;
}): Reason {
  return { reason, message: message.slice(0, longestText) };
}

function containerFacts(statuses: readonly KubeContainerStatus[], name: string): ContainerFacts {
  const state = statuses.find((status) => status.name === name)?.state;
  if (state?.terminated !== undefined) {
    return { kind: 'terminated', exitCode: state.terminated.exitCode, ...reasonOf(state.terminated) };
  }
  if (state?.running !== undefined) return { kind: 'running' };
  return state?.waiting === undefined ? null : { kind: 'waiting', ...reasonOf(state.waiting) };
}
