/**
 * Drives one leased task to its end. Each step is idempotent against the three truths (queue, agent, forge), so a
 * scheduler may die after any instruction and another one goes on:
 *
 *   observe   ask the gateway what is true of the merge request now; look for a result that nobody has published yet
 *   decide    `decideReview`: run, wait or skip
 *   launch    record the launch, let the gateway grant a run token, run the agent to its end
 *   publish   let the gateway publish the result, again and again until it stands whole
 *   record    end the task in the queue
 */
import {
  BlockedError,
  DrydockError,
  StaleError,
  TransientError,
  runIdOf,
  Secret,
  unreachable,
  type Clock,
  type ErrorCode,
  type FailedResult,
  type Log,
  type MergeRequest,
  type Publication,
  type ReviewPolicy,
  type ReviewState,
  type RunView,
  type Sha,
  type TaskOutcome,
} from '@drydock/core';
import type { LeasedTask, TaskFailure, TaskQueue } from '@drydock/queue';
import { decideReview, skipTexts, type Decision } from './decide-review.ts';
import type { Gateway } from './gateway.ts';
import { StopSignal, startHeartbeat } from './heartbeat.ts';
import type { AgentExit, Launcher } from './launchers/launcher.ts';
import type { SchedulerMetrics } from './metrics.ts';

/** What driving a task needs. */
export interface TaskPorts {
  readonly queue: TaskQueue;
  readonly gateway: Gateway;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SchedulerMetrics;
  readonly policy: ReviewPolicy;
}

/** Times of the scheduler, in milliseconds. */
export interface TaskTimes {
  readonly leaseTtlMs: number;
  /** How long a task rests whose forge or model refuses our credential. */
  readonly blockedDelayMs: number;
}

/** How the work on a task ended, as it is written to the queue. */
type Ending =
  | { readonly kind: 'complete'; readonly outcome: TaskOutcome }
  | { readonly kind: 'fail'; readonly failure: TaskFailure }
  | { readonly kind: 'release'; readonly delayMs: number; readonly why: string }
  | { readonly kind: 'abandon' };

/** Works on a task until it ended, was put back, or belongs to somebody else. Never throws but for a bug. */
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
  const heartbeat = startHeartbeat(ports, task, times.leaseTtlMs, stop);
  const startedAtMs = ports.clock.monotonicMs();
  try {
    const driver = new TaskDriver({ ...ports, log }, times, task, stop.signal);
    const ending = await driver.drive();
    await driver.write(ending);
    ports.metrics.taskEnded(
      ending.kind === 'complete' ? ending.outcome.kind : ending.kind,
      ports.clock.monotonicMs() - startedAtMs,
    );
  } finally {
    await heartbeat.end();
    shutdown.removeEventListener('abort', onShutdown);
  }
}

class TaskDriver {
  readonly #ports: TaskPorts;
  readonly #times: TaskTimes;
  readonly #task: LeasedTask;
  readonly #signal: AbortSignal;
  /** The launch that this driver began or adopted; 0: none yet. */
  #launch = 0;

  constructor(ports: TaskPorts, times: TaskTimes, task: LeasedTask, signal: AbortSignal) {
    this.#ports = ports;
    this.#times = times;
    this.#task = task;
    this.#signal = signal;
  }

  async drive(): Promise<Ending> {
    try {
      return await this.#steps();
    } catch (error) {
      return await this.#endingOf(error);
    }
  }

