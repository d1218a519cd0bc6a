import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BlockedError,
  StaleError,
  TerminalError,
  TransientError,
  runIdOf,
  type DrydockError,
  type FailedResult,
} from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { exitedWell } from './testing/hand-launcher.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';
import { sha, taskId, type GatewayCall, type WorldGateway } from './testing/world-gateway.ts';

const command = { verb: 'review', noteId: '11', userId: '3' } as const;
/** Without these calls there is no review; the summary note and revoking are courtesies. */
const needed: readonly GatewayCall[] = ['readMergeRequest', 'readMember', 'startRun', 'readRun', 'publishRun'];
const everyCall: readonly GatewayCall[] = [...needed, 'writeState', 'revokeRun'];
const hour = 3_600_000;

describe('a task that meets a fault', () => {
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

  /** For hours and days: one that looks for work each half minute, not each second. */
  async function startUnhurried(): Promise<void> {
    await stage.stop();
    stage = new SchedulerStage(new ManualClock());
    gateway = stage.gateway;
    stage.start({ pollMs: 30_000 });
  }

  const down = () => new TransientError('gateway.unreachable', 'ECONNREFUSED');

  /** From now on every call fails so, until it is taken back. */
  function failAll(calls: readonly GatewayCall[], error: () => Error): () => void {
    for (const call of calls) gateway.faults.set(call, Array.from({ length: 10_000 }, error));
    return () => {
      gateway.faults.clear();
    };
  }

  /** Lets the time pass, in steps in which agents end as soon as they were launched. */
  async function pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 1000) {
      await stage.clock.advance(1000);
      if (stage.launcher.running > 0) await stage.finishReview();
    }
  }

  describe.each<[string, (code: number) => DrydockError]>([
    ['of a credential', () => new BlockedError('forge.unauthorized', 'GitLab refuses the token')],
    ['of our own credential', () => new BlockedError('gateway.unauthorized', 'the gateway refused our token')],
    ['of a gateway that is away', () => down()],
    ['of a gateway that hangs', () => new TransientError('gateway.timeout', 'no answer')],
    [
      'of a forge that asks to slow down',
      () => new TransientError('forge.rate_limited', '429', { retryAfterMs: 90_000 }),
    ],
  ])('%s', (_name, error) => {
    it.each(everyCall)('at %s is kept, counts nothing, and is done when that is over', async (call) => {
      gateway.faults.set(call, [error(0), error(1), error(2), error(3)]);

      await stage.event({ trigger: 'commanded', command });
      for (let minutes = 0; minutes < 30 && (await stage.task()).state !== 'done'; minutes += 1) await pass(60_000);
      await pass(60_000);

      expect(gateway.published).toEqual([sha('a')]);
      expect(await stage.task()).toMatchObject({ state: 'done', failures: 0 });
    });
  });

  it('of a gateway that is away for hours is tried ever more rarely, and done when it is back', async () => {
    await startUnhurried();
    let calls = 0;
    const isBack = failAll(everyCall, () => down());
    const { readMergeRequest } = gateway;
    gateway.readMergeRequest = (...args) => {
      calls += 1;
      return readMergeRequest.apply(gateway, args);
    };
    await stage.event();
    await stage.clock.advance(4 * hour);
    expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 0, launch: 0 });
    expect(calls).toBeGreaterThan(4 * 12 - 2);
    expect(calls).toBeLessThan(4 * 24);

    isBack();
    await pass(600_000);

    expect(gateway.published).toEqual([sha('a')]);
  });

  it('of a gateway that publishes and is not heard costs no second review, and ends as done', async () => {
    const { publishRun } = gateway;
    let isHeard = false;
    gateway.publishRun = async (...args) => {
      const publication = await publishRun.apply(gateway, args);
      if (isHeard) return publication;
      isHeard = true;
      throw down();
    };
    await stage.event();
    await stage.finishReview();
    await pass(600_000);

    expect(stage.launcher.agents).toHaveLength(1);
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 1, failures: 0 });
  });

  it('of a gateway that goes away while the agent works loses nothing that was paid for', async () => {
    await startUnhurried();
    await stage.event();
    gateway.submitReview(runIdOf(taskId, 1));
    const isBack = failAll(everyCall, () => down());
    await stage.endAgent(exitedWell);
    await stage.clock.advance(hour);
    isBack();
    await stage.clock.advance(hour);

    expect(stage.launcher.agents).toHaveLength(1);
    expect(gateway.published).toEqual([sha('a')]);
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 1, failures: 0 });
  });

  it('of a model that is overloaded is shown, and has an end', async () => {
    await startUnhurried();
    const overloaded: FailedResult = {
      kind: 'failed',
      class: 'transient',
      code: 'model.overloaded',
      message: 'The model could not be used.',
      retryAfterMs: null,
    };
    await stage.event();
    for (let attempt = 1; attempt <= 40; attempt += 1) {
      expect(stage.launcher.agents).toHaveLength(attempt);
      gateway.submit(runIdOf(taskId, attempt), overloaded, 3);
      await stage.endAgent(exitedWell);
      expect(await stage.task()).toMatchObject({ failures: 0 });
      await stage.clock.advance(2_250_000);
    }

    expect(await stage.task()).toMatchObject({ state: 'dead', lastError: { code: 'model.overloaded' } });
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: false });
  });

  it('of a forge that cannot prepare a diff waits without counting, then fails visibly', async () => {
    await startUnhurried();
    gateway.changes = { diffRefs: null };
    await stage.event();
    await stage.clock.advance(1_700_000);
    expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 0, lastError: null });

    await stage.clock.advance(26 * hour);

    expect(await stage.task()).toMatchObject({ state: 'dead', lastError: { code: 'forge.not_ready' } });
    expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', headSha: sha('a'), willRetry: false });
  });

  it('lets a fresh push in an old backlog have its time, too', async () => {
    await stage.stop();
    stage = new SchedulerStage(new ManualClock());
    gateway = stage.gateway;
    await stage.event();
    await stage.clock.advance(2 * hour); // nobody leased it
    gateway.changes = { diffRefs: null };
    stage.start();
    await stage.clock.advance(5000);
    expect(await stage.task()).toMatchObject({ state: 'waiting', outcome: null });

    gateway.changes = {};
    await pass(600_000);

    expect(gateway.published).toEqual([sha('a')]);
  });

  describe('hides no review that stands', () => {
    beforeEach(() => {
      gateway.reviewed = { headSha: sha('a'), baseSha: sha('c'), state: 'done' };
      gateway.states.push({ kind: 'reviewing', headSha: sha('a'), attempt: 1 });
      gateway.member = { v: 1, role: 'none', isSelf: false, isBot: false };
    });

    it.each<[string, DrydockError]>([
      ['passing', new TransientError('forge.conflict', '409')],
      ['final', new TerminalError('forge.rejected', '422')],
      ['blocked', new BlockedError('forge.forbidden', '403')],
    ])('when one that is %s comes before anything was decided', async (_name, error) => {
      gateway.faults.set('readMember', [error]);

      await stage.event({ trigger: 'commanded', command });

      expect(gateway.states).toHaveLength(1);
    });

    it('when the merge request could not even be read', async () => {
      gateway.faults.set('readMergeRequest', [new TransientError('forge.bad_answer', 'HTML')]);

      await stage.event();

      expect(gateway.states).toHaveLength(1);
      expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 1 });
    });
  });

  it('tells what is final before it records it: afterwards nobody would come back to tell', async () => {
    const order: string[] = [];
    const { fail } = stage.queue;
    stage.queue.fail = (...args) => {
      order.push('recorded');
      return fail.apply(stage.queue, args);
    };
    gateway.interludes.set('startRun', async () => {
      gateway.interludes.set('writeState', async () => {
        order.push('told');
      });
      throw new TerminalError('git.output_too_large', 'too large');
    });

    await stage.event();

    expect(order).toEqual(['told', 'recorded']);
    expect(gateway.states).toMatchObject([{ kind: 'failed', headSha: sha('a'), willRetry: false }]);
    expect(await stage.task()).toMatchObject({ state: 'dead' });
  });

  it('says nothing on a merge request that another scheduler has taken', async () => {
    await stage.event();
    stage.queue.fail = () => Promise.resolve({ kind: 'lost' });
    gateway.states.length = 0;

    await stage.endAgent({ kind: 'exited', code: 1, signal: null, lastWords: '' });

    expect(gateway.states).toEqual([]);
  });

  it('ends whatever the summary note and the revoking do', async () => {
    failAll(['writeState', 'revokeRun'], () => new TransientError('forge.timeout', 'hung'));

    await stage.event();
    await stage.finishReview();

    expect(await stage.task()).toMatchObject({ state: 'done' });
  });

  it.each<[StaleError, object]>([
    [new StaleError('merge_request.head_moved', 'newer'), { state: 'done', launch: 2 }],
    [new StaleError('run.unknown', 'forgotten'), { state: 'done', launch: 2 }],
    [new StaleError('run.launch_superseded', 'newer launch'), { state: 'publishing', launch: 1 }],
  ])('%s at publishing is taken for what it is', async (error, expected) => {
    gateway.faults.set('publishRun', [error]);
    await stage.event();
    if (error.code === 'run.unknown') gateway.interludes.set('publishRun', async () => gateway.runs.clear());
    else gateway.headSha = sha('b');
    if (error.code === 'run.launch_superseded') gateway.headSha = sha('a');

    await stage.finishReview();
    await stage.clock.advance(2000);
    if (stage.launcher.running > 0) await stage.finishReview();

    expect(await stage.task()).toMatchObject(expected);
  });

  describe('by the word of an agent', () => {
    const claim = (changes: Partial<FailedResult>): FailedResult => ({
      kind: 'failed',
      class: 'transient',
      code: 'model.overloaded',
      message: 'm',
      retryAfterMs: null,
      ...changes,
    });

    async function runWith(result: FailedResult, calls: number): Promise<void> {
      await stage.event();
      gateway.submit(runIdOf(taskId, 1), result, calls);
      await stage.endAgent(exitedWell);
    }

    it('is blocked when the model refused its first call', async () => {
      await runWith(claim({ class: 'blocked', code: 'model.billing' }), 0);

      expect(await stage.task()).toMatchObject({ state: 'waiting', failures: 0 });
      expect(gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: true });
      await stage.clock.advance(60_000);
      expect(stage.launcher.agents).toHaveLength(2);
    });

    it('is counted when it spent something before: it could else spend for ever', async () => {
      await runWith(claim({ class: 'blocked', code: 'model.billing' }), 7);

      expect(await stage.task()).toMatchObject({ failures: 1 });
    });

    it('is counted when the code is none that the model could have caused', async () => {
      await runWith(claim({ code: 'gateway.unreachable' }), 0);

      expect(await stage.task()).toMatchObject({ failures: 1 });
    });

    it('is recorded under no name of its choice', async () => {
      await runWith(claim({ class: 'terminal', code: '\u001b[2Jforged\n' }), 0);

      expect(await stage.task()).toMatchObject({ state: 'dead', lastError: { code: 'run.crashed' } });
    });

    it('that it ended well, without a result, is believed once', async () => {
      await stage.event();
      await stage.endAgent(exitedWell);
      expect(await stage.task()).toMatchObject({
        state: 'waiting',
        failures: 1,
        lastError: { code: 'run.incomplete' },
      });
      await stage.clock.advance(600_000);
      await stage.endAgent(exitedWell);

      expect(await stage.task()).toMatchObject({ state: 'dead', launch: 2 });
    });
  });

  it('row 61: that kills its agent each time dies in the end, and keeps no other from its turn', async () => {
    const other = { forge: 'gitlab', projectId: '42', iid: 8 };
    gateway.changes = { reviewed: null };
    await stage.event();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await stage.endAgent({ kind: 'exited', code: null, signal: 'SIGKILL', lastWords: '' });
      await stage.event({ subject: other, headSha: sha('d') });
      if (stage.launcher.running > 0) await stage.finishReview();
      await stage.clock.advance(600_000);
    }

    expect(await stage.task()).toMatchObject({ state: 'dead', failures: 3, lastError: { code: 'run.crashed' } });
    expect(await stage.queue.get('review:gitlab:42:8')).toMatchObject({ failures: 0 });
    expect((await stage.queue.get('review:gitlab:42:8'))?.outcome).not.toBeNull();
  });
});
