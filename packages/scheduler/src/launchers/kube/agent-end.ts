/**
 * What the state of a Job and its pod says of the agent in them. Kubernetes writes that state in several steps, by
 * several hands, and two watches bring it in any order; a step that may yet be explained by the next is `settling`, with
 * what it means if nothing more comes.
 *
 *   Kubernetes says                                                    what it means
 *   -----------------------------------------------------------------  ---------------------------------------
 *   preflight exits 42, and only the preflight                         isolation-unenforced
 *   agent exits                                                        exited: the gateway's result decides
 *   OOMKilled, of either container                                     oom
 *   evicted for its own disk, with no disruption                       disk
 *   the Job's deadline                                                 timed-out
 *   disruption (preempted, drained, tainted, pressure, pod GC),        infra
 *   node lost, refused by the kubelet (OutOf…), pod or Job gone
 *   image cannot be pulled, wrong name, container cannot be made       config, some of it after a grace time
 *   no node takes the pod, no pod is made                              capacity, after the limit of waiting
 *   no pod is made, and an event says that admission refuses it        config, after a grace time
 *   preflight exits 43; 75; 78                                         stale; infra; config
 */
import { containerNames, failureRules, preflightExitCodes } from './job-manifest.ts';
import type { AgentExit, FailureClass } from '../launcher.ts';
import type { ContainerFacts, JobFacts, PodFacts } from './run-facts.ts';

/** Why an agent is not at work yet; each has a limit of its own. */
export type PendingWhy = 'no-pod' | 'unscheduled' | 'image' | 'container' | 'starting' | 'suspended';

/** How it is with an agent. */
export type AgentState =
  | { readonly kind: 'pending'; readonly why: PendingWhy; readonly reason: string; readonly message: string }
  | { readonly kind: 'running' }
  /** Over or going, but why may yet be told; `exit` is what it means if it is not. */
  | { readonly kind: 'settling'; readonly exit: AgentExit }
  | { readonly kind: 'ended'; readonly exit: AgentExit };

/** What is known of one run. `hadPod`: there was a pod at some time. */
export interface ObservedRun {
  /** Null: there is none, although there was. */
  readonly job: JobFacts | null;
  readonly pods: readonly PodFacts[];
  readonly hadPod: boolean;
}

/** The state of a run's agent. */
export function agentState({ job, pods, hadPod }: ObservedRun): AgentState {
  const first = foremost(pods.toSorted(byAge).map((pod) => podState(pod, job)));
  if (first?.kind === 'ended') return first;
  if (job?.failure !== undefined && job.failure !== null) return failedJob(job.failure, first);
  if (first?.kind === 'running' || first?.kind === 'settling') return first;
  if (job === null) return settling(failed('infra', 'job-gone', 'the Job was deleted'));
  if (job.isComplete) return first ?? settling(exited(0));
  if (first !== undefined) return first;
  if (hadPod) return settling(failed('infra', 'pod-gone', 'the pod was deleted'));
  if (job.isDeleting) return settling(failed('infra', 'job-gone', 'the Job is being deleted'));
  if (job.isSuspended)
    return { kind: 'pending', why: 'suspended', reason: 'Suspended', message: 'the Job is suspended' };
  return { kind: 'pending', why: 'no-pod', reason: 'NoPod', message: 'no pod was made for the Job' };
}

/**
 * Kubernetes does not rule out a second pod. Only one of them can have a token: what the gateway sent away tells nothing
 * of the other.
 */
function foremost(states: readonly AgentState[]): AgentState | undefined {
  const isClass = (state: AgentState, cls: FailureClass) =>
    state.kind === 'ended' && state.exit.kind === 'failed' && state.exit.class === cls;
  const unenforced = states.find((state) => isClass(state, 'isolation-unenforced'));
  const able = states.filter((state) => !isClass(state, 'stale'));
  const of = (kind: AgentState['kind']) => able.find((state) => state.kind === kind);
  return unenforced ?? of('running') ?? of('ended') ?? of('settling') ?? able[0] ?? states[0];
}

