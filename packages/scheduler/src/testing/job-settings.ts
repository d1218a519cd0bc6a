import { runIdOf } from '@drydock/core';
import type { JobRun, JobSettings } from '../launchers/kube/job-manifest.ts';
import { taskId } from './world-gateway.ts';

/** An installation of these tests. */
export const jobSettings: JobSettings = {
  namespace: 'drydock-tasks',
  instance: 'drydock',
  agentImage: 'drydock/agent:0.1.0',
  preflightImage: 'drydock/preflight:0.1.0',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  serviceAccountName: 'drydock-agent',
  gatewayUrl: 'http://gateway.drydock.internal:8081',
  gatewayIp: '10.96.0.7',
  preflightTargets: { hard: ['10.96.0.1:443', '10.96.0.10:53'], posture: ['$(DRYDOCK_HOST_IP):10250'] },
  startAllowanceSeconds: 300,
  graceSeconds: 20,
  keepSeconds: 600,
};

/** The first attempt at a review. */
export function aJobRun(): JobRun {
  return { runId: runIdOf(taskId, 1), taskId, kind: 'review', deadlineSeconds: 900 };
}
