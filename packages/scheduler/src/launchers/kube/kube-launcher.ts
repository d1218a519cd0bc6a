/**
 * Agents as Kubernetes Jobs, one pod each. They go on without their scheduler: another one finds the Job by the name of
 * the run and goes on with it.
 *
 *   run     create the Job (a name that exists is looked at: ours and the same, ours but another, somebody else's)
 *   adopt   find the Job, in what is held of the cluster or by asking
 *   follow  wait for what its states say (agent-end.ts), with limits for what Kubernetes itself waits for for ever
 *   end     delete the Job; what does not go in its grace time is taken away by force: its node may be lost
 *   forget  look once more, delete
 *
 * No reads in between: two watches tell of all runs. Every write is preceded by the question whether the task is still
 * ours, and carries the time in which it must be sent: who was frozen writes nothing.
 */
import { DrydockError, TransientError, type Clock, type Log, type ReachPoint, type RunId } from '@drydock/core';
import { jobs, pods, type CreateOutcome, type KubeClient, type KubeJob } from '@drydock/kube';
import { LeaveAgent, type AgentExit, type AgentLaunch, type Launcher, type LeftMs } from '../launcher.ts';
import { PodSettings } from '../pod-settings.ts';
import { annotationNames, isOfRun, jobName, runSelector } from './job-labels.ts';
import { buildJob, type JobSettings } from './job-manifest.ts';
import { followRun, type FollowTimes, type FollowedRun } from './follow-run.ts';
import type { KubeLauncherMetrics } from './kube-launcher-metrics.ts';
import type { RunBoard } from './run-board.ts';
import { findPodRefusal, type PodRefusal } from './refused-pod.ts';
import { jobFacts, type JobFacts, type PodFacts } from './run-facts.ts';

/** What the launcher needs to know. */
export interface KubeLauncherSettings extends JobSettings, FollowTimes {
  /** After so long a pod that was asked to go, and its node, are believed to be lost. Added to its grace time. */
  readonly fenceMs: number;
}

/** What the launcher works with. */
export interface KubeLauncherPorts {
  readonly client: KubeClient;
  readonly board: RunBoard;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: KubeLauncherMetrics;
  readonly reach?: ReachPoint | undefined;
}

const never = new AbortController().signal;
/** A create is worth some patience: what is not known to have been made costs a launch. */
const longestCreateMs = 30_000;
const callMs = 10_000;
const mostSpares = 3;
/** So long the garbage collector has to begin with a pod whose Job was deleted. */
const collectedMs = 5_000;
const kind = 'review';

type Mismatch = 'job-mismatch' | 'foreign-job';

/** Starts agents in a cluster. */
export class KubeLauncher implements Launcher {
  readonly credential = 'exchange';
  readonly outlivesUs = true;
  readonly #settings: KubeLauncherSettings;
  readonly #ports: KubeLauncherPorts;

  get startSeconds(): number {
    const { pendingLimitMs, startLimitMs, pullGraceMs } = this.#settings;
    return Math.ceil((pendingLimitMs + startLimitMs + 2 * pullGraceMs) / 1000); // each of two images may be late
  }