function byAge(one: PodFacts, other: PodFacts): number {
  return one.createdAtMs - other.createdAtMs || (one.name < other.name ? -1 : 1);
}

function podState(pod: PodFacts, job: JobFacts | null): AgentState {
  const { preflight, agent, disruption } = pod;
  // Before all else: nothing may hide that a pod was let out.
  if (preflight?.kind === 'terminated' && preflight.exitCode === preflightExitCodes.isolationNotEnforced) {
    return ended(failed('isolation-unenforced', 'preflight-42', 'the isolation of a pod is not enforced'));
  }
  if (agent?.kind === 'terminated' && agent.exitCode === 0 && disruption === null) return ended(exited(0));
  if (isOom(preflight) || isOom(agent)) {
    return ended(failed('oom', 'OOMKilled', 'the agent used more memory than it may'));
  }
  const isOver = pod.phase === 'Failed' || pod.phase === 'Succeeded' || agent?.kind === 'terminated';
  if (disruption !== null && (isOver || pod.isDeleting)) {
    const exit = failed(
      'infra',
      disruption.reason || 'DisruptionTarget',
      disruption.message || 'the pod was taken away',
    );
    return isOver ? ended(exit) : settling(exit);
  }
  if (pod.phase === 'Failed' || pod.phase === 'Succeeded') return overState(pod, job);
  if (agent?.kind === 'terminated') return agentExit(agent, pod, job);
  if (preflight?.kind === 'terminated' && preflight.exitCode !== 0) return preflightExit(preflight, pod);
  if (pod.isDeleting) return settling(failed('infra', 'pod-deleted', 'the pod is being deleted'));
  return startState(pod);
}

/** The phase may show before the containers' last states do, and the other way round. */
function overState(pod: PodFacts, job: JobFacts | null): AgentState {
  const { agent, preflight, status } = pod;
  if (status.reason === 'Evicted') return ended(evicted(status.message));
  if (status.reason === 'DeadlineExceeded') return ended({ kind: 'timed-out' });
  if (status.reason !== '') return ended(failed('infra', status.reason, status.message || 'the node refused the pod'));
  if (agent?.kind === 'terminated') return agentExit(agent, pod, job);
  if (preflight?.kind === 'terminated' && preflight.exitCode !== 0) return preflightExit(preflight, pod);
  if (pod.phase === 'Succeeded') return settling(exited(0));
  return settling(failed('infra', 'pod-failed', 'the pod failed and nothing says why'));
}

const ownDisk = /ephemeral|emptydir|local storage/i;

function evicted(message: string): AgentExit {
  if (ownDisk.test(message) && !/low on resource/i.test(message)) {
    return failed('disk', 'Evicted', 'the agent used more disk than it may');
  }
  return failed('infra', 'Evicted', message || 'the pod was evicted');
}

type Terminated = Extract<ContainerFacts, { kind: 'terminated' }>;

const killedCodes: ReadonlySet<number> = new Set([137, 143]);

function agentExit(agent: Terminated, pod: PodFacts, job: JobFacts | null): AgentState {
  if (agent.reason === 'ContainerStatusUnknown') {
    return ended(failed('infra', agent.reason, 'the node lost sight of the agent'));
  }
  if (agent.reason === 'StartError' || agent.reason === 'ContainerCannotRun') {
    return ended(failed('config', agent.reason, agent.message || 'the agent cannot be started'));
  }
  // Somebody is ending it, and the Job may be about to say that it was for its deadline.
  if (pod.isDeleting && agent.exitCode !== 0 && job?.failure?.reason !== 'DeadlineExceeded') {
    return settling(failed('infra', 'pod-deleted', 'the pod was deleted'));
  }
  if (job?.failure?.reason === 'DeadlineExceeded') return ended({ kind: 'timed-out' });
  return ended(exited(agent.exitCode));
}

