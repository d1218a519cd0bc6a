/**
 * Drives one leased task to its end. Each step is idempotent against the three truths (queue, agent, forge), so a
 * scheduler may die after any instruction and another one goes on:
 *
 *   observe   ask the gateway what is true of the merge request now; look for a result that nobody has published yet
 *   decide    `decideReview`: run, wait or skip
 *   launch    record the launch, let the gateway grant a run token, run the agent to its end
 *   publish   let the gateway publish the result
 *   record    end the task in the queue, or put it back: a later lease finds what was paid for and goes on from there
 *
 * Before every write it asks its heartbeat: who was interrupted, lost the lease or may have lost it writes no more.
 */
import {
  DrydockError,
  Secret,
  TransientError,
  runIdOf,
  unreachable,
  type Clock,
  type Log,
  type MergeRequest,
  type ProjectAllowList,
  type Publication,
  type ReviewPolicy,
  type ReviewState,
  type RunGrant,
  type RunView,
  type Sha,
  type TaskOutcome,
} from '@drydock/core';
import type { LeasedTask, TaskFailure, TaskQueue } from '@drydock/queue';
import { decideReview, isReviewed, skipTexts, type Decision } from './decide-review.ts';
import type { Gateway } from './gateway.ts';
import { StopSignal, startHeartbeat, type Heartbeat } from './heartbeat.ts';
import type { AgentExit, Launcher } from './launchers/launcher.ts';
import type { SchedulerMetrics } from './metrics.ts';
import { runAgent } from './run-agent.ts';
import { endingOfError, endingOfRun, restMs, type Ending } from './task-ending.ts';

/** What driving a task needs. */
export interface TaskPorts {
  readonly queue: TaskQueue;
  readonly gateway: Gateway;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
  readonly policy: ReviewPolicy;
  /** Asked about the project as the forge names it: the path in a webhook is only what its sender says. */
  readonly isProjectAllowed: ProjectAllowList;
  /** Spreads waits; numbers from 0 to below 1. Default: chance. */
  readonly random?: () => number;
}

/** Times of the scheduler, in milliseconds. */
export interface TaskTimes {
  readonly leaseTtlMs: number;
  /** How long a task rests whose forge or model refuses our credential. */
  readonly blockedDelayMs: number;
}

/** Limit of telling a state on the merge request: a forge that hangs must not keep a task from ending. */
const showLimitMs = 20_000;

/** Works on a task until it ended, was put back, or belongs to somebody else. Rejects only with a bug. */
export async function runTask(
  ports: TaskPorts,
  times: TaskTimes,
  task: LeasedTask,
  shutdown: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const onShutdown = () => {
    stop.abort(new StopSignal('shutdown'));
  };
  shutdown.addEventListener('abort', onShutdown, { once: true });
  if (shutdown.aborted) onShutdown();
  const log = ports.log.child({
    taskId: task.taskId,
    project: task.projectPath,
    iid: task.subject.iid,
    lease: task.lease,
  });
  const heartbeat = startHeartbeat({ ...ports, log }, task, times.leaseTtlMs, stop);
  const startedAtMs = ports.clock.monotonicMs();
  try {
    const driver = new TaskDriver({ ...ports, log }, times, task, { heartbeat, signal: stop.signal });
    const ending = await driver.drive();
    await driver.write(ending);
    ports.metrics.taskEnded(
      ending.kind === 'complete' ? ending.outcome.kind : ending.kind,
      ports.clock.monotonicMs() - startedAtMs,
    );
  } finally {
    shutdown.removeEventListener('abort', onShutdown);
    await heartbeat.end();
  }
}

/** What is known at this point of the way. */
interface Known {
  /** The launch that this driver began or adopted; 0: none yet. */
  launch: number;
  /** Null: not known yet, or there is none. */
  headSha: Sha | null;
  /** The review of this head stands on the merge request. */
  isReviewed: boolean;
  /** Somebody who may ask waits for an answer: a note is written where there is none. */
  isAsked: boolean;
  /** The task is being ended: that it is no longer wanted changes nothing any more. */
  isEnding: boolean;
}

class TaskDriver {
  readonly #ports: TaskPorts;
  readonly #times: TaskTimes;
  readonly #task: LeasedTask;
  readonly #heartbeat: Heartbeat;
  readonly #signal: AbortSignal;
  readonly #known: Known = { launch: 0, headSha: null, isReviewed: false, isAsked: false, isEnding: false };