  async write(ending: Ending): Promise<void> {
    const { queue, log } = this.#ports;
    switch (ending.kind) {
      case 'abandon':
        log.warn({}, 'task left to its new owner');
        return;
      case 'complete': {
        const { outcome } = ending;
        const written = await this.#untilAnswered(() => queue.complete(this.#task, outcome));
        log.info(
          { outcome: outcome.kind, ...('why' in outcome ? { reason: outcome.why } : {}), state: written.kind },
          'task ended',
        );
        return;
      }
      case 'fail': {
        const failed = await this.#untilAnswered(() => queue.fail(this.#task, ending.failure));
        const facts = { code: ending.failure.code, launch: this.#launch, state: failed.kind };
        log.warn(failed.kind === 'retrying' ? { ...facts, delayMs: failed.delayMs } : facts, 'task failed');
        await this.#showFailure(ending.failure, failed.kind === 'retrying');
        return;
      }
      case 'release':
        await this.#untilAnswered(() => queue.release(this.#task, { delayMs: ending.delayMs, why: ending.why }));
        log.info({ reason: ending.why, delayMs: ending.delayMs }, 'task put back');
        return;
      default:
        unreachable(ending);
    }
  }

  async #steps(): Promise<Ending> {
    const { gateway, queue, metrics, log, clock, policy } = this.#ports;
    const { subject, command, trigger } = this.#task;
    const mergeRequest = await gateway.readMergeRequest(subject, this.#signal);

    const unpublished = await this.#unpublishedRun(mergeRequest);
    if (unpublished !== null) return await this.#publish(unpublished);

    const commander = command === null ? null : await gateway.readMember(subject, command.userId, this.#signal);
    const ageMs = Math.max(0, clock.nowMs() - this.#task.queuedAtMs);
    const decision = decideReview({ trigger, command, commander, mergeRequest, policy, ageMs });
    metrics.decided(decision.kind, decision.reason);
    log.info(
      { trigger, decision: decision.kind, reason: decision.reason, headSha: mergeRequest.headSha ?? '' },
      'decided',
    );
    if (decision.kind === 'wait') return { kind: 'release', delayMs: decision.delayMs, why: decision.reason };
    if (decision.kind === 'skip') return await this.#skip(mergeRequest, decision);

    const { diffRefs } = mergeRequest;
    if (diffRefs === null) throw new TransientError('forge.not_ready', 'the forge has not prepared the diff');
    const begun = await queue.beginLaunch(this.#task, diffRefs.headSha);
    if (begun.kind === 'lost') return { kind: 'abandon' };
    this.#launch = begun.launch;
    return await this.#review(mergeRequest, diffRefs);
  }

  /** A result of an earlier launch that was paid for but does not stand on the merge request yet. */
  async #unpublishedRun(mergeRequest: MergeRequest): Promise<RunView | null> {
    const { taskId, launch } = this.#task;
    if (launch === 0) return null;
    const run = await this.#ports.gateway.readRun(runIdOf(taskId, launch), this.#signal);
    if (run === null || run.isPublished || run.result?.kind !== 'review' || run.result.headSha !== mergeRequest.headSha)
      return null;
    if (mergeRequest.state !== 'opened') return null;
    this.#launch = launch;
    this.#ports.metrics.adopted();
    return run;
  }

  async #skip(mergeRequest: MergeRequest, decision: Extract<Decision, { kind: 'skip' }>): Promise<Ending> {
    if (decision.announce !== 'silent') {
      const state: ReviewState = { kind: 'skipped', headSha: mergeRequest.headSha, why: skipTexts[decision.reason] };
      await this.#show(state, decision.announce === 'create' || this.#task.command !== null);
    }
    return { kind: 'complete', outcome: { kind: 'skipped', why: decision.reason } };
  }

  async #review(mergeRequest: MergeRequest, diffRefs: NonNullable<MergeRequest['diffRefs']>): Promise<Ending> {
    const { gateway, launcher, log, metrics, clock } = this.#ports;
    const { taskId, subject, trigger } = this.#task;
    const { headSha } = diffRefs;
    const grant = await gateway.startRun(
      { v: 1, taskId, launch: this.#launch, subject, diffRefs, trigger },
      this.#signal,
    );
    if (grant.kind === 'skip') {
      log.info({ decision: 'skip', reason: grant.why }, 'decided');
      metrics.decided('skip', grant.why);
      await this.#show({ kind: 'skipped', headSha, why: grant.detail }, grant.why !== 'switched-off-by-repository');
      return { kind: 'complete', outcome: { kind: 'skipped', why: grant.why } };
    }
    if (grant.kind === 'over-budget') {
      return await this.#overBudget(headSha, grant.why);
    }
    const { runId, deadlineSeconds } = grant;
    try {
      await this.#show({ kind: 'reviewing', headSha, attempt: this.#launch }, true);
      log.info({ runId, launch: this.#launch, headSha }, 'agent launched');
      metrics.launched(clock.nowMs() - this.#task.queuedAtMs);
      const exit = await launcher.run({ runId, token: new Secret(grant.token), deadlineSeconds }, this.#signal);
      log.info(
        { runId, launch: this.#launch, outcome: exit.kind, ...(exit.kind === 'exited' ? { exitCode: exit.code } : {}) },
        'agent ended',
      );
      this.#signal.throwIfAborted();
      const run = await gateway.readRun(runId, this.#signal);
      if (run?.result?.kind === 'review') return await this.#publish(run);
      if (run?.result?.kind === 'failed' && run.result.code.startsWith('budget.')) {
        return await this.#overBudget(headSha, run.result.message);
      }
      return { kind: 'fail', failure: failureOf(exit, run) };
    } finally {
      await this.#revoke(runId);
    }
  }

  async #overBudget(headSha: Sha, why: string): Promise<Ending> {
    this.#ports.metrics.decided('skip', 'over-budget');
    await this.#show({ kind: 'over-budget', headSha, why }, true);
    return { kind: 'complete', outcome: { kind: 'skipped', why: 'over-budget' } };
  }

  async #publish(run: RunView): Promise<Ending> {
    const publishing = await this.#ports.queue.beginPublishing(this.#task);
    if (publishing.kind === 'lost') return { kind: 'abandon' };
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

  /** What an error means for the task. A bug is thrown on: the process ends, and the lease runs out. */
  async #endingOf(error: unknown): Promise<Ending> {
    if (this.#signal.aborted) return this.#stopEnding();
    if (!(error instanceof DrydockError)) throw error;
    if (error instanceof StaleError) return staleEnding(error);
    if (error instanceof BlockedError) {
      this.#ports.log.error({ code: error.code, err: error }, 'blocked until a person acts');
      this.#ports.metrics.blocked(error.code);
      await this.#show({ kind: 'failed', headSha: null, why: error.message, willRetry: true }, false);
      return { kind: 'release', delayMs: this.#times.blockedDelayMs, why: error.code };
    }
    if (error instanceof TransientError) {
      return {
        kind: 'fail',
        failure: { class: 'transient', code: error.code, message: error.message, retryAfterMs: error.retryAfterMs },
      };
    }
    return {
      kind: 'fail',
      failure: { class: 'terminal', code: error.code, message: error.message, retryAfterMs: null },
    };
  }

  #stopEnding(): Ending {
    const stopped: unknown = this.#signal.reason;
    const reason = stopped instanceof StopSignal ? stopped.reason : 'shutdown';
    switch (reason) {
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
        return unreachable(reason);
    }
  }

  async #showFailure(failure: TaskFailure, willRetry: boolean): Promise<void> {
    await this.#show(
      { kind: 'failed', headSha: null, why: failure.message, willRetry },
      !willRetry || this.#task.command !== null,
    );
  }

  /** Writes the summary note. A forge that does not answer must not keep the task from ending. */
  async #show(state: ReviewState, createNote: boolean): Promise<void> {
    try {
      await this.#ports.gateway.writeState(
        this.#task.subject,
        { v: 1, state, createNote },
        AbortSignal.timeout(60_000),
      );
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      this.#ports.log.warn({ state: state.kind, code: err.code, err }, 'summary note not written');
    }
  }

  async #revoke(runId: string): Promise<void> {
    try {
      await this.#ports.gateway.revokeRun(runId, AbortSignal.timeout(10_000));
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      this.#ports.log.warn({ runId, code: err.code, err }, 'run token not revoked; it ends at its deadline');
    }
  }

  /** The end of a task is worth some patience: a store that restarts would else cost a whole new attempt. */
  async #untilAnswered<T>(write: () => Promise<T>): Promise<T | { readonly kind: 'lost' }> {
    const giveUpAtMs = this.#ports.clock.monotonicMs() + this.#times.leaseTtlMs;
    for (;;) {
      try {
        return await write();
      } catch (err) {
        if (!(err instanceof TransientError)) throw err;
        if (this.#ports.clock.monotonicMs() >= giveUpAtMs) return { kind: 'lost' };
        await this.#ports.clock.sleep(1000, AbortSignal.timeout(this.#times.leaseTtlMs));
      }
    }
  }
}

/** A head that moved is looked at again rather than given up: the event that tells of it may never come. */
function staleEnding(error: StaleError): Ending {
  if (error.code === 'queue.lease_lost' || error.code === 'run.launch_superseded') return { kind: 'abandon' };
  if (error.code === 'merge_request.head_moved') return { kind: 'release', delayMs: 1000, why: 'head-moved' };
  return { kind: 'complete', outcome: { kind: 'cancelled', why: error.message } };
}

/** Classes as in the table of failures: a crash counts, a deadline ends it, an agent's own word is taken. */
function failureOf(exit: AgentExit, run: RunView | null): TaskFailure {
  const told = run?.result;
  if (told?.kind === 'failed') {
    if (told.class === 'blocked') throw new BlockedError(codeOf(told), told.message);
    return { class: told.class, code: told.code, message: told.message, retryAfterMs: told.retryAfterMs };
  }
  if (exit.kind === 'timed-out')
    return {
      class: 'terminal',
      code: 'run.timed_out',
      message: 'the agent did not finish in time',
      retryAfterMs: null,
    };
  if (exit.kind === 'exited' && exit.code === 0) {
    return {
      class: 'transient',
      code: 'run.incomplete',
      message: 'the agent ended without a result',
      retryAfterMs: null,
    };
  }
  return { class: 'transient', code: 'run.crashed', message: 'the agent ended unexpectedly', retryAfterMs: null };
}

/** Codes cross as text; the agent is ours, but what it says is not believed beyond this. */
function codeOf({ code }: FailedResult): ErrorCode {
  return code === 'model.billing' ? code : 'model.unauthorized';
}
