import type { JobFacts, PodFacts } from '../launchers/kube/run-facts.ts';

const runId = '0123456789abcdef-1';

/** A Job whose pod works. */
export function aJob(changes: Partial<JobFacts> = {}): JobFacts {
  return {
    name: `dd-${runId}`,
    uid: 'job-uid',
    resourceVersion: '1',
    runId,
    taskId: 'review:gitlab:42:7',
    specHash: 'a'.repeat(32),
    createdAtMs: 0,
    isDeleting: false,
    deadlineSeconds: 1200,
    runSeconds: 900,
    isSuspended: false,
    failure: null,
    isComplete: false,
    finishedAtMs: null,
    ...changes,
  };
}

/** A pod whose agent works. */
export function aPod(changes: Partial<PodFacts> = {}): PodFacts {
  return {
    name: `dd-${runId}-abcde`,
    uid: 'pod-uid',
    runId,
    createdAtMs: 0,
    isDeleting: false,
    nodeName: 'node0',
    phase: 'Running',
    status: { reason: '', message: '' },
    disruption: null,
    unscheduled: null,
    preflight: { kind: 'terminated', exitCode: 0, reason: 'Completed', message: '' },
    agent: { kind: 'running' },
    ...changes,
  };
}
