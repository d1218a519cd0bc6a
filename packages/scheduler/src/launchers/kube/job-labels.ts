import type { RunId } from '@drydock/core';

/** Labels and annotations of what belongs to a run: its Job and its pod. */
export const labelNames = {
  name: 'app.kubernetes.io/name',
  managedBy: 'app.kubernetes.io/managed-by',
  run: 'drydock.dev/run',
  task: 'drydock.dev/task',
  launch: 'drydock.dev/launch',
  kind: 'drydock.dev/kind',
  instance: 'drydock.dev/instance',
} as const;

export const annotationNames = {
  taskId: 'drydock.dev/task-id',
  specHash: 'drydock.dev/spec-hash',
  /** How long its agent may work: settings change between a launch and an adoption. */
  runSeconds: 'drydock.dev/run-seconds',
} as const;

const agentName = 'drydock-agent';
const manager = 'drydock';

/** The labels of a run, on its Job and on its pod. */
export function runLabels(
  run: { readonly runId: RunId; readonly kind: string },
  instance: string,
): Record<string, string> {
  const [task = '', launch = ''] = run.runId.split('-');
  return {
    [labelNames.name]: agentName,
    [labelNames.managedBy]: manager,
    [labelNames.run]: run.runId,
    [labelNames.task]: task,
    [labelNames.launch]: launch,
    [labelNames.kind]: run.kind,
    [labelNames.instance]: instance,
  };
}

/** Chooses all Jobs and pods of an installation's runs, or of one run. */
export function runSelector(instance: string, runId?: RunId): string {
  const ours = `${labelNames.name}=${agentName},${labelNames.managedBy}=${manager},${labelNames.instance}=${instance}`;
  return runId === undefined ? ours : `${ours},${labelNames.run}=${runId}`;
}

/** Whether labels say that an object is of this run of this installation. */
export function isOfRun(labels: Readonly<Record<string, string>>, instance: string, runId: RunId): boolean {
  return (
    labels[labelNames.managedBy] === manager &&
    labels[labelNames.instance] === instance &&
    labels[labelNames.run] === runId
  );
}

/**
 * The name of a run's Job; every process computes the same one. A name is never used again: `spare`, from 1, is for one
 * that somebody else's object has.
 */
export function jobName(runId: RunId, spare = 0): string {
  return spare === 0 ? `dd-${runId}` : `dd-${runId}-x${String(spare)}`;
}