  constructor(settings: KubeLauncherSettings, ports: KubeLauncherPorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  async run(launch: AgentLaunch, signal: AbortSignal, leftMs: LeftMs = () => Infinity): Promise<AgentExit> {
    const stopped = stoppedBy(signal);
    if (stopped !== null) return stopped;
    const made = await this.#create(launch, signal, leftMs);
    if (!('uid' in made)) return made;
    this.#ports.reach?.('launch.started');
    launch.onBegun?.();
    return this.#follow({ job: made, deadlineSeconds: launch.deadlineSeconds, ageMs: 0 }, signal, leftMs);
  }

  async adopt(runId: RunId, signal: AbortSignal, leftMs: LeftMs): Promise<AgentExit | null> {
    const job = await this.#findOrLeave(runId, signal);
    if (job === null || !('uid' in job)) return job;
    const ageMs = Math.max(0, (this.#ports.client.serverTimeMs() ?? job.createdAtMs) - job.createdAtMs);
    return this.#follow({ job, deadlineSeconds: this.#runSecondsOf(job), ageMs }, signal, leftMs);
  }

  isAtWork(runId: RunId): boolean {
    const { board } = this.#ports;
    const held = board.podsOf(runId);
    if (held.length > 0 && held.every(isOver)) return false;
    return board.jobsOf(runId).some(({ isDeleting, finishedAtMs }) => !isDeleting && finishedAtMs === null);
  }

  /** Where the Job does not tell it: by what was added to it, if that is still the same. */
  #runSecondsOf({ runSeconds, deadlineSeconds }: JobFacts): number {
    return runSeconds ?? Math.max(0, (deadlineSeconds ?? 0) - this.#settings.startAllowanceSeconds);
  }

  async forget(runId: RunId, leftMs: LeftMs): Promise<void> {
    const held = this.#ports.board.jobsOf(runId);
    const names = held.length === 0 ? [jobName(runId)] : held.map(({ name }) => name);
    for (const name of names) await this.#forgetJob(runId, name, leftMs);
  }

  async #forgetJob(runId: RunId, name: string, leftMs: LeftMs): Promise<void> {
    const { client } = this.#ports;
    const { namespace, instance } = this.#settings;
    const job = await client.read(jobs, { namespace, name }, { signal: never, timeoutMs: callMs });
    if (job === null || !isOfRun(job.metadata.labels, instance, runId)) return;
    if (job.metadata.deletionTimestamp !== undefined) return;
    await this.#delete({ name, uid: job.metadata.uid }, leftMs);
  }

  async #create(launch: AgentLaunch, signal: AbortSignal, leftMs: LeftMs): Promise<JobFacts | AgentExit> {
    const { client, metrics } = this.#ports;
    const run = { runId: launch.runId, taskId: launch.taskId ?? '', kind, deadlineSeconds: launch.deadlineSeconds };
    // Once asked for, the Job is waited for also by who wants it no more: it can only be ended when it is known.
    using leaves = leaving(signal);
    const left = leaves.signal;
    for (let spare = 0; spare <= mostSpares; spare += 1) {
      const manifest = buildJob(run, this.#settings, launch.pod ?? PodSettings.parse({}), spare);
      let outcome: CreateOutcome<KubeJob>;
      try {
        const timeoutMs = Math.min(longestCreateMs, leftMs());
        outcome = await client.create(jobs, manifest, { signal: left, timeoutMs });
      } catch (error) {
        const stopped = stoppedBy(left);
        if (stopped !== null) return stopped;
        return refused(error);
      }
      if (outcome.kind === 'created') {
        metrics.jobCreated();
        return jobFacts(outcome.object);
      }
      const mismatch = this.#mismatch(outcome.object, launch.runId, manifest.metadata?.annotations ?? {});
      if (mismatch === null) return jobFacts(outcome.object);
      this.#alarm(mismatch, launch.runId, outcome.object.metadata.name);
      if (mismatch === 'job-mismatch') {
        return failed('infra', mismatch, 'there is a Job of this run that was asked for otherwise');
      }
    }
    return failed('config', 'foreign-job', 'the names for the Job are taken by objects of somebody else');
  }

  #mismatch(job: KubeJob, runId: RunId, asked: Readonly<Record<string, string>>): Mismatch | null {
    const { labels, annotations, deletionTimestamp } = job.metadata;
    if (!isOfRun(labels, this.#settings.instance, runId)) return 'foreign-job';
    const isSame = annotations[annotationNames.specHash] === asked[annotationNames.specHash];
    return isSame && deletionTimestamp === undefined ? null : 'job-mismatch';
  }

  #alarm(what: Mismatch, runId: RunId, name: string): void {
    this.#ports.metrics.alarm(what);
    this.#ports.log.error({ runId, jobName: name, reason: what }, 'the name of a Job is taken');
  }

  /** Also for who wants it no more: it can only be ended when it is known. */
  async #findOrLeave(runId: RunId, signal: AbortSignal): Promise<JobFacts | AgentExit | null> {
    using leaves = leaving(signal);
    try {
      return await this.#find(runId, leaves.signal);
    } catch (error) {
      const stopped = stoppedBy(leaves.signal);
      if (stopped !== null) return stopped;
      throw error;
    }
  }

  /** By what is held of the cluster; what is not in there is asked for, for it may only have come since. */
  async #find(runId: RunId, signal: AbortSignal): Promise<JobFacts | null> {
    const { client, board } = this.#ports;
    const { namespace, instance } = this.#settings;
    const alive = (found: readonly JobFacts[]) => found.find(({ isDeleting }) => !isDeleting) ?? null;
    const held = alive(board.jobsOf(runId));
    if (held !== null) return held;
    const query = { namespace, labelSelector: runSelector(instance, runId) };
    const { items } = await client.list(jobs, query, { signal, timeoutMs: callMs });
    return alive(items.map(jobFacts));
  }

  async #follow(run: FollowedRun, signal: AbortSignal, leftMs: LeftMs): Promise<AgentExit> {
    const { job } = run;
    const { board, clock, log, metrics } = this.#ports;
    const looked = { isThere: () => this.#isThere(job), whyNoPod: (end: AbortSignal) => this.#whyNoPod(job, end) };
    const exit = await followRun({ board, clock, log, metrics, ...looked }, this.#settings, run, signal);
    if (exit.kind === 'left') return exit;
    const areOver = board.podsOf(job.runId).every(isOver);
    // What ended by itself is kept until that is recorded; what did not, does so here.
    if (exit.kind === 'aborted' || exit.kind === 'timed-out' || (!areOver && hasBegun(exit))) {
      await this.#end(job, leftMs);
    }
    return exit;
  }

  async #isThere({ name, uid }: JobFacts): Promise<boolean> {
    const { namespace } = this.#settings;
    const found = await this.#ports.client.read(jobs, { namespace, name }, { signal: never, timeoutMs: callMs });
    return found?.metadata.uid === uid;
  }

