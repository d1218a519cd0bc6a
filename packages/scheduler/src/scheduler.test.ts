import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BlockedError,
  ReviewPolicy,
  StaleError,
  TransientError,
  noUsage,
  runIdOf,
  silentLog,
  type Member,
  type MergeRequest,
  type Publication,
  type ReviewResult,
  type ReviewState,
  type RunGrant,
  type RunRequest,
  type RunView,
  type StateRequest,
  type TaskRequest,
} from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';
import type { Gateway } from './gateway.ts';
import type { AgentExit, AgentLaunch, Launcher } from './launchers/launcher.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { startScheduler, type RunningScheduler } from './start-scheduler.ts';

const taskId = 'review:gitlab:42:7';
const sha = (letter: string) => letter.repeat(40);
const subject = { forge: 'gitlab', projectId: '42', iid: 7 };
const noDebounce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };
const done: AgentExit = { kind: 'exited', code: 0, signal: null, lastWords: '' };

function anEvent(changes: Partial<TaskRequest> = {}): TaskRequest {
  return {
    v: 1,
    kind: 'review',
    subject,
    projectPath: 'shop/orders',
    trigger: 'pushed',
    headSha: sha('a'),
    occurredAtMs: null,
    command: null,
    ...changes,
  };
}

/** A gateway with one merge request, and a world that tests look at. */
class WorldGateway implements Gateway {
  headSha = sha('a');
  reviewed: MergeRequest['reviewed'] = null;
  changes: Partial<MergeRequest> = {};
  member: Member = { v: 1, role: 'developer', isSelf: false, isBot: false };
  grant: ((request: RunRequest) => RunGrant) | null = null;
  /** Errors to be thrown, next first, by the name of the call. */
  readonly faults = new Map<string, Error[]>();
  readonly runs = new Map<string, RunView>();
  readonly states: ReviewState[] = [];
  readonly published: string[] = [];
  readonly revoked: string[] = [];

  #fault(name: string): void {
    const error = this.faults.get(name)?.shift();
    if (error !== undefined) throw error;
  }

  async readMergeRequest(): Promise<MergeRequest> {
    this.#fault('readMergeRequest');
    return {
      v: 1,
      ref: subject,
      projectPath: 'shop/orders',
      webUrl: 'https://gitlab.example',
      title: '',
      description: '',
      state: 'opened',
      isDraft: false,
      labels: [],
      isReviewRequested: false,
      author: { id: '3', username: 'ada', isBot: false },
      authorRole: null,
      sourceBranch: 'x',
      targetBranch: 'main',
      isFromFork: false,
      headSha: this.headSha,
      diffRefs: { baseSha: sha('c'), startSha: sha('c'), headSha: this.headSha },
      reviewed: this.reviewed,
      ...this.changes,
    };
  }

  readMember(): Promise<Member> {
    return Promise.resolve(this.member);
  }

  async writeState(_ref: unknown, request: StateRequest): Promise<{ v: 1; kind: 'written' }> {
    this.#fault('writeState');
    this.states.push(request.state);
    return { v: 1, kind: 'written' };
  }

  async startRun(request: RunRequest): Promise<RunGrant> {
    this.#fault('startRun');
    const granted = this.grant?.(request);
    if (granted !== undefined) return granted;
    const runId = runIdOf(request.taskId, request.launch);
    const { launch } = request;
    this.runs.set(runId, {
      v: 1,
      runId,
      taskId,
      launch,
      isRevoked: false,
      isPublished: false,
      result: null,
      usage: { calls: 0, tokens: noUsage, costUsd: 0 },
    });
    return { kind: 'granted', runId, token: 't'.repeat(43), deadlineSeconds: 600 };
  }

  readRun(runId: string): Promise<RunView | null> {
    return Promise.resolve(this.runs.get(runId) ?? null);
  }

  revokeRun(runId: string): Promise<void> {
    this.revoked.push(runId);
    return Promise.resolve();
  }

  async publishRun(runId: string): Promise<Publication> {
    this.#fault('publishRun');
    const run = this.runs.get(runId);
    if (run?.result?.kind !== 'review') throw new TransientError('run.no_result', 'none');
    this.runs.set(runId, { ...run, isPublished: true });
    this.published.push(run.result.headSha);
    this.reviewed = { headSha: run.result.headSha, baseSha: sha('c'), state: 'done' };
    return {
      v: 1,
      headSha: run.result.headSha,
      state: 'done',
      verdict: 'clean',
      comments: [],
      resolved: 0,
      heldBack: {},
      usage: run.usage,
      summaryUrl: null,
    };
  }

  submit(runId: string, result: RunView['result']): void {
    const run = this.runs.get(runId);
    if (run !== undefined) this.runs.set(runId, { ...run, result });
  }
}