  constructor(
    ports: TaskPorts,
    times: TaskTimes,
    task: LeasedTask,
    lease: { readonly heartbeat: Heartbeat; readonly signal: AbortSignal },
  ) {
    this.#ports = ports;
    this.#times = times;
    this.#task = task;
    this.#heartbeat = lease.heartbeat;
    this.#signal = lease.signal;
  }

  async drive(): Promise<Ending> {
    try {
      return await this.#steps();
    } catch (error) {
      if (this.#signal.aborted) return this.#stopEnding();
      if (!(error instanceof DrydockError)) throw error; // a bug: the process ends, and the lease runs out
      return endingOfError(error);
    }
  }

  async #steps(): Promise<Ending> {
    const { gateway, queue, metrics, log } = this.#ports;
    this.#heartbeat.check();
    const mergeRequest = await gateway.readMergeRequest(this.#task.subject, this.#signal);
    this.#known.headSha = mergeRequest.headSha;
    this.#known.isReviewed = isReviewed(mergeRequest);

    const unpublished = await this.#unpublishedRun(mergeRequest);
    if (unpublished !== null) return await this.#publish(unpublished);

    const decision = await this.#decide(mergeRequest);
    metrics.decided(decision.kind, decision.reason);
    const { trigger } = this.#task;
    log.info(
      { trigger, decision: decision.kind, reason: decision.reason, headSha: mergeRequest.headSha ?? '' },
      'decided',
    );
    if (decision.kind === 'wait') return waitEnding(decision);
    if (decision.kind === 'skip') return await this.#skip(mergeRequest, decision);

    this.#known.isAsked = decision.reason === 'commanded' || decision.reason === 'review-requested';
    const { diffRefs } = mergeRequest;
    if (diffRefs === null) throw new TransientError('forge.not_ready', 'the forge has not prepared the diff');
    this.#heartbeat.check();
    const begun = await queue.beginLaunch(this.#task, diffRefs.headSha);
    if (begun.kind === 'lost') return { kind: 'abandon' };
    this.#known.launch = begun.launch;
    return await this.#review(diffRefs);
  }

  async #decide(mergeRequest: MergeRequest): Promise<Decision> {
    const { gateway, policy, isProjectAllowed } = this.#ports;
    const { subject, command, trigger } = this.#task;
    const commander = command === null ? null : await gateway.readMember(subject, command.userId, this.#signal);
    return decideReview({
      trigger,
      command,
      commander,
      mergeRequest,
      policy,
      isProjectAllowed,
      ageMs: this.#ageMs(),
    });
  }

  /** By our own clock, which may differ from the store's: good enough for waits of minutes. */
  #ageMs(): number {
    return Math.max(0, this.#ports.clock.nowMs() - this.#task.queuedAtMs);
  }

  /** A result of an earlier launch that was paid for but does not stand on the merge request yet. */
  async #unpublishedRun(mergeRequest: MergeRequest): Promise<RunView | null> {
    const { taskId, launch } = this.#task;
    if (launch === 0 || mergeRequest.state !== 'opened') return null;
    const run = await this.#ports.gateway.readRun(runIdOf(taskId, launch), this.#signal);
    if (run?.result?.kind !== 'review' || run.isPublished || run.result.headSha !== mergeRequest.headSha) return null;
    this.#known.launch = launch;
    this.#ports.metrics.adopted();
    return run;
  }

  async #skip(mergeRequest: MergeRequest, decision: Extract<Decision, { kind: 'skip' }>): Promise<Ending> {
    if (decision.announce !== 'silent') {
      const state: ReviewState = { kind: 'skipped', headSha: mergeRequest.headSha, why: skipTexts[decision.reason] };
      await this.#show(state, decision.announce === 'create');
    }
    return { kind: 'complete', outcome: { kind: 'skipped', why: decision.reason } };
  }

  async #review(diffRefs: NonNullable<MergeRequest['diffRefs']>): Promise<Ending> {
    const { gateway } = this.#ports;
    const { taskId, subject, trigger } = this.#task;
    const { headSha } = diffRefs;
    this.#heartbeat.check();
    const grant = await gateway.startRun(
      { v: 1, taskId, launch: this.#known.launch, subject, diffRefs, trigger },
      this.#signal,
    );
    switch (grant.kind) {
      case 'skip':
        this.#ports.log.info({ decision: 'skip', reason: grant.why }, 'decided');
        this.#ports.metrics.decided('skip', grant.why);
        await this.#show({ kind: 'skipped', headSha, why: grant.detail }, grant.why !== 'switched-off-by-repository');
        return { kind: 'complete', outcome: { kind: 'skipped', why: grant.why } };
      case 'over-budget':
        return await this.#overBudget(headSha, grant.why);
      case 'granted':
        return await this.#afterRun(headSha, await this.#runAgent(headSha, grant), grant.runId);
      default:
        return unreachable(grant);
    }
  }

