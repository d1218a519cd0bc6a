import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TransientError, type MergeRequestRef } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import type { AgentExit } from './launchers/launcher.ts';
import { exitedWell } from './testing/hand-launcher.ts';
import { SchedulerStage, leaseTtlMs } from './testing/scheduler-stage.ts';
import { sha, taskId, type GatewayCall, type WorldGateway } from './testing/world-gateway.ts';

/** Every call of the gateway that one review makes, in its order, and where in it something may come in between. */
const stages: readonly GatewayCall[] = [
  'readMergeRequest',
  'readMember',
  'startRun',
  'writeState',
  'readRun',
  'revokeRun',
  'publishRun',
];
const command = { verb: 'review', noteId: '11', userId: '3' } as const;

describe('a task that is stopped', () => {
  let stage: SchedulerStage;
  let gateway: WorldGateway;

  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
    gateway = stage.gateway;
  });
  afterEach(async () => {
    await stage.stop();
  });

  /** Runs a commanded review up to its end; `during` comes in between at a stage. */
  async function review(at: GatewayCall, during: (signal: AbortSignal) => Promise<void>): Promise<void> {
    gateway.interludes.set(at, during);
    await stage.event({ trigger: 'commanded', command });
    const [agent] = stage.launcher.agents;
    if (agent === undefined) return;
    gateway.submitReview(agent.launch.runId);
    agent.end(exitedWell);
    await stage.clock.advance(0);
  }

  /** What a gateway over HTTP does with an aborted call. */
  const rejectWhenAborted = (signal: AbortSignal) => {
    if (signal.aborted) throw new DOMException('This operation was aborted', 'AbortError');
  };

  describe.each([
    ['a gateway that gives up with the signal', true],
    ['a gateway that finishes all the same', false],
  ])('with %s', (_name, isAbortable) => {
    it.each(stages)('row 44: by a newer head at %s reviews that one, once, and counts no fault', async (at) => {
      stage.start();

      await review(at, async (signal) => {
        gateway.headSha = sha('b');
        await stage.queue.enqueue(
          {
            v: 1,
            kind: 'review',
            subject: { forge: 'gitlab', projectId: '42', iid: 7 },
            projectPath: 'shop/orders',
            trigger: 'pushed',
            headSha: sha('b'),
            occurredAtMs: null,
            command: null,
          },
          { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 },
        );
        await new Promise((resolve) => setImmediate(resolve)); // the heartbeat hears of it
        if (isAbortable) rejectWhenAborted(signal);
      });
      await stage.clock.advance(2000);
      if (stage.launcher.running > 0) await stage.finishReview();
      await stage.clock.advance(2000);

      expect(gateway.published.at(-1)).toBe(sha('b'));
      expect(gateway.published.filter((head) => head === sha('b'))).toHaveLength(1);
      expect(await stage.task()).toMatchObject({ failures: 0, isDirty: false });
      expect(['done', 'skipped']).toContain((await stage.task()).state);
      expect(stage.launcher.running).toBe(0);
    });

    it.each(stages)('by the end of the process at %s is put back uncounted, and another goes on', async (at) => {
      const scheduler = stage.start();
      const stopping: Promise<void>[] = [];

      await review(at, async (signal) => {
        stopping.push(scheduler.stop());
        await new Promise((resolve) => setImmediate(resolve));
        if (isAbortable) rejectWhenAborted(signal);
      });
      await Promise.all(stopping);
      expect(['waiting', 'done']).toContain((await stage.task()).state);

      stage.start();
      await stage.clock.advance(2000);
      if (stage.launcher.running > 0) await stage.finishReview();

      expect(gateway.published).toEqual([sha('a')]);
      expect(await stage.task()).toMatchObject({ state: 'done', failures: 0 });
    });
  });

  describe('row 27: by a frozen process whose lease was taken meanwhile', () => {
    it.each(stages)('at %s writes nothing more', async (at) => {
      stage.start();
      let written = 0;

      await review(at, async () => {
        stage.clock.jump(4 * leaseTtlMs);
        const taken = await stage.queue.lease({
          owner: 'other',
          ttlMs: 600_000,
          limits: { total: 10, perForge: null, perProject: null },
        });
        expect(taken).toMatchObject({ taskId, lease: 2 });
        written = gateway.writes.length;
      });
      await stage.clock.advance(0);

      // The call that was on its way when the process froze is fenced by the gateway; none may follow it.
      const own = at === 'startRun' || at === 'writeState' || at === 'publishRun' ? 1 : 0;
      expect(gateway.writes.length).toBeLessThanOrEqual(written + own);
      expect(await stage.task()).toMatchObject({ lease: 2, failures: 0, lastError: null });
      expect(stage.launcher.running).toBe(0);
    });
  });

  it('loses its token before its agent has had the time to end', async () => {
    stage.start();
    const revokedAtAbort: string[][] = [];
    stage.launcher.run = (launch, signal) =>
      new Promise((resolve) => {
        stage.launcher.agents.push({ launch, end: resolve });
        signal.addEventListener('abort', () => {
          setImmediate(() => {
            revokedAtAbort.push([...gateway.revoked]);
            resolve({ kind: 'aborted' });
          });
        });
      });
    await stage.event();
    const [agent] = stage.launcher.agents;

    gateway.headSha = sha('b');
    await stage.event({ headSha: sha('b') });

    expect(revokedAtAbort[0]).toEqual([agent?.launch.runId]);
  });

  it('row 22: by a store that does not answer ends its agent once the lease may have run out, and not before', async () => {
    stage.start();
    await stage.event();
    const { extend } = stage.queue;
    stage.queue.extend = () => Promise.reject(new TransientError('queue.unreachable', 'down'));
    stage.queue.lease = () => Promise.reject(new TransientError('queue.unreachable', 'down'));
    await stage.clock.advance(leaseTtlMs - 1000);
    expect(stage.launcher.running).toBe(1);

    await stage.clock.advance(leaseTtlMs);

    expect(stage.launcher.running).toBe(0);
    expect(gateway.published).toEqual([]);
    stage.queue.extend = extend;
  });

  it('keeps its lease while its agent takes its time to end', async () => {
    stage.start();
    const ended = Promise.withResolvers<AgentExit>();
    const { run } = stage.launcher;
    stage.launcher.run = () => {
      stage.launcher.run = run;
      return ended.promise;
    };
    await stage.event();
    gateway.headSha = sha('b');
    await stage.event({ headSha: sha('b') });
    await stage.clock.advance(4 * leaseTtlMs);
    expect(await stage.task()).toMatchObject({ lease: 1, state: 'running' });

    ended.resolve({ kind: 'aborted' });
    await stage.clock.advance(0);

    expect(await stage.task()).toMatchObject({ lease: 2, launch: 2 });
  });

  it('by a person is cancelled', async () => {
    stage.start();
    await stage.event();

    await stage.queue.interrupt(taskId, 'cancelled');
    await stage.clock.advance(0);

    expect(await stage.task()).toMatchObject({ state: 'cancelled', outcome: { why: 'cancelled by a person' } });
    expect(stage.launcher.running).toBe(0);
  });

  it('by a person says so on the merge request where a review was announced', async () => {
    stage.start();
    await stage.event();
    expect(gateway.states.at(-1)?.kind).toBe('reviewing');
    gateway.reviewed = { headSha: sha('a'), baseSha: sha('c'), state: 'reviewing' };

    await stage.queue.cancel(taskId, 'ada');
    await stage.clock.advance(0);

    expect(gateway.states.at(-1)).toEqual({ kind: 'skipped', headSha: sha('a'), why: 'cancelled by a person' });
  });

  it('by a person hides no review that was published meanwhile', async () => {
    stage.start();
    await review('publishRun', async () => {
      await stage.queue.cancel(taskId, 'ada');
      await new Promise((resolve) => setImmediate(resolve));
      gateway.reviewed = { headSha: sha('a'), baseSha: sha('c'), state: 'done' };
      throw new TransientError('gateway.timeout', 'no answer');
    });

    expect(await stage.task()).toMatchObject({ state: 'cancelled' });
    expect(gateway.states.map(({ kind }) => kind)).toEqual(['reviewing']);
  });

  it('by a person ends also when the forge cannot be told', async () => {
    stage.start();
    await stage.event();
    gateway.faults.set('readMergeRequest', [new TransientError('forge.unreachable', 'down')]);

    await stage.queue.cancel(taskId, 'ada');
    await stage.clock.advance(0);

    expect(await stage.task()).toMatchObject({ state: 'cancelled' });
  });

  it('does not reach another merge request', async () => {
    stage.start({ maxRunning: 2 });
    const other: MergeRequestRef = { forge: 'gitlab', projectId: '42', iid: 8 };
    await stage.event();
    await stage.event({ subject: other });

    await stage.event({ headSha: sha('b') });

    expect(stage.launcher.agents[1]?.launch.runId).toBeDefined();
    expect(await stage.queue.get('review:gitlab:42:8')).toMatchObject({ state: 'running', launch: 1 });
  });
});
