import { describe, expect, it } from '@jest/globals';
import { aJob, aPod } from '../../testing/kube-facts.ts';
import { agentState, type AgentState } from './agent-end.ts';
import type { ContainerFacts, JobFacts, PodFacts } from './run-facts.ts';

const ended = (exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): ContainerFacts => ({
  kind: 'terminated',
  exitCode,
  reason,
  message: '',
});
const waiting = (reason: string): ContainerFacts => ({ kind: 'waiting', reason, message: '' });
const disruption = { reason: 'PreemptionByScheduler', message: 'preempted' };
const notBegun = { preflight: null, agent: null, phase: 'Pending' } as const;

/** In a few words: `ended infra NodeLost`, `pending image`, `running`. */
function told(state: AgentState): string {
  switch (state.kind) {
    case 'running':
      return 'running';
    case 'pending':
      return `pending ${state.why}`;
    case 'ended':
    case 'settling': {
      const { exit } = state;
      const what =
        exit.kind === 'failed' ? exit.class : exit.kind === 'exited' ? `exited ${String(exit.code)}` : exit.kind;
      return `${state.kind} ${what}`;
    }
  }
}

function ofPod(changes: Partial<PodFacts>, job: Partial<JobFacts> = {}): string {
  return told(agentState({ job: aJob(job), pods: [aPod(changes)], hadPod: true }));
}