  #whyNoPod({ uid }: JobFacts, signal: AbortSignal): Promise<PodRefusal | null> {
    const { namespace } = this.#settings;
    return findPodRefusal(this.#ports.client, { namespace, uid }, { signal, timeoutMs: callMs });
  }

  /**
   * Deletes a Job and waits for its pods to go. One that does not is on a node that is lost, as far as we can know: its
   * token is dead, so that it can do no harm, and it is taken off the books by force.
   */
  async #end(job: JobFacts, leftMs: LeftMs): Promise<void> {
    const { board, clock, log, metrics } = this.#ports;
    const { graceSeconds, fenceMs } = this.#settings;
    const startMs = clock.monotonicMs();
    const fenceAtMs = startMs + graceSeconds * 1000 + fenceMs;
    await this.#quietly(job, () => this.#delete(job, leftMs));
    const working = () => board.podsOf(job.runId).filter((pod) => !isOver(pod));
    const isGone = () => board.job(job.runId, job.uid) === null && working().length === 0;
    await this.#until(job.runId, isGone, startMs + collectedMs);
    for (const pod of working().filter(({ isDeleting }) => !isDeleting)) {
      await this.#quietly(job, () => this.#deletePod(pod, undefined, leftMs));
    }
    await this.#until(job.runId, () => working().length === 0, fenceAtMs);
    for (const pod of working()) {
      log.warn({ runId: job.runId, jobName: job.name, reason: pod.nodeName }, 'pod taken away by force');
      metrics.forced();
      await this.#quietly(job, () => this.#deletePod(pod, 0, leftMs));
    }
    await this.#until(job.runId, () => working().length === 0, clock.monotonicMs() + collectedMs);
  }

  async #until(runId: RunId, isSo: () => boolean, atMs: number): Promise<void> {
    const { board, clock } = this.#ports;
    for (let leftMs = atMs - clock.monotonicMs(); leftMs > 0 && !isSo(); leftMs = atMs - clock.monotonicMs()) {
      const changed = new AbortController();
      const unsubscribe = board.onRun(runId, () => {
        changed.abort();
      });
      await clock.sleep(leftMs, changed.signal);
      unsubscribe();
    }
  }

  async #delete({ name, uid }: Pick<JobFacts, 'name' | 'uid'>, leftMs: LeftMs): Promise<void> {
    const { namespace } = this.#settings;
    const timeoutMs = Math.min(callMs, leftMs());
    await this.#ports.client.delete(
      jobs,
      { namespace, name },
      { uid, propagation: 'Background', signal: never, timeoutMs },
    );
  }

  async #deletePod(
    { name, uid }: { readonly name: string; readonly uid: string },
    gracePeriodSeconds: number | undefined,
    leftMs: LeftMs,
  ): Promise<void> {
    const { namespace } = this.#settings;
    const how = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    const timeoutMs = Math.min(callMs, leftMs());
    await this.#ports.client.delete(pods, { namespace, name }, { uid, ...how, signal: never, timeoutMs });
  }

  /** What cannot be deleted now is Kubernetes' or the reaper's to remove; its token is dead. */
  async #quietly({ runId, name }: JobFacts, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      if (!(err instanceof TransientError)) throw err;
      this.#ports.log.warn({ runId, jobName: name, err }, 'not deleted for now');
    }
  }
}

function isOver({ phase }: PodFacts): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Of one that never began there is nothing to end: it is removed once its end is recorded. */
function hasBegun(exit: AgentExit): boolean {
  return exit.kind !== 'failed' || (exit.class !== 'config' && exit.class !== 'capacity');
}

function stoppedBy(signal: AbortSignal): AgentExit | null {
  if (!signal.aborted) return null;
  return signal.reason instanceof LeaveAgent ? { kind: 'left' } : { kind: 'aborted' };
}

/** Aborted only when the agent is to be left. Nothing of it stays with a signal that lasts as long as the run. */
function leaving(signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const left = new AbortController();
  const look = () => {
    if (signal.reason instanceof LeaveAgent) left.abort(signal.reason);
  };
  if (signal.aborted) look();
  signal.addEventListener('abort', look, { once: true });
  return {
    signal: left.signal,
    [Symbol.dispose]() {
      signal.removeEventListener('abort', look);
    },
  };
}

/** What the API server's refusal of a Job means. What is away or asks to wait is thrown on, for the queue to retry. */
function refused(error: unknown): AgentExit {
  if (!(error instanceof DrydockError)) throw error;
  const { code, message } = error;
  if (code === 'kube.quota') return failed('capacity', 'quota', message);
  if (code === 'kube.rejected' || code === 'kube.denied') return failed('config', 'rejected', message);
  throw error;
}

function failed(cls: 'infra' | 'capacity' | 'config', reason: string, message: string): AgentExit {
  return { kind: 'failed', class: cls, reason, message };
}