const aResult = (headSha: string): ReviewResult => ({
  kind: 'review',
  headSha,
  partial: null,
  summary: '',
  findings: [],
  changedFiles: 1,
  notRead: [],
  turns: 1,
  stagesMs: {},
});

/** Agents that tests end by hand. */
class HandLauncher implements Launcher {
  readonly agents: { readonly launch: AgentLaunch; end: (exit: AgentExit) => void }[] = [];
  running = 0;
  mostAtOnce = 0;

  run(launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    this.running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    return new Promise((resolve) => {
      const end = (exit: AgentExit) => {
        this.running -= 1;
        resolve(exit);
      };
      signal.addEventListener('abort', () => {
        end({ kind: 'aborted' });
      });
      this.agents.push({ launch, end });
    });
  }
}

describe('scheduler', () => {
  let clock: ManualClock;
  let queue: MemoryTaskQueue;
  let gateway: WorldGateway;
  let launcher: HandLauncher;
  let scheduler: RunningScheduler;

  function start(maxRunning = 1): RunningScheduler {
    return startScheduler(
      {
        queue,
        gateway,
        launcher,
        clock,
        log: silentLog,
        metrics: createSchedulerMetrics(new Registry()),
        policy: ReviewPolicy.parse({}),
      },
      { owner: 'test', maxRunning, leaseTtlMs: 15_000, pollMs: 1000, blockedDelayMs: 60_000 },
    );
  }

  beforeEach(() => {
    clock = new ManualClock();
    queue = new MemoryTaskQueue({ clock, random: () => 0.5 });
    gateway = new WorldGateway();
    launcher = new HandLauncher();
    scheduler = start();
  });
  afterEach(async () => {
    await scheduler.stop();
  });

  /** The agent that was launched last hands in a review and ends. */
  async function finishReview(): Promise<void> {
    const agent = launcher.agents.at(-1);
    if (agent === undefined) throw new Error('no agent was launched');
    gateway.submit(agent.launch.runId, aResult(gateway.headSha));
    agent.end(done);
    await clock.advance(0);
  }

  it('takes a merge request from the queue to a published review', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    expect(await queue.get(taskId)).toMatchObject({ state: 'running', launch: 1 });
    await finishReview();

    expect(gateway.published).toEqual([sha('a')]);
    expect(gateway.states).toEqual([{ kind: 'reviewing', headSha: sha('a'), attempt: 1 }]);
    expect(gateway.revoked).toEqual([runIdOf(taskId, 1)]);
    expect(await queue.get(taskId)).toMatchObject({ state: 'done', outcome: { kind: 'done' }, launch: 1, failures: 0 });
  });

  it('reviews nothing twice: a second event for a reviewed head is skipped, with the reason kept', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    await finishReview();
    await queue.enqueue(anEvent({ trigger: 'labeled' }), noDebounce);
    await clock.advance(0);

    expect(launcher.agents).toHaveLength(1);
    expect(await queue.get(taskId)).toMatchObject({ outcome: { kind: 'skipped', why: 'head-already-reviewed' } });
  });

  it('stops the run when a newer head is pushed, and reviews that one', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    gateway.headSha = sha('b');
    await queue.enqueue(anEvent({ headSha: sha('b') }), noDebounce);
    await clock.advance(0);

    expect(gateway.revoked).toEqual([runIdOf(taskId, 1)]);
    expect(launcher.running).toBe(1);
    await finishReview();
    expect(gateway.published).toEqual([sha('b')]);
    expect(await queue.get(taskId)).toMatchObject({ state: 'done', launch: 2, failures: 0 });
  });

  it('stops the run when the merge request is closed', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    gateway.changes = { state: 'closed' };
    await queue.enqueue(anEvent({ trigger: 'closed' }), noDebounce);
    await clock.advance(0);

    expect(launcher.running).toBe(0);
    expect(gateway.published).toEqual([]);
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'skipped' });
    expect(await queue.get(taskId)).toMatchObject({ outcome: { kind: 'skipped', why: 'closed' } });
  });

  it('tries again after a crash, and says so on the merge request until it gives up', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await clock.advance(600_000);
      expect(launcher.agents).toHaveLength(attempt);
      launcher.agents.at(-1)?.end({ kind: 'exited', code: 1, signal: null, lastWords: 'boom' });
      await clock.advance(0);
    }

    expect(gateway.states.filter((state) => state.kind === 'failed').map((state) => state.willRetry)).toEqual([
      true,
      true,
      false,
    ]);
    expect(await queue.get(taskId)).toMatchObject({ state: 'dead', launch: 3, lastError: { code: 'run.crashed' } });
  });

  it('does not try again what ran out of time', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    launcher.agents.at(-1)?.end({ kind: 'timed-out' });
    await clock.advance(0);

    expect(await queue.get(taskId)).toMatchObject({ state: 'dead', lastError: { code: 'run.timed_out' } });
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: false });
  });

  it('publishes a result that was paid for without a new run, however often publishing failed', async () => {
    gateway.faults.set('publishRun', [
      new TransientError('forge.unavailable', '500'),
      new TransientError('forge.timeout', 'hung'),
    ]);
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    await finishReview();
    await clock.advance(1_800_000);

    expect(launcher.agents).toHaveLength(1);
    expect(gateway.published).toEqual([sha('a')]);
    expect(await queue.get(taskId)).toMatchObject({ state: 'done', launch: 1 });
  });

  it('publishes nothing of a head that moved while the agent worked, and looks again at what is there now', async () => {
    gateway.faults.set('publishRun', [new StaleError('merge_request.head_moved', 'a newer head')]);
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    await finishReview();
    expect(gateway.published).toEqual([]);

    gateway.headSha = sha('b');
    await clock.advance(2000);
    await finishReview();

    expect(gateway.published).toEqual([sha('b')]);
    expect(await queue.get(taskId)).toMatchObject({ state: 'done', launch: 2, failures: 0 });
  });

  it('shows that a run had no budget left', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    const agent = launcher.agents.at(-1);
    const spent = {
      kind: 'failed',
      class: 'terminal',
      code: 'budget.run_spent',
      message: 'spent',
      retryAfterMs: null,
    } as const;
    gateway.submit(agent?.launch.runId ?? '', spent);
    agent?.end(done);
    await clock.advance(0);

    expect(gateway.states.at(-1)).toEqual({ kind: 'over-budget', headSha: sha('a'), why: 'spent' });
    expect(await queue.get(taskId)).toMatchObject({ outcome: { kind: 'skipped', why: 'over-budget' } });
  });

  it('keeps a task whose forge refuses our credential, and counts nothing', async () => {
    gateway.faults.set('readMergeRequest', [new BlockedError('forge.unauthorized', 'token refused')]);
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    expect(await queue.get(taskId)).toMatchObject({ state: 'waiting', failures: 0 });

    await clock.advance(60_000);
    await finishReview();

    expect(await queue.get(taskId)).toMatchObject({ state: 'done', failures: 0 });
  });

  it('waits for the diff of the newest head', async () => {
    gateway.changes = { diffRefs: null };
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(10_000);
    expect(launcher.agents).toHaveLength(0);

    gateway.changes = {};
    await clock.advance(30_000);

    expect(launcher.agents).toHaveLength(1);
  });

  it('shows a spent budget and a repository that wants no review', async () => {
    gateway.grant = () => ({ kind: 'over-budget', why: 'the day’s budget of $50 is spent' });
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    expect(gateway.states).toMatchObject([{ kind: 'over-budget' }]);

    gateway.grant = () => ({ kind: 'skip', why: 'switched-off-by-repository', detail: '.drydock.yaml says so' });
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);

    expect(await queue.get(taskId)).toMatchObject({ outcome: { kind: 'skipped', why: 'switched-off-by-repository' } });
    expect(launcher.agents).toHaveLength(0);
  });

  it('lets a summary note that cannot be written keep no review from ending', async () => {
    gateway.faults.set('writeState', [new TransientError('forge.unavailable', '500')]);
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    await finishReview();

    expect(await queue.get(taskId)).toMatchObject({ state: 'done' });
  });

  it('works strictly one after another with a concurrency of 1, and side by side with more', async () => {
    await scheduler.stop();
    for (const [maxRunning, expected] of [
      [1, 1],
      [3, 3],
    ] as const) {
      launcher = new HandLauncher();
      queue = new MemoryTaskQueue({ clock });
      gateway = new WorldGateway();
      gateway.changes = { reviewed: null };
      scheduler = start(maxRunning);
      for (const iid of [1, 2, 3]) await queue.enqueue(anEvent({ subject: { ...subject, iid } }), noDebounce);
      await clock.advance(0);
      for (let ended = 0; ended < 3; ended += 1) {
        const agent = launcher.agents[ended];
        if (agent !== undefined) gateway.submit(agent.launch.runId, aResult(gateway.headSha));
        agent?.end(done);
        await clock.advance(0);
      }

      expect([launcher.agents.length, launcher.mostAtOnce]).toEqual([3, expected]);
      await scheduler.stop();
    }
    scheduler = start();
  });

  it('puts its tasks back when it is stopped, and another scheduler goes on', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    await scheduler.stop();
    expect(launcher.running).toBe(0);
    expect(await queue.get(taskId)).toMatchObject({ state: 'waiting', failures: 0 });

    scheduler = start();
    await clock.advance(0);
    await finishReview();

    expect(await queue.get(taskId)).toMatchObject({ state: 'done', launch: 2 });
  });

  it('publishes what a scheduler left behind that died after its agent had ended', async () => {
    await scheduler.stop();
    await queue.enqueue(anEvent(), noDebounce);
    const dead = await queue.lease({ owner: 'dead', ttlMs: 15_000, maxRunning: 1 });
    if (dead === null) throw new Error('nothing to lease');
    await queue.beginLaunch(dead, sha('a'));
    await gateway.startRun({
      v: 1,
      taskId,
      launch: 1,
      subject,
      diffRefs: { baseSha: sha('c'), startSha: sha('c'), headSha: sha('a') },
      trigger: 'pushed',
    });
    gateway.submit(runIdOf(taskId, 1), aResult(sha('a')));

    scheduler = start();
    await clock.advance(20_000);

    expect(launcher.agents).toHaveLength(0);
    expect(gateway.published).toEqual([sha('a')]);
    expect(await queue.get(taskId)).toMatchObject({ state: 'done', launch: 1, lease: 2 });
  });

  it('stops writing once its lease may have run out', async () => {
    await queue.enqueue(anEvent(), noDebounce);
    await clock.advance(0);
    queue.extend = () => Promise.reject(new TransientError('queue.unreachable', 'down'));
    await clock.advance(16_000);

    expect(gateway.revoked).toEqual([runIdOf(taskId, 1)]); // and the task, free again, was taken anew
    expect(gateway.published).toEqual([]);
    expect(launcher.agents.map(({ launch }) => launch.runId)).toEqual([runIdOf(taskId, 1), runIdOf(taskId, 2)]);
  });
});
