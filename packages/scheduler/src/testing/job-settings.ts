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
  preflightEnv: {},
  startAllowanceSeconds: 300,
  graceSeconds: 20,
  keepSeconds: 600,
};

/** The first attempt at a review. */
export function aJobRun(): JobRun {
  return { runId: runIdOf(taskId, 1), taskId, kind: 'review', deadlineSeconds: 900 };
}
