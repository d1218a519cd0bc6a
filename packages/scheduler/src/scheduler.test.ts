import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BlockedError,
  StaleError,
  TransientError,
  projectAllowList,
  runIdOf,
  type Member,
  type RunGrant,
  type Trigger,
} from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { exitedWell } from './testing/hand-launcher.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';
import { aResult, sha, subject, taskId, type WorldGateway } from './testing/world-gateway.ts';

const never = new AbortController().signal;

describe('scheduler', () => {
  let stage: SchedulerStage;
  let gateway: WorldGateway;

  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
    gateway = stage.gateway;
    stage.start();
  });
  afterEach(async () => {
    await stage.stop();
  });

  it('takes a merge request from the queue to a published review', async () => {
    await stage.event();
    expect(await stage.task()).toMatchObject({ state: 'running', launch: 1 });
    await stage.finishReview();

    expect(gateway.published).toEqual([sha('a')]);
    expect(gateway.states).toEqual([{ kind: 'reviewing', headSha: sha('a'), attempt: 1 }]);
    expect(gateway.revoked).toEqual([runIdOf(taskId, 1)]);
    expect(await stage.task()).toMatchObject({ state: 'done', outcome: { kind: 'done' }, launch: 1, failures: 0 });
  });

  it('reviews nothing twice: a second event for a reviewed head is skipped, with the reason kept', async () => {
    await stage.event();
    await stage.finishReview();
    await stage.event({ trigger: 'labeled' });

    expect(stage.launcher.agents).toHaveLength(1);
    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'head-already-reviewed' } });
  });

  it('stops the run when a newer head is pushed, and reviews that one', async () => {
    await stage.event();
    gateway.headSha = sha('b');
    await stage.event({ headSha: sha('b') });

    expect(gateway.revoked).toEqual([runIdOf(taskId, 1)]);
    expect(stage.launcher.running).toBe(1);
    await stage.finishReview();
    expect(gateway.published).toEqual([sha('b')]);
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 2, failures: 0 });
  });

  it('stops the run when the merge request is closed', async () => {
    await stage.event();
    gateway.changes = { state: 'closed' };
    await stage.event({ trigger: 'closed' });

    expect(stage.launcher.running).toBe(0);
    expect(gateway.published).toEqual([]);
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'skipped' });
    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'closed' } });
  });

  it('tries again after a crash, and says so on the merge request until it gives up', async () => {
    await stage.event();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await stage.clock.advance(600_000);
      expect(stage.launcher.agents).toHaveLength(attempt);
      await stage.endAgent({ kind: 'exited', code: 1, signal: null, lastWords: 'boom' });
    }

    expect(gateway.states.filter((state) => state.kind === 'failed').map((state) => state.willRetry)).toEqual([
      true,
      true,
      true, // told before it is recorded: a scheduler may die in between
      false,
    ]);
    expect(await stage.task()).toMatchObject({ state: 'dead', launch: 3, lastError: { code: 'run.crashed' } });
  });

  it('does not try again what ran out of time', async () => {
    await stage.event();
    await stage.endAgent({ kind: 'timed-out' });

    expect(await stage.task()).toMatchObject({ state: 'dead', lastError: { code: 'run.timed_out' } });
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: false });
  });

  it('publishes a result that was paid for without a new run, however often publishing failed', async () => {
    gateway.faults.set('publishRun', [
      new TransientError('forge.unavailable', '500'),
      new TransientError('forge.timeout', 'hung'),
    ]);
    await stage.event();
    await stage.finishReview();
    await stage.clock.advance(1_800_000);

    expect(stage.launcher.agents).toHaveLength(1);
    expect(gateway.published).toEqual([sha('a')]);
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 1 });
  });

  it('publishes nothing of a head that moved while the agent worked, and looks again at what is there now', async () => {
    gateway.faults.set('publishRun', [new StaleError('merge_request.head_moved', 'a newer head')]);
    await stage.event();
    await stage.finishReview();
    expect(gateway.published).toEqual([]);

    gateway.headSha = sha('b');
    await stage.clock.advance(2000);
    await stage.finishReview();

    expect(gateway.published).toEqual([sha('b')]);
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 2, failures: 0 });
  });

  it('shows that a run had no budget left', async () => {
    await stage.event();
    const agent = stage.launcher.agents.at(-1);
    const spent = {
      kind: 'failed',
      class: 'terminal',
      code: 'budget.run_spent',
      message: 'spent',
      retryAfterMs: null,
    } as const;
    gateway.submit(agent?.launch.runId ?? '', spent);
    await stage.endAgent(exitedWell);

    expect(gateway.states.at(-1)).toEqual({ kind: 'over-budget', headSha: sha('a'), why: 'spent' });
    expect(stage.logged).toContainEqual({
      message: 'decided',
      facts: { decision: 'skip', reason: 'over-budget', headSha: sha('a') },
    });
    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'over-budget' } });
  });

  it('keeps a task whose forge refuses our credential, and counts nothing', async () => {
    gateway.faults.set('readMergeRequest', [new BlockedError('forge.unauthorized', 'token refused')]);
    await stage.event();
    expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 0 });

    await stage.clock.advance(60_000);
    await stage.finishReview();

    expect(await stage.task()).toMatchObject({ state: 'done', failures: 0 });
  });

  it('waits for the diff of the newest head', async () => {
    gateway.changes = { diffRefs: null };
    await stage.event();
    await stage.clock.advance(10_000);
    expect(stage.launcher.agents).toHaveLength(0);

    gateway.changes = {};
    await stage.clock.advance(30_000);

    expect(stage.launcher.agents).toHaveLength(1);
  });

  it('shows a spent budget and a repository that wants no review', async () => {
    gateway.grant = () => ({ kind: 'over-budget', why: 'the day’s budget of $50 is spent' });
    await stage.event();
    expect(gateway.states).toMatchObject([{ kind: 'over-budget' }]);

    gateway.grant = () => ({ kind: 'skip', why: 'switched-off-by-repository', detail: '.drydock.yaml says so' });
    await stage.event();

    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'switched-off-by-repository' } });
    expect(stage.launcher.agents).toHaveLength(0);
  });

  it('lets a summary note that cannot be written keep no review from ending', async () => {
    gateway.faults.set('writeState', [new TransientError('forge.unavailable', '500')]);
    await stage.event();
    await stage.finishReview();

    expect(await stage.task()).toMatchObject({ state: 'done' });
  });

  it.each([
    [1, 1],
    [3, 3],
  ])('works on %d at once and no more', async (maxRunning, expected) => {
    await stage.stop();
    const { queue, launcher } = (stage = new SchedulerStage(new ManualClock()));
    stage.gateway.changes = { reviewed: null };
    stage.start({ maxRunning });
    for (const iid of [1, 2, 3, 4, 5]) await stage.event({ subject: { ...subject, iid } });
    for (let ended = 0; ended < 5; ended += 1) {
      const agent = launcher.agents[ended];
      stage.gateway.submit(agent?.launch.runId ?? '', aResult(sha('a')));
      agent?.end(exitedWell);
      await stage.clock.advance(0);
    }

    expect([launcher.agents.length, launcher.mostAtOnce]).toEqual([5, expected]);
    expect(await queue.stats()).toMatchObject({ waiting: 0, running: 0, processedToday: 5 });
  });

  it('puts its tasks back when it is stopped, and another scheduler goes on', async () => {
    await stage.event();
    await stage.stop();
    expect(stage.launcher.running).toBe(0);
    expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 0 });

    stage.start();
    await stage.clock.advance(0);
    await stage.finishReview();

    expect(await stage.task()).toMatchObject({ state: 'done', launch: 2 });
  });

  it('publishes what a scheduler left behind that died after its agent had ended', async () => {
    await stage.stop();
    await stage.event();
    const dead = await stage.queue.lease({
      owner: 'dead',
      ttlMs: 15_000,
      limits: { total: 1, perForge: null, perProject: null },
    });
    if (dead === null) throw new Error('nothing to lease');
    await stage.queue.beginLaunch(dead, sha('a'));
    const diffRefs = { baseSha: sha('c'), startSha: sha('c'), headSha: sha('a') };
    await gateway.startRun({ v: 1, taskId, launch: 1, subject, diffRefs, trigger: 'pushed' }, never);
    gateway.submit(runIdOf(taskId, 1), aResult(sha('a')));

    stage.start();
    await stage.clock.advance(20_000);

    expect(stage.launcher.agents).toHaveLength(0);
    expect(gateway.published).toEqual([sha('a')]);
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 1, lease: 2 });
  });

  it('leaves a project alone that is not on the list, whatever path its webhook told', async () => {
    await stage.stop();
    gateway.changes = { projectPath: 'secret/plans' };
    stage.start({}, { isProjectAllowed: projectAllowList(['shop/*']) });
    await stage.event({ projectPath: 'shop/orders' });

    expect(gateway.writes).toEqual([]);
    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'project-not-allowed' } });
  });

  it('answers a member who asked at a closed merge request, and no stranger', async () => {
    const command = { verb: 'review', noteId: '11', userId: '3' } as const;
    gateway.changes = { state: 'closed' };
    gateway.member = { v: 1, role: 'none', isSelf: false, isBot: false };
    await stage.event({ trigger: 'commanded', command });
    expect(gateway.states).toEqual([]);

    gateway.member = { v: 1, role: 'developer', isSelf: false, isBot: false };
    await stage.event({ trigger: 'commanded', command });

    expect(gateway.states).toMatchObject([{ kind: 'skipped', why: 'the merge request is not open' }]);
  });

  it('revokes the token as soon as the agent has ended, before it publishes', async () => {
    await stage.event();
    gateway.interludes.set('publishRun', async () => {
      expect(gateway.revoked).toEqual([runIdOf(taskId, 1)]);
    });
    await stage.finishReview();

    expect(await stage.task()).toMatchObject({ state: 'done' });
  });

  it('ends an agent that goes on after it handed in its result, and publishes that', async () => {
    await stage.event();
    gateway.submit(runIdOf(taskId, 1), aResult(sha('a')));
    await stage.clock.advance(20_000);

    expect(stage.launcher.running).toBe(0);
    expect(gateway.published).toEqual([sha('a')]);
    expect(await stage.task()).toMatchObject({ state: 'done', failures: 0 });
  });

  it('gives an agent that has handed in its result time to end by itself', async () => {
    await stage.event();
    gateway.submit(runIdOf(taskId, 1), aResult(sha('a')));
    await stage.clock.advance(8000);
    expect(stage.launcher.running).toBe(1);
    await stage.endAgent(exitedWell);

    expect(stage.logged.map(({ message }) => message)).not.toContain('agent ended that went on');
  });

  it('ends an agent whose run was revoked in the gateway', async () => {
    await stage.event();
    await gateway.revokeRun(runIdOf(taskId, 1), never);
    await stage.clock.advance(20_000);

    expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 1, lastError: { code: 'run.cancelled' } });
  });

  it('tells in the log what an agent said last that left no result', async () => {
    await stage.event();
    await stage.endAgent({ kind: 'exited', code: 78, signal: null, lastWords: 'DRYDOCK_WORK_DIR: not set' });

    expect(stage.logged.find(({ message }) => message === 'agent left no result')?.facts).toMatchObject({
      lastWords: 'DRYDOCK_WORK_DIR: not set',
    });
    expect(await stage.task()).toMatchObject({ state: 'dead', lastError: { code: 'config.invalid' } });
  });

  it.each<[string, Member['role'], Trigger]>([
    ['a stranger is no order', 'none', 'pushed'],
    ['a member is one', 'developer', 'commanded'],
  ])('tells the gateway that a command of %s', async (_name, role, told) => {
    const triggers: Trigger[] = [];
    gateway.member = { v: 1, role, isSelf: false, isBot: false };
    gateway.grant = (request) => {
      triggers.push(request.trigger);
      return { kind: 'over-budget', why: 'spent' };
    };

    await stage.event({ trigger: 'commanded', command: { verb: 'review', noteId: '11', userId: '3' } });

    expect(triggers).toEqual([told]);
  });

  it.each<[Extract<RunGrant, { kind: 'skip' }>['why'], boolean]>([
    ['draft', false],
    ['label', false],
    ['switched-off-by-repository', false],
    ['nothing-to-review', true],
    ['bad-repository-config', true],
  ])('writes a note about %s of a repository: %p', async (why, isNote) => {
    gateway.grant = () => ({ kind: 'skip', why, detail: 'so it is' });

    await stage.event();

    expect(gateway.states).toHaveLength(isNote ? 1 : 0);
    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why } });
  });

  it('answers a member who asked, whatever the repository wants', async () => {
    gateway.grant = () => ({ kind: 'skip', why: 'switched-off-by-repository', detail: 'so it is' });

    await stage.event({ trigger: 'commanded', command: { verb: 'review', noteId: '11', userId: '3' } });

    expect(gateway.states).toMatchObject([{ kind: 'skipped', why: 'so it is' }]);
  });
});
