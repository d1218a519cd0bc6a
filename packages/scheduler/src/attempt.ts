/**
 * One attempt at a task: a launch is granted by the gateway, its agent runs to its end, and what came of it is read. An
 * attempt of an earlier scheduler whose agent outlived it is gone on with instead.
 *
 * A launch is begun once: whoever takes the task over either finds the agent of that launch, or begins the next.
 */
import {
  DrydockError,
  Secret,
  StaleError,
  attemptOf,
  longestStartSeconds,
  runIdOf,
  unreachable,
  type DiffRefs,
  type MergeRequest,
  type RunGrant,
  type RunId,
  type RunView,
  type Sha,
  type Trigger,
} from '@drydock/core';
import type { LeasedTask } from '@drydock/queue';
import type { Ending } from './ending.ts';
import { disruptionsOf, ranOutOfMemory } from './failure-ending.ts';
import { StopSignal, type Heartbeat } from './heartbeat.ts';
import type { AgentExit, Launcher } from './launchers/launcher.ts';
import { PodSettings, podAfterOom } from './launchers/pod-settings.ts';
import type { AppliedPolicy } from './policies/policy-source.ts';
import { adoptAgent, revoke, runAgent } from './run-agent.ts';
import { ifAnswered } from './if-answered.ts';
import { endingOfRun } from './task-ending.ts';
import type { TaskNote } from './task-note.ts';
import type { SharedWork, TaskPorts } from './task-ports.ts';

/** What a task in hand is worked on with. */
export interface HeldTask {
  readonly heartbeat: Heartbeat;
  /** Aborted when the work is to stop. */
  readonly signal: AbortSignal;
  readonly note: TaskNote;
  /** Told once an agent of the task is at work. */
  readonly onBegun: () => void;
}

/** What came of an attempt: a review to be published, or how the work on the task ends. */
export type AttemptEnd =
  | { readonly kind: 'review'; readonly run: RunView }
  | { readonly kind: 'over-budget'; readonly headSha: Sha; readonly why: string }
  | { readonly kind: 'ending'; readonly ending: Ending };

/** An agent of an earlier scheduler that ended in our hands. */
export interface EndedAgent {
  readonly headSha: Sha;
  readonly exit: AgentExit;
  readonly runId: RunId;
}

type Granted = Extract<RunGrant, { kind: 'granted' | 'to-exchange' }>;

const defaultPod = PodSettings.parse({});

/** The attempts of one task in hand. */
export class Attempt {
  readonly #ports: TaskPorts & SharedWork;
  readonly #task: LeasedTask;
  readonly #held: HeldTask;
  /** Runs of which something may be left. */
  readonly #begun = new Set<RunId>();
  /** An agent works that goes on when we stop. */
  isLeft = false;
  /**
   * One of an earlier scheduler may be at work that was not found yet. Until it is, the task keeps its lease: whoever got
   * it anew would know nothing of that agent and begin another.
   */
  isUnfound: boolean;
  /** An agent ran for the task: here, or before it was taken over. */
  hasRun = false;
  /** What befell the last agent; null: nothing but its own doing. */
  failureClass: string | null = null;
  #policy: Pick<AppliedPolicy, 'name' | 'review'> | null = null;
  #pod: PodSettings;

  constructor(ports: TaskPorts & SharedWork, task: LeasedTask, held: HeldTask) {
    this.#ports = ports;
    this.#task = task;
    this.#held = held;
    this.#pod = ports.pod ?? defaultPod;
    this.isUnfound = this.#wasTakenOver || (task.launch > 0 && ports.launcher.isAtWork(this.#lastRunId));
  }

  get #lastRunId(): RunId {
    return runIdOf(this.#task.taskId, this.#task.launch);
  }

