import { createHash } from 'node:crypto';
import type { RunId, TaskId } from '@drydock/core';
import type { V1Job, V1PodSpec } from '@drydock/kube';
import { annotationNames, jobName, runLabels } from './job-labels.ts';
import type { PodSettings } from '../pod-settings.ts';

/** One attempt, as its Job needs to know it. */
export interface JobRun {
  readonly runId: RunId;
  readonly taskId: TaskId;
  /** What the task is about, such as `review`. */
  readonly kind: string;
  readonly deadlineSeconds: number;
}

/** What is the same for all Jobs of an installation. */
export interface JobSettings {
  readonly namespace: string;
  /** Names the installation: two of them may share a namespace without seeing each other's Jobs. */
  readonly instance: string;
  readonly agentImage: string;
  readonly preflightImage: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Names of the namespace's secrets that the kubelet pulls the images with; no container sees them. */
  readonly imagePullSecrets: readonly string[];
  readonly serviceAccountName: string;
  /** Where agents find the gateway; its name is resolved by `gatewayIp` alone, for a pod has no DNS. */
  readonly gatewayUrl: string;
  readonly gatewayIp: string;
  /** Addresses that must not answer an agent, and those that are only tried and told; `$(DRYDOCK_HOST_IP)` is its node. */
  readonly preflightTargets: { readonly hard: readonly string[]; readonly posture: readonly string[] };
  /** How long a pod may take until its agent runs; it is added to the run's own time. */
  readonly startAllowanceSeconds: number;
  /** Between asking an agent to end and killing it. */
  readonly graceSeconds: number;
  /** How long Kubernetes keeps a finished Job that nobody deleted. */
  readonly keepSeconds: number;
}

/** uid and gid of agents; the images say the same. */
const agentUser = 10001;
const audience = 'drydock-gateway';
const places = { identity: '/var/run/drydock/identity', run: '/var/run/drydock/run', work: '/work' };
/** The kubelet gives none for less. */
const identitySeconds = 600;
/** How long a pod may stay bound to a node that does not answer; Kubernetes' own default is five minutes. */
const lostNodeSeconds = 60;
/** The preflight's own, small: it only connects, asks once and ends. */
const preflightResources = { cpu: '250m', memory: '128Mi', 'ephemeral-storage': '64Mi' };

export const containerNames = { preflight: 'preflight', agent: 'agent' } as const;

/** How the preflight ends when it gives no token; any other code is none of its own. */
export const preflightExitCodes = {
  isolationNotEnforced: 42,
  exchangeRefused: 43,
  gatewayUnreachable: 75,
  badConfig: 78,
} as const;

/** Rules of the Job's `podFailurePolicy`, by their index: a failed Job names the one that matched. */
export const failureRules = { disruption: 0, isolation: 1 } as const;

/**
 * The Job of one attempt. Its name derives from the run alone, so whoever makes it again is told that it exists; the
 * annotation with its hash tells whether that one is the same.
 */
export function buildJob(run: JobRun, settings: JobSettings, pod: PodSettings, spare = 0): V1Job {
  const labels = runLabels(run, settings.instance);
  const spec: NonNullable<V1Job['spec']> = {
    parallelism: 1,
    completions: 1,
    backoffLimit: 0, // the queue retries
    podReplacementPolicy: 'Failed', // else a pod that is being deleted gets a twin
    podFailurePolicy: {
      rules: [
        { action: 'FailJob', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        {
          action: 'FailJob',
          onExitCodes: {
            containerName: containerNames.preflight,
            operator: 'In',
            values: [preflightExitCodes.isolationNotEnforced],
          },
        },
      ],
    },
    activeDeadlineSeconds: run.deadlineSeconds + settings.startAllowanceSeconds,
    ttlSecondsAfterFinished: settings.keepSeconds,
    template: { metadata: { labels }, spec: podSpec(run, settings, pod) },
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(run.runId, spare),
      namespace: settings.namespace,
      labels,
      annotations: {
        [annotationNames.taskId]: run.taskId,
        [annotationNames.specHash]: specHash({ labels, spec }),
        [annotationNames.runSeconds]: String(run.deadlineSeconds),
      },
    },
    spec,
  };
}