describe('the state of an agent', () => {
  it.each<[string, Partial<PodFacts>, string]>([
    ['an agent at work', {}, 'running'],
    ['a preflight at work', { ...notBegun, preflight: { kind: 'running' } }, 'pending starting'],
    ['a pod just made', notBegun, 'pending starting'],
    ['no node', { ...notBegun, unscheduled: { reason: 'Unschedulable', message: '0/1 nodes' } }, 'pending unscheduled'],
    ['an image that is being fetched', { ...notBegun, preflight: waiting('ContainerCreating') }, 'pending starting'],
    ['ErrImagePull', { ...notBegun, preflight: waiting('ErrImagePull') }, 'pending image'],
    ['ImagePullBackOff of the agent', { agent: waiting('ImagePullBackOff'), phase: 'Pending' }, 'pending image'],
    ['InvalidImageName', { ...notBegun, preflight: waiting('InvalidImageName') }, 'ended config'],
    ['CreateContainerConfigError', { agent: waiting('CreateContainerConfigError') }, 'ended config'],
    ['CreateContainerError', { agent: waiting('CreateContainerError') }, 'pending container'],
    ['row 36: preempted, still ending', { isDeleting: true, disruption }, 'settling infra'],
    ['row 36: preempted, over', { phase: 'Failed', disruption, agent: ended(143) }, 'ended infra'],
    ['row 36: preempted though it ended with 0', { phase: 'Succeeded', disruption, agent: ended(0) }, 'ended infra'],
    [
      'row 37: on a lost node',
      { isDeleting: true, disruption: { reason: 'DeletionByTaintManager', message: '' } },
      'settling infra',
    ],
    ['row 35: OOM of the agent', { agent: ended(137, 'OOMKilled') }, 'ended oom'],
    [
      'reported 2: OOM of the agent, pod still Running',
      { phase: 'Running', agent: ended(137, 'OOMKilled') },
      'ended oom',
    ],
    ['reported 2: OOM of the preflight', { ...notBegun, preflight: ended(137, 'OOMKilled') }, 'ended oom'],
    [
      'OOM of the node',
      {
        phase: 'Failed',
        disruption: { reason: 'TerminationByKubelet', message: '' },
        status: { reason: 'Evicted', message: 'The node was low on resource: memory.' },
      },
      'ended infra',
    ],
    [
      'too much disk',
      {
        phase: 'Failed',
        status: {
          reason: 'Evicted',
          message: 'Pod ephemeral local storage usage exceeds the total limit of containers 2Gi.',
        },
      },
      'ended disk',
    ],
    [
      'a full emptyDir',
      {
        phase: 'Failed',
        status: { reason: 'Evicted', message: 'Usage of EmptyDir volume "work" exceeds the limit "1Gi".' },
      },
      'ended disk',
    ],
    [
      'a node low on disk',
      { phase: 'Failed', status: { reason: 'Evicted', message: 'The node was low on resource: ephemeral-storage.' } },
      'ended infra',
    ],
    [
      'reported 5: OutOfcpu',
      { ...notBegun, phase: 'Failed', status: { reason: 'OutOfcpu', message: 'Node did not have enough' } },
      'ended infra',
    ],
    [
      'reported 5: OutOfmemory',
      { ...notBegun, phase: 'Failed', status: { reason: 'OutOfmemory', message: '' } },
      'ended infra',
    ],
    [
      'reported 5: UnexpectedAdmissionError',
      { ...notBegun, phase: 'Failed', status: { reason: 'UnexpectedAdmissionError', message: '' } },
      'ended infra',
    ],
    [
      'reported 5: NodeAffinity',
      { ...notBegun, phase: 'Failed', status: { reason: 'NodeAffinity', message: '' } },
      'ended infra',
    ],
    [
      'a node that shuts down',
      { phase: 'Failed', status: { reason: 'Terminated', message: 'node shutdown' }, agent: ended(143) },
      'ended infra',
    ],
    ['sight lost', { phase: 'Failed', agent: ended(137, 'ContainerStatusUnknown') }, 'ended infra'],
    ['an agent that ended well', { phase: 'Succeeded', agent: ended(0) }, 'ended exited 0'],
    ['reported 34: Succeeded before the container', { phase: 'Succeeded' }, 'settling exited 0'],
    ['reported 34: the container before Succeeded', { phase: 'Running', agent: ended(0) }, 'ended exited 0'],
    ['reported 34: Failed before the container', { phase: 'Failed' }, 'settling infra'],
    ['an agent that failed', { phase: 'Failed', agent: ended(1) }, 'ended exited 1'],
    ['an agent that cannot be started', { phase: 'Failed', agent: ended(128, 'StartError') }, 'ended config'],
    ['an agent that says 42, which is not its to say', { phase: 'Failed', agent: ended(42) }, 'ended exited 42'],
    ['preflight 42', { ...notBegun, preflight: ended(42) }, 'ended isolation-unenforced'],
    [
      'preflight 42 of a pod that is taken away',
      { ...notBegun, preflight: ended(42), isDeleting: true, disruption },
      'ended isolation-unenforced',
    ],
    ['preflight 43', { ...notBegun, phase: 'Failed', preflight: ended(43) }, 'ended stale'],
    ['preflight 75', { ...notBegun, phase: 'Failed', preflight: ended(75) }, 'ended infra'],
    ['preflight 78', { ...notBegun, phase: 'Failed', preflight: ended(78) }, 'ended config'],
    ['preflight 78 of a pod that goes', { ...notBegun, preflight: ended(78), isDeleting: true }, 'ended config'],
    ['preflight killed', { ...notBegun, phase: 'Failed', preflight: ended(137) }, 'ended infra'],
    ['preflight broken', { ...notBegun, phase: 'Failed', preflight: ended(1) }, 'ended config'],
    ['a pod deleted by hand, still at work', { isDeleting: true }, 'settling infra'],
    ['a pod deleted by hand, ended', { isDeleting: true, agent: ended(143) }, 'settling infra'],
    ['a pod deleted by hand that had done its work', { isDeleting: true, agent: ended(0) }, 'ended exited 0'],
  ])('%s', (_name, changes, expected) => {
    expect(ofPod(changes)).toBe(expected);
  });

  it.each<[string, Partial<PodFacts> | null, Partial<JobFacts> | null, string]>([
    ['no pod yet', null, {}, 'settling infra'],
    [
      'row 38: past its deadline',
      { isDeleting: true },
      { failure: { reason: 'DeadlineExceeded', message: '' } },
      'ended timed-out',
    ],
    [
      'row 38: past its deadline, killed',
      { isDeleting: true, agent: ended(137) },
      { failure: { reason: 'DeadlineExceeded', message: '' } },
      'ended timed-out',
    ],
    [
      'row 38: past its deadline, pod gone',
      null,
      { failure: { reason: 'DeadlineExceeded', message: '' } },
      'ended timed-out',
    ],
    [
      'failed, and the pod is seen to work',
      {},
      { failure: { reason: 'BackoffLimitExceeded', message: '' } },
      'settling infra',
    ],
    [
      'failed, and the pod tells why',
      { phase: 'Failed', agent: ended(1) },
      { failure: { reason: 'BackoffLimitExceeded', message: '' } },
      'ended exited 1',
    ],
    [
      'failed, and the pod is gone',
      null,
      { failure: { reason: 'BackoffLimitExceeded', message: '' } },
      'settling infra',
    ],
    [
      'failed for a disruption',
      null,
      {
        failure: {
          reason: 'PodFailurePolicy',
          message: 'Pod a/b has condition DisruptionTarget matching FailJob rule at index 0',
        },
      },
      'settling infra',
    ],
    [
      'failed for its isolation',
      null,
      {
        failure: {
          reason: 'PodFailurePolicy',
          message: 'Container preflight for pod a/b failed with exit code 42 matching FailJob rule at index 1',
        },
      },
      'ended isolation-unenforced',
    ],
    ['complete, and the pod is gone', null, { isComplete: true }, 'settling exited 0'],
    ['reported 1: pod gone', null, {}, 'settling infra'],
    ['row 40: Job gone', null, null, 'settling infra'],
    ['row 40: Job gone, pod left', {}, null, 'running'],
    ['row 40: Job gone, pod had ended', { phase: 'Succeeded', agent: ended(0) }, null, 'ended exited 0'],
  ])('of a Job: %s', (_name, pod, job, expected) => {
    const observed = { job: job === null ? null : aJob(job), pods: pod === null ? [] : [aPod(pod)], hadPod: true };

    expect(told(agentState(observed))).toBe(expected);
  });

  it.each<[Partial<JobFacts>, string]>([
    [{}, 'pending no-pod'],
    [{ isSuspended: true }, 'pending suspended'],
    [{ isDeleting: true }, 'settling infra'],
  ])('of a Job that had no pod yet: %j', (job, expected) => {
    expect(told(agentState({ job: aJob(job), pods: [], hadPod: false }))).toBe(expected);
  });

  it.each<[string, Partial<PodFacts>, string]>([
    ['that was sent away', { ...notBegun, phase: 'Failed', preflight: ended(43) }, 'running'],
    ['that waits', notBegun, 'running'],
    ['that was let out', { ...notBegun, preflight: ended(42) }, 'ended isolation-unenforced'],
  ])('row 39: a second pod %s changes nothing for the first', (_name, changes, expected) => {
    const second = aPod({ name: 'zz', uid: 'second', createdAtMs: 1, ...changes });

    for (const pods of [
      [aPod(), second],
      [second, aPod()],
    ]) {
      expect(told(agentState({ job: aJob(), pods, hadPod: true }))).toBe(expected);
    }
  });

  it('tells why in words', () => {
    const status = { reason: 'OutOfcpu', message: 'Node did not have enough resource: cpu' };

    expect(agentState({ job: aJob(), pods: [aPod({ ...notBegun, phase: 'Failed', status })], hadPod: true })).toEqual({
      kind: 'ended',
      exit: { kind: 'failed', class: 'infra', ...status },
    });
  });
});