  /** With a launch whose agent may have outlived its scheduler. */
  get #wasTakenOver(): boolean {
    const { launch, adopted } = this.#task;
    return this.#ports.launcher.outlivesUs && adopted !== null && adopted.state !== 'leased' && launch > 0;
  }

  /** From now on attempts are made as this policy says. */
  under({ name, review, pod }: AppliedPolicy): void {
    this.#policy = { name, review };
    this.#pod = pod;
  }

  /** Runs a new launch, which the queue has recorded. */
  async run(launch: number, diffRefs: DiffRefs, trigger: Trigger, waitedMs: number): Promise<AttemptEnd> {
    const { gateway, launcher, reach } = this.#ports;
    const { taskId, subject } = this.#task;
    const { headSha } = diffRefs;
    this.#held.heartbeat.check();
    const credential = launcher.credential === 'exchange' ? exchangeOf(launcher) : {};
    const { name = null, review } = this.#policy ?? {};
    const policy = name === null || review === undefined ? {} : { policy: { name, review } };
    const grant = await gateway.startRun(
      { v: 1, taskId, launch, subject, diffRefs, trigger, ...credential, ...policy },
      this.#held.signal,
    );
    switch (grant.kind) {
      case 'skip':
        return this.#skipped(headSha, grant);
      case 'over-budget':
        return { kind: 'over-budget', headSha, why: grant.why };
      case 'granted':
      case 'to-exchange':
        reach?.('launch.granted');
        return await this.#afterRun(headSha, await this.#runAgent(headSha, launch, grant, waitedMs), grant.runId);
      default:
        return unreachable(grant);
    }
  }

  /**
   * Goes on with the launch of an earlier scheduler if it is still what the merge request wants: the head is the same, and
   * the gateway has not ended its run. Null: there is nothing to go on with.
   *
   * Who cannot be asked has not said no: without a merge request, or an answer of the gateway, the agent is gone on with.
   * Its run was granted, a push ends it by way of the queue, and before anything is published all of it is asked again.
   */
  async adopt(mergeRequest: MergeRequest | null): Promise<EndedAgent | null> {
    const { gateway, log } = this.#ports;
    const { launch, adopted } = this.#task;
    const { signal, heartbeat } = this.#held;
    if (!this.#wasTakenOver || adopted === null || adopted.headSha === null || adopted.isLast) return null;
    const { headSha } = adopted;
    if (mergeRequest !== null && (mergeRequest.state !== 'opened' || mergeRequest.headSha !== headSha)) return null;
    const runId = this.#lastRunId;
    const run = await ifAnswered(log, signal, () => gateway.readRun(runId, signal));
    if (run.kind === 'answered' && (run.answer === null || run.answer.isRevoked)) return null;
    this.#held.onBegun();
    const exit = await this.#follow(runId, launch, () => adoptAgent(this.#ports, runId, signal, heartbeat.leftMs));
    if (exit === null) {
      log.info({ runId, launch }, 'nothing to adopt');
      return null;
    }
    return { headSha, exit, runId };
  }

  /** What came of an agent that was adopted. */
  async conclude({ headSha, exit, runId }: EndedAgent): Promise<AttemptEnd> {
    return await this.#afterRun(headSha, exit, runId);
  }

  /** Ends what an earlier scheduler began and nobody wants any more. */
  async drop(): Promise<void> {
    if (!this.#wasTakenOver && !this.isUnfound) return;
    const runId = this.#lastRunId;
    this.#held.heartbeat.check();
    await revoke(this.#ports, runId);
    await this.#forget(runId, this.#held.heartbeat.leftMs);
    this.#begun.delete(runId);
    this.isUnfound = false;
  }

  /** As `drop`, for a task that is about to be recorded: what is left of the run is removed after that. */
  async disown(): Promise<void> {
    this.#begun.add(this.#lastRunId);
    await revoke(this.#ports, this.#lastRunId);
  }

  /** A run of the task of which something may be left, whoever began it. */
  began(runId: RunId): void {
    this.#begun.add(runId);
    this.hasRun = true;
  }

  /** Removes what the runs have left; their end is recorded, so nobody looks for them any more. */
  async forget(): Promise<void> {
    for (const runId of this.#begun) await this.#forget(runId, () => Infinity);
  }

  /** What is left for now is removed in its time by Kubernetes, or by the reaper. */
  async #forget(runId: RunId, leftMs: () => number): Promise<void> {
    try {
      await this.#ports.launcher.forget(runId, leftMs);
    } catch (err) {
      // A missing right must not end the scheduler: its tasks end well.
      if (!(err instanceof DrydockError) || err instanceof StaleError) throw err;
      this.#ports.log.warn({ runId, code: err.code, err }, 'what a run has left stays for now');
    }
  }

  async #skipped(headSha: Sha, grant: Extract<RunGrant, { kind: 'skip' }>): Promise<AttemptEnd> {
    const { log, metrics } = this.#ports;
    const { note } = this.#held;
    log.info({ decision: 'skip', reason: grant.why }, 'decided');
    metrics.decided('skip', grant.why);
    await note.show({ kind: 'skipped', headSha, why: grant.detail }, note.isAsked || isWorthANote(grant));
    return { kind: 'ending', ending: { kind: 'complete', outcome: { kind: 'skipped', why: grant.why } } };
  }

  async #runAgent(headSha: Sha, launch: number, grant: Granted, waitedMs: number): Promise<AgentExit> {
    const { log, metrics, reach } = this.#ports;
    const { runId, deadlineSeconds } = grant;
    const token = grant.kind === 'granted' ? new Secret(grant.token) : null;
    const pod = await this.#podOfNow();
    await this.#held.note.show({ kind: 'reviewing', headSha, attempt: attemptOf(launch) }, true);
    reach?.('launch.announced');
    log.info({ runId, launch, headSha }, 'agent launched');
    metrics.launched(waitedMs);
    return await this.#follow(runId, launch, () =>
      runAgent(
        this.#ports,
        { runId, taskId: this.#task.taskId, token, deadlineSeconds, pod, onBegun: this.#held.onBegun },
        this.#held.signal,
        this.#held.heartbeat.leftMs,
      ),
    );
  }

  async #podOfNow(): Promise<PodSettings> {
    const { queue } = this.#ports;
    const pod = this.#pod;
    const larger = this.#task.failures === 0 ? null : podAfterOom(pod);
    if (larger === null) return pod;
    return ranOutOfMemory(await queue.events(this.#task.taskId)) ? larger : pod;
  }

  async #follow<Exit extends AgentExit | null>(runId: RunId, launch: number, work: () => Promise<Exit>): Promise<Exit> {
    const { clock, log, metrics, launcher, reach } = this.#ports;
    const { signal } = this.#held;
    let stoppedAtMs = clock.monotonicMs();
    const onAbort = () => {
      stoppedAtMs = clock.monotonicMs();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.began(runId);
    this.isLeft = launcher.outlivesUs;
    this.isUnfound = false;
    const exit = await work();
    signal.removeEventListener('abort', onAbort);
    if (exit?.kind === 'left') return exit;
    this.isLeft = false;
    const why: unknown = signal.reason;
    if (why instanceof StopSignal && why.reason === 'superseded')
      metrics.supersededGone(clock.monotonicMs() - stoppedAtMs);
    if (exit === null) return exit;
    reach?.('launch.ended');
    const how = exit.kind === 'exited' ? { exitCode: exit.code, signal: exit.signal } : {};
    const failed = exit.kind === 'failed' ? { reason: `${exit.class}: ${exit.reason} ${exit.message}`.trim() } : {};
    log.info({ runId, launch, outcome: exit.kind, ...how, ...failed }, 'agent ended');
    return exit;
  }

  async #afterRun(headSha: Sha, exit: AgentExit, runId: RunId): Promise<AttemptEnd> {
    const { gateway, metrics, queue } = this.#ports;
    this.#held.heartbeat.check();
    const run = await gateway.readRun(runId, this.#held.signal);
    if (run?.result?.kind === 'review') return { kind: 'review', run };
    if (run?.result?.kind === 'failed' && run.result.code.startsWith('budget.')) {
      return { kind: 'over-budget', headSha, why: run.result.message };
    }
    if (exit.kind === 'exited') this.#tellLastWords(runId, exit.lastWords);
    let disruptions = 0;
    if (exit.kind === 'failed') {
      this.failureClass = exit.class;
      if (exit.class === 'config' || exit.class === 'isolation-unenforced') metrics.alarm(exit.class);
      if (exit.class === 'infra') disruptions = disruptionsOf(await queue.events(this.#task.taskId));
    }
    const hasMoreMemory = podAfterOom(this.#pod) !== null;
    const { failures } = this.#task;
    return { kind: 'ending', ending: endingOfRun(exit, run, { failures, disruptions, hasMoreMemory }) };
  }

  /** Why an agent did not even begin stands nowhere else. */
  #tellLastWords(runId: string, lastWords: string): void {
    if (lastWords !== '') this.#ports.log.warn({ runId, lastWords }, 'agent left no result');
  }
}

/** Its pod has time until then to ask for the token: none of its run's own. */
function exchangeOf({ startSeconds }: Launcher) {
  const start = startSeconds === undefined ? {} : { startSeconds: Math.min(startSeconds, longestStartSeconds) };
  return { credential: 'exchange', ...start } as const;
}

/** What a person would wonder about or has to mend; that a repository wants no review is known to its people. */
function isWorthANote({ why }: Extract<RunGrant, { kind: 'skip' }>): boolean {
  return why === 'bad-repository-config' || why === 'nothing-to-review';
}
