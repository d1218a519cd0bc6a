/**
 * Drives one leased task to its end. Each step is idempotent against the three truths (queue, agent, forge), so a
 * scheduler may die after any instruction and another one goes on:
 *
 *   observe   ask the gateway what is true of the merge request now; look for a result that nobody has published yet
 *   decide    `decideReview`: run, wait or skip
 *   adopt     go on with the agent of an earlier scheduler, if it outlived that one; no fault of forge, gateway or cluster
 *             keeps it from being looked for, since the task goes back only when nothing of it is at work
 *   launch    record the launch, let the gateway grant a run token, run the agent to its end
 *   publish   let the gateway publish the result
 *   record    end the task in the queue, or put it back: a later lease finds what was paid for and goes on from there
 *
 * Before every write it asks its heartbeat: who was interrupted, lost the lease or may have lost it writes no more.
 */
import {
  DrydockError,
  TransientError,
  runIdOf,
  unreachable,
  type DiffRefs,
  type MergeRequest,
  type Publication,
  type ReviewState,
  type RunView,
  type Sha,
  type Trigger,
} from '@drydock/core';
import { adoptedTooOften, type LeasedTask } from '@drydock/queue';
import { Attempt, type AttemptEnd, type HeldTask } from './attempt.ts';
import { decideReview, isReviewed, skipTexts, type Decision } from './decide-review.ts';
import type { Ending } from './ending.ts';
import { StopSignal, type Heartbeat } from './heartbeat.ts';
import { defaultPolicy } from './policies/default-policy.ts';
import { isOverLimit, limitDelayMs } from './policies/policy-limit.ts';
import type { AppliedPolicy, PolicyAnswer } from './policies/policy-source.ts';
import { ifAnswered } from './if-answered.ts';
import { recordEnding } from './record-ending.ts';
import { attemptClassOf, cancelledByPerson, closedMeanwhile, endingOfError, stoppedEnding } from './task-ending.ts';
import { TaskNote } from './task-note.ts';
import type { SharedWork, TaskPorts, TaskTimes } from './task-ports.ts';

/** What passes between a task and the loop that leased it. */
export interface TaskSignals {
  /** Aborted when the process is to end. */
  readonly shutdown: AbortSignal;
  /** Called once the agent is at work, if ever: from then on the task waits and costs little. */
  readonly onBegun: () => void;
}

/** Works on a task until it ended, was put back, or belongs to somebody else. Rejects only with a bug. */
export async function runTask(
  ports: TaskPorts & SharedWork,
  times: TaskTimes,
  task: LeasedTask,
  { shutdown, onBegun }: TaskSignals,
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
  const heartbeat = ports.heartbeats.start(task, log, stop);
  const startedAtMs = ports.clock.monotonicMs();
  try {
    const { signal } = stop;
    const note = new TaskNote({ gateway: ports.gateway, log, heartbeat, signal }, task.subject);
    if (task.adopted !== null) ports.metrics.adopted();
    const driver = new TaskDriver({ ...ports, log }, task, { heartbeat, signal, note, onBegun });
    const ending = await driver.drive();
    const attemptClass = driver.attempt.hasRun ? attemptClassOf(ending) : null;
    if (attemptClass !== null) ports.metrics.attemptEnded(driver.attempt.failureClass ?? attemptClass);
    if (ending.kind === 'hand-over') await heartbeat.end(); // a late extension would keep the others waiting
    const recorded = await recordEnding(
      { ...ports, log, note, random: ports.random ?? Math.random },
      times,
      task,
      ending,
    );
    if (recorded === 'ended') await driver.attempt.forget();
    ports.metrics.taskEnded(
      ending.kind === 'complete' ? ending.outcome.kind : ending.kind,
      task.kind,
      ports.clock.monotonicMs() - startedAtMs,
    );
  } finally {
    shutdown.removeEventListener('abort', onShutdown);
    await heartbeat.end();
  }
}

interface BegunLaunch {
  readonly kind: 'launch';
  readonly launch: number;
  readonly diffRefs: DiffRefs;
  readonly trigger: Trigger;
}

class TaskDriver {
  readonly #ports: TaskPorts & SharedWork;
  readonly #task: LeasedTask;
  readonly #heartbeat: Heartbeat;
  readonly #signal: AbortSignal;
  readonly #note: TaskNote;
  readonly attempt: Attempt;

  constructor(ports: TaskPorts & SharedWork, task: LeasedTask, held: HeldTask) {
    this.#ports = ports;
    this.#task = task;
    this.#heartbeat = held.heartbeat;
    this.#signal = held.signal;
    this.#note = held.note;
    this.attempt = new Attempt(ports, task, held);
  }

  /** Works on the task; answers with what is to be recorded. Rejects only with a bug. */
  async drive(): Promise<Ending> {
    const ending = await this.#work();
    const isOurs = ending.kind !== 'abandon' && ending.kind !== 'hand-over';
    if (isOurs && this.attempt.isUnfound) await this.attempt.disown();
    return ending;
  }