  async #runAgent(headSha: Sha, grant: Extract<RunGrant, { kind: 'granted' }>): Promise<AgentExit> {
    const { log, metrics } = this.#ports;
    const { runId, deadlineSeconds } = grant;
    const token = new Secret(grant.token);
    await this.#show({ kind: 'reviewing', headSha, attempt: this.#known.launch }, true);
    log.info({ runId, launch: this.#known.launch, headSha }, 'agent launched');
    metrics.launched(this.#ageMs());
    const exit = await runAgent(this.#ports, { runId, token, deadlineSeconds }, this.#signal);
    const how = exit.kind === 'exited' ? { exitCode: exit.code, signal: exit.signal } : {};
    log.info({ runId, launch: this.#known.launch, outcome: exit.kind, ...how }, 'agent ended');
    return exit;
  }

  async #afterRun(headSha: Sha, exit: AgentExit, runId: string): Promise<Ending> {
    this.#heartbeat.check();
    const run = await this.#ports.gateway.readRun(runId, this.#signal);
    if (run?.result?.kind === 'review') return await this.#publish(run);
    if (run?.result?.kind === 'failed' && run.result.code.startsWith('budget.')) {
      return await this.#overBudget(headSha, run.result.message);
    }
    if (exit.kind === 'exited') this.#tellLastWords(runId, exit.lastWords);
    return endingOfRun(exit, run, this.#task.failures);
  }

  /** Why an agent did not even begin stands nowhere else. */
  #tellLastWords(runId: string, lastWords: string): void {
    if (lastWords !== '') this.#ports.log.warn({ runId, lastWords }, 'agent left no result');
  }

  async #overBudget(headSha: Sha, why: string): Promise<Ending> {
    this.#ports.metrics.decided('skip', 'over-budget');
    await this.#show({ kind: 'over-budget', headSha, why }, true);
    return { kind: 'complete', outcome: { kind: 'skipped', why: 'over-budget' } };
  }

  async #publish(run: RunView): Promise<Ending> {
    this.#heartbeat.check();
    const publishing = await this.#ports.queue.beginPublishing(this.#task);
    if (publishing.kind === 'lost') return { kind: 'abandon' };
    this.#heartbeat.check();
    const publication = await this.#ports.gateway.publishRun(run.runId, this.#signal);
    this.#report(run, publication);
    return { kind: 'complete', outcome: { kind: 'done' } };
  }

  #report(run: RunView, publication: Publication): void {
    const added = publication.comments.filter((comment) => comment.isNew).length;
    this.#ports.metrics.published(added, publication.resolved);
    this.#ports.log.info(
      { runId: run.runId, headSha: publication.headSha, state: publication.state, count: added },
      'review published',
    );
  }