function podSpec(run: JobRun, settings: JobSettings, pod: PodSettings): V1PodSpec {
  const { imagePullPolicy } = settings;
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: agentUser,
    runAsGroup: agentUser,
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const gatewayUrl = { name: 'DRYDOCK_GATEWAY_URL', value: settings.gatewayUrl };
  const tokenFile = { name: 'DRYDOCK_RUN_TOKEN_FILE', value: `${places.run}/run-token` };
  return {
    restartPolicy: 'Never',
    serviceAccountName: settings.serviceAccountName,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    hostNetwork: false,
    hostPID: false,
    hostIPC: false,
    shareProcessNamespace: false,
    ...(pod.hostUsers ? {} : { hostUsers: false }),
    ...(pod.runtimeClassName === null ? {} : { runtimeClassName: pod.runtimeClassName }),
    ...(pod.priorityClassName === null ? {} : { priorityClassName: pod.priorityClassName }),
    ...(settings.imagePullSecrets.length === 0
      ? {}
      : { imagePullSecrets: settings.imagePullSecrets.map((name) => ({ name })) }),
    terminationGracePeriodSeconds: settings.graceSeconds,
    // No DNS: a name server that answers nothing, and one name.
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['127.0.0.1'] },
    hostAliases: [{ ip: settings.gatewayIp, hostnames: [new URL(settings.gatewayUrl).hostname] }],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: agentUser,
      runAsGroup: agentUser,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    nodeSelector: { ...pod.nodeSelector },
    tolerations: [
      ...pod.tolerations.map(tolerationOf),
      ...['not-ready', 'unreachable'].map((taint) => ({
        key: `node.kubernetes.io/${taint}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: lostNodeSeconds,
      })),
    ],
    initContainers: [
      {
        name: containerNames.preflight,
        image: settings.preflightImage,
        imagePullPolicy,
        env: [
          gatewayUrl,
          { name: 'DRYDOCK_RUN_ID', value: run.runId },
          { name: 'DRYDOCK_IDENTITY_TOKEN_FILE', value: `${places.identity}/token` },
          tokenFile,
          { name: 'DRYDOCK_HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
          { name: 'DRYDOCK_PREFLIGHT_TARGETS', value: JSON.stringify(settings.preflightTargets) },
        ],
        resources: { requests: preflightResources, limits: preflightResources },
        securityContext,
        terminationMessagePolicy: 'FallbackToLogsOnError', // what it found stands in the pod's status; it never writes a token
        volumeMounts: [
          { name: 'identity', mountPath: places.identity, readOnly: true },
          { name: 'run', mountPath: places.run },
        ],
      },
    ],
    containers: [
      {
        name: containerNames.agent,
        image: settings.agentImage,
        imagePullPolicy,
        env: [
          gatewayUrl,
          tokenFile,
          { name: 'DRYDOCK_WORK_DIR', value: places.work },
          { name: 'HOME', value: `${places.work}/home` },
        ],
        resources: agentResources(pod),
        securityContext,
        volumeMounts: [
          { name: 'run', mountPath: places.run, readOnly: true },
          { name: 'work', mountPath: places.work },
        ],
      },
    ],
    volumes: [
      {
        name: 'identity',
        projected: {
          defaultMode: 0o400,
          sources: [{ serviceAccountToken: { audience, expirationSeconds: identitySeconds, path: 'token' } }],
        },
      },
      { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'work', emptyDir: { sizeLimit: pod.workSize } },
    ],
  };
}

function tolerationOf({ key, operator, value, effect, tolerationSeconds }: PodSettings['tolerations'][number]) {
  return {
    ...(key === undefined ? {} : { key }),
    ...(operator === undefined ? {} : { operator }),
    ...(value === undefined ? {} : { value }),
    ...(effect === undefined ? {} : { effect }),
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  };
}

function agentResources({ cpu, memory, ephemeralStorage }: PodSettings) {
  const amounts = { cpu, memory, 'ephemeral-storage': ephemeralStorage };
  return { requests: amounts, limits: amounts };
}

/** Of all that was asked for, but not of the name, which another may have taken. */
function specHash(asked: unknown): string {
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 32);
}