  async #work(): Promise<Ending> {
    try {
      const step = await this.#firstSteps();
      if (step.kind !== 'launch') return step;
      const { launch, diffRefs, trigger } = step;
      return await this.#afterAttempt(await this.attempt.run(launch, diffRefs, trigger, this.#ageMs()));
    } catch (error) {
      if (this.#signal.aborted) return this.#stopEnding();
      if (!(error instanceof DrydockError)) throw error; // a bug: the process ends, and the lease runs out
      return endingOfError(error);
    }
  }

  /** All before a launch: it has returned when an agent works, so that what it has read need not be kept meanwhile. */
  async #firstSteps(): Promise<Ending | BegunLaunch> {
    const { queue, metrics, log, reach } = this.#ports;
    reach?.('task.leased');
    this.#heartbeat.check();
    if (await isOverLimit(this.#ports, this.#task)) {
      return { kind: 'release', delayMs: limitDelayMs(this.#ports.random), why: 'policy-limit' };
    }
    const seen = await this.#unlessUnfound(() => this.#observe());
    if (seen !== null) {
      const unpublished = await this.#unlessUnfound(() => this.#unpublishedRun(seen.mergeRequest));
      if (unpublished !== null) return await this.#publish(unpublished);
    }
    const adopted = await this.attempt.adopt(seen?.mergeRequest ?? null);
    if (adopted !== null) {
      // Where a failure is told, and what it means under its policy.
      if (seen === null) await ifAnswered(log, this.#signal, () => this.#observe());
      return await this.#afterAttempt(await this.attempt.conclude(adopted));
    }
    await this.attempt.drop();
    const { mergeRequest, answer } = seen ?? (await this.#observe());

    const policy = answer.kind === 'applies' ? answer.policy : this.#default();
    const decision = await this.#decide(mergeRequest, policy);
    if (answer.kind === 'held' && decision.reason !== 'project-not-allowed' && decision.reason !== 'closed') {
      return heldEnding(answer.name);
    }
    metrics.decided(decision.kind, decision.reason);
    const { trigger } = this.#task;
    log.info(
      {
        ...{ trigger, decision: decision.kind, reason: decision.reason, headSha: mergeRequest.headSha ?? '' },
        ...(policy.name === null ? {} : { policy: policy.name, generation: policy.generation }),
      },
      'decided',
    );
    reach?.('task.decided');
    if (decision.kind === 'skip') return await this.#skip(mergeRequest, decision);
    if (this.#task.adopted?.isLast === true) {
      return { kind: 'fail', failure: { class: 'terminal', ...adoptedTooOften, retryAfterMs: null } };
    }
    if (decision.kind === 'wait') return waitEnding(decision);

    const isOrder = decision.reason === 'commanded' || decision.reason === 'review-requested';
    if (isOrder) this.#note.askedFor();
    const { diffRefs } = mergeRequest;
    if (diffRefs === null) throw new TransientError('forge.not_ready', 'the forge has not prepared the diff');
    this.#heartbeat.check();
    const begun = await queue.beginLaunch(this.#task, diffRefs.headSha);
    if (begun.kind === 'lost') return { kind: 'abandon' };
    reach?.('launch.recorded');
    const told = isOrder ? trigger : withoutOrder(trigger);
    return { kind: 'launch', launch: begun.launch, diffRefs, trigger: told };
  }

  async #observe(): Promise<{ readonly mergeRequest: MergeRequest; readonly answer: PolicyAnswer }> {
    const mergeRequest = await this.#ports.gateway.readMergeRequest(this.#task.subject, this.#signal);
    this.#note.about(mergeRequest, isReviewed(mergeRequest));
    this.#ports.reach?.('task.observed');
    const answer = this.#policyFor(mergeRequest);
    if (answer.kind === 'applies') {
      this.attempt.under(answer.policy);
      this.#note.under(answer.policy);
    }
    return { mergeRequest, answer };
  }

  /** Null also where nobody answers while an agent may be at work that was not found yet: it goes before all faults. */
  async #unlessUnfound<Answer>(ask: () => Promise<Answer>): Promise<Answer | null> {
    if (!this.attempt.isUnfound) return await ask();
    const found = await ifAnswered(this.#ports.log, this.#signal, ask);
    return found.kind === 'answered' ? found.answer : null;
  }

  /** By the project as the forge names it now. */
  #policyFor({ ref: { forge, projectId }, projectPath }: MergeRequest): PolicyAnswer {
    const { policies } = this.#ports;
    if (policies === undefined) return { kind: 'applies', policy: this.#default() };
    return policies.policyFor({ forge, projectId, projectPath });
  }

  #default(): AppliedPolicy {
    return defaultPolicy(this.#ports.policy, this.#ports.pod);
  }

  async #decide(mergeRequest: MergeRequest, { review, triggers }: AppliedPolicy): Promise<Decision> {
    const { gateway, isProjectAllowed } = this.#ports;
    const { subject, command, trigger } = this.#task;
    const commander = command === null ? null : await gateway.readMember(subject, command.userId, this.#signal);
    return decideReview({
      trigger,
      command,
      commander,
      mergeRequest,
      doneHeadSha: this.#task.doneHeadSha,
      policy: review,
      triggers,
      isProjectAllowed,
      ageMs: this.#ageMs(),
    });
  }

  /** By our own clock, which may differ from the store's: good enough for waits of minutes. */
  #ageMs(): number {
    return Math.max(0, this.#ports.clock.nowMs() - this.#task.queuedAtMs);
  }

  /**
   * A result of an earlier launch that was paid for but does not stand on the merge request yet; or it does, but who
   * published it did not hear of that, or did not live to record it.
   */
  async #unpublishedRun(mergeRequest: MergeRequest): Promise<RunView | null> {
    const { taskId, launch, adopted, doneHeadSha, trigger } = this.#task;
    if (launch === 0 || mergeRequest.state !== 'opened') return null;
    const run = await this.#ports.gateway.readRun(runIdOf(taskId, launch), this.#signal);
    if (run?.result?.kind !== 'review' || run.result.headSha !== mergeRequest.headSha) return null;
    const isRecorded = doneHeadSha === run.result.headSha || withoutOrder(trigger) !== trigger;
    if (run.isPublished && isRecorded && adopted?.state !== 'publishing') return null;
    this.attempt.began(run.runId);
    return run;
  }

  async #skip(mergeRequest: MergeRequest, decision: Extract<Decision, { kind: 'skip' }>): Promise<Ending> {
    if (decision.announce !== 'silent') {
      const state: ReviewState = { kind: 'skipped', headSha: mergeRequest.headSha, why: skipTexts[decision.reason] };
      await this.#note.show(state, decision.announce === 'create');
    }
    return { kind: 'complete', outcome: { kind: 'skipped', why: decision.reason } };
  }

  async #afterAttempt(end: AttemptEnd): Promise<Ending> {
    switch (end.kind) {
      case 'review':
        return await this.#publish(end.run);
      case 'over-budget':
        return await this.#overBudget(end.headSha, end.why);
      case 'ending':
        return end.ending;
      default:
        return unreachable(end);
    }
  }

  async #overBudget(headSha: Sha, why: string): Promise<Ending> {
    this.#ports.log.info({ decision: 'skip', reason: 'over-budget', headSha }, 'decided');
    this.#ports.metrics.decided('skip', 'over-budget');
    await this.#note.show({ kind: 'over-budget', headSha, why }, true);
    return { kind: 'complete', outcome: { kind: 'skipped', why: 'over-budget' } };
  }