function preflightExit({ exitCode, reason, message }: Terminated, pod: PodFacts): AgentState {
  if (exitCode === preflightExitCodes.exchangeRefused) {
    return ended(failed('stale', 'preflight-43', 'the gateway gave the pod no token: its run is over'));
  }
  if (exitCode === preflightExitCodes.gatewayUnreachable) {
    return ended(failed('infra', 'preflight-75', 'the pod did not reach the gateway'));
  }
  if (exitCode === preflightExitCodes.badConfig) {
    const why = 'a setting of the preflight is wrong, or the gateway does not understand it';
    return ended(failed('config', 'preflight-78', message || why));
  }
  if (pod.isDeleting) return settling(failed('infra', 'pod-deleted', 'the pod was deleted'));
  if (killedCodes.has(exitCode) || reason === 'ContainerStatusUnknown') {
    return ended(failed('infra', reason || 'killed', 'the preflight was killed'));
  }
  return ended(failed('config', reason || 'Error', message || `the preflight ended with ${String(exitCode)}`));
}

const namesNoImage: ReadonlySet<string> = new Set(['InvalidImageName', 'ErrImageNeverPull']);
const pulling: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);
const neverStarts: ReadonlySet<string> = new Set(['CreateContainerConfigError']);
const startsBadly: ReadonlySet<string> = new Set([
  'CreateContainerError',
  'RunContainerError',
  'PreStartHookError',
  'CrashLoopBackOff',
]);

function startState(pod: PodFacts): AgentState {
  if (pod.agent?.kind === 'running') return { kind: 'running' };
  const containers: [string, ContainerFacts][] = [
    [containerNames.preflight, pod.preflight],
    [containerNames.agent, pod.agent],
  ];
  for (const [name, container] of containers) {
    if (container?.kind !== 'waiting') continue;
    const { reason } = container;
    const message = container.message || `container ${name}: ${reason}`;
    if (namesNoImage.has(reason) || neverStarts.has(reason)) return ended(failed('config', reason, message));
    if (pulling.has(reason)) return { kind: 'pending', why: 'image', reason, message };
    if (startsBadly.has(reason)) return { kind: 'pending', why: 'container', reason, message };
  }
  if (pod.unscheduled !== null) return { kind: 'pending', why: 'unscheduled', ...pod.unscheduled };
  return { kind: 'pending', why: 'starting', reason: 'Starting', message: 'the pod has not begun its agent' };
}

/** The Job has its verdict. The pod, if it is still known, tells more of it, now or in a moment. */
function failedJob({ reason, message }: { reason: string; message: string }, pod: AgentState | undefined): AgentState {
  if (reason === 'DeadlineExceeded') return ended({ kind: 'timed-out' });
  if (reason === 'PodFailurePolicy') {
    if (message.includes(`rule at index ${String(failureRules.isolation)}`)) {
      return ended(failed('isolation-unenforced', 'preflight-42', 'the isolation of a pod is not enforced'));
    }
    return settling(failed('infra', 'DisruptionTarget', 'the pod was taken away'));
  }
  if (pod?.kind === 'settling') return pod;
  return settling(failed('infra', reason || 'job-failed', 'the pod is gone and nothing says why'));
}

function isOom(container: ContainerFacts): boolean {
  return container?.kind === 'terminated' && container.reason === 'OOMKilled';
}

function exited(code: number): AgentExit {
  return { kind: 'exited', code, signal: null, lastWords: '' };
}

function failed(cls: FailureClass, reason: string, message: string): AgentExit {
  return { kind: 'failed', class: cls, reason, message };
}

function settling(exit: AgentExit): AgentState {
  return { kind: 'settling', exit };
}

function ended(exit: AgentExit): AgentState {
  return { kind: 'ended', exit };
}