  #stopEnding(): Ending {
    const stopped: unknown = this.#signal.reason;
    if (!(stopped instanceof StopSignal)) throw stopped; // a bug in the heartbeat
    switch (stopped.reason) {
      case 'lease-lost':
        return { kind: 'abandon' };
      case 'shutdown':
        return { kind: 'release', delayMs: 0, why: 'scheduler-stopped' };
      case 'superseded':
        this.#ports.metrics.superseded();
        return { kind: 'complete', outcome: { kind: 'superseded', why: 'a newer head was pushed' } };
      case 'closed':
        return { kind: 'complete', outcome: { kind: 'cancelled', why: 'the merge request was closed' } };
      case 'cancelled':
        return { kind: 'complete', outcome: { kind: 'cancelled', why: 'cancelled by a person' } };
      default:
        return unreachable(stopped.reason);
    }
  }

  /** Writes the end to the queue, and tells it where it should be seen. */
  async write(ending: Ending): Promise<void> {
    this.#known.isEnding = true;
    switch (ending.kind) {
      case 'abandon':
        this.#ports.log.warn({}, 'task left to its new owner');
        return;
      case 'complete':
        return this.#complete(ending.outcome);
      case 'release':
        return this.#release(ending.delayMs, ending.why);
      case 'blocked':
        this.#ports.log.error({ code: ending.code, reason: ending.message }, 'blocked until a person acts');
        this.#ports.metrics.blocked(ending.code);
        await this.#showFailure(ending.message, true);
        return this.#release(this.#times.blockedDelayMs, ending.code);
      case 'fail':
        return this.#fail(ending.failure);
      default:
        unreachable(ending);
    }
  }

  async #complete(outcome: TaskOutcome): Promise<void> {
    const written = await this.#untilAnswered(() => this.#ports.queue.complete(this.#task, outcome));
    this.#ports.log.info(
      { outcome: outcome.kind, ...('why' in outcome ? { reason: outcome.why } : {}), state: written.kind },
      'task ended',
    );
  }

  async #release(delayMs: number, why: string): Promise<void> {
    const released = await this.#untilAnswered(() => this.#ports.queue.release(this.#task, { delayMs, why }));
    this.#ports.log.info({ reason: why, delayMs, state: released.kind }, 'task put back');
  }

  /**
   * A task must not die unseen. What nobody counts is only put back while it cannot be told either: gateway or forge are
   * away, for all tasks alike. What is final is told first, for after the end nobody would come back to tell it.
   */
  async #fail(failure: TaskFailure): Promise<void> {
    const { log, random = Math.random } = this.#ports;
    const isTold =
      failure.class === 'transient' || (await this.#showFailure(failure.message, failure.class === 'infra'));
    if (failure.class === 'infra' && !isTold) {
      log.warn({ code: failure.code, reason: failure.message }, 'nothing answers');
      return this.#release(restMs(this.#ageMs(), failure.retryAfterMs, random), failure.code);
    }
    const failed = await this.#untilAnswered(() => this.#ports.queue.fail(this.#task, failure));
    const facts = { code: failure.code, reason: failure.message, launch: this.#known.launch, state: failed.kind };
    log.warn(failed.kind === 'retrying' ? { ...facts, delayMs: failed.delayMs } : facts, 'task failed');
    if (failed.kind === 'retrying' && failure.class === 'transient') await this.#showFailure(failure.message, true);
    if (failed.kind === 'dead' && failure.class !== 'terminal') await this.#showFailure(failure.message, false);
  }

  /** False: it could not be told, or would hide a review that stands. */
  async #showFailure(why: string, willRetry: boolean): Promise<boolean> {
    const { headSha, isAsked } = this.#known;
    if (headSha === null || (this.#known.isReviewed && !isAsked)) return false;
    return this.#show({ kind: 'failed', headSha, why: why.slice(0, 1000), willRetry }, !willRetry || isAsked);
  }

  /** Writes the summary note. A forge that does not answer must not keep the task from ending: false then. */
  async #show(state: ReviewState, createNote: boolean): Promise<boolean> {
    const { isEnding } = this.#known;
    const limit = AbortSignal.timeout(showLimitMs);
    const signal = isEnding ? limit : AbortSignal.any([this.#signal, limit]);
    try {
      if (!isEnding) this.#heartbeat.check();
      else if (!this.#heartbeat.isHeld()) return false;
      await this.#ports.gateway.writeState(this.#task.subject, { v: 1, state, createNote }, signal);
      return true;
    } catch (err) {
      if (!isEnding) this.#signal.throwIfAborted();
      if (!(err instanceof DrydockError) && !limit.aborted) throw err;
      this.#ports.log.warn({ state: state.kind, err }, 'summary note not written');
      return false;
    }
  }

  /** The end of a task is worth some patience: a store that restarts would else cost a whole new attempt. */
  async #untilAnswered<T>(write: () => Promise<T>): Promise<T | { readonly kind: 'lost' }> {
    const { clock, log } = this.#ports;
    const giveUpAtMs = clock.monotonicMs() + this.#times.leaseTtlMs;
    for (;;) {
      try {
        return await write();
      } catch (err) {
        if (!(err instanceof DrydockError)) throw err;
        log.warn({ code: err.code, err }, 'end of the task not written');
        if (!(err instanceof TransientError) || clock.monotonicMs() >= giveUpAtMs) return { kind: 'lost' };
        await clock.sleep(1000, AbortSignal.timeout(this.#times.leaseTtlMs));
      }
    }
  }
}

/** A diff that does not come for very long counts like a forge that fails: not at once, but it has an end. */
function waitEnding({ delayMs, reason, isOverdue }: Extract<Decision, { kind: 'wait' }>): Ending {
  if (!isOverdue) return { kind: 'release', delayMs, why: reason };
  const message = 'the forge does not prepare the diff of the newest head';
  return { kind: 'fail', failure: { class: 'infra', code: 'forge.not_ready', message, retryAfterMs: null } };
}