  async #publish(run: RunView): Promise<Ending> {
    this.#heartbeat.check();
    const publishing = await this.#ports.queue.beginPublishing(this.#task);
    if (publishing.kind === 'lost') return { kind: 'abandon' };
    this.#ports.reach?.('publish.recorded');
    this.#heartbeat.check();
    const publication = await this.#ports.gateway.publishRun(run.runId, this.#signal);
    this.#ports.reach?.('publish.answered');
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
    const why: unknown = this.#signal.reason;
    if (!(why instanceof StopSignal)) throw why; // a bug in the heartbeat
    switch (why.reason) {
      case 'lease-lost':
        return { kind: 'abandon' };
      case 'shutdown':
        return this.attempt.isLeft || this.attempt.isUnfound ? { kind: 'hand-over' } : stoppedEnding;
      case 'superseded':
        this.#ports.metrics.superseded();
        return { kind: 'complete', outcome: { kind: 'superseded', why: 'a newer head was pushed' } };
      case 'closed':
        return { kind: 'complete', outcome: { kind: 'cancelled', why: closedMeanwhile } };
      case 'cancelled':
        return { kind: 'complete', outcome: { kind: 'cancelled', why: cancelledByPerson } };
      default:
        return unreachable(why.reason);
    }
  }
}

/** A wider policy is no answer: it might allow what this one was written to forbid. */
function heldEnding(name: string): Ending {
  return { kind: 'blocked', code: 'policy.invalid', message: `the policy ${name} of this project cannot be applied` };
}

/** An event of somebody who may not give orders is worth what any other event is: the gateway obeys orders, too. */
function withoutOrder(trigger: Trigger): Trigger {
  return trigger === 'commanded' || trigger === 'review-requested' ? 'pushed' : trigger;
}

/** A diff that does not come for very long counts like a forge that fails: not at once, but it has an end. */
function waitEnding({ delayMs, reason, isOverdue }: Extract<Decision, { kind: 'wait' }>): Ending {
  if (!isOverdue) return { kind: 'release', delayMs, why: reason };
  const message = 'the forge does not prepare the diff of the newest head';
  return { kind: 'fail', failure: { class: 'infra', code: 'forge.not_ready', message, retryAfterMs: null } };
}
