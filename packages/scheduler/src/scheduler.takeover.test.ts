import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, StaleError, TerminalError, TransientError, runIdOf, type DrydockError } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import type { RunningScheduler } from './start-scheduler.ts';
import { OutlivingLauncher } from './testing/outliving-launcher.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';
import { anEvent, sha, taskId, type GatewayCall } from './testing/world-gateway.ts';

const minute = 60_000;
const first = runIdOf(taskId, 1);

/** As a call that its caller gives up. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => {
      reject(new TransientError('gateway.timeout', 'aborted'));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

describe('a task that is taken over with its agent', () => {
  let stage: SchedulerStage;
  let launcher: OutlivingLauncher;

  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
    launcher = new OutlivingLauncher();
  });
  afterEach(() => stage.stop());

  const start = (): RunningScheduler => stage.start({}, { launcher });
  const failNext = (call: GatewayCall, error: DrydockError, times = 1) => {
    stage.gateway.faults.set(
      call,
      Array.from({ length: times }, () => error),
    );
  };

  /** A scheduler launches an agent and stops; whoever comes next takes both over. */
  async function leaveAgent(): Promise<void> {
    const one = start();
    await stage.event();
    expect(launcher.alive).toEqual([first]);
    const stopping = one.stop();
    await stage.clock.advance(0);
    await stopping;
  }

  /** It hands in its review and ends, and everything is done that follows from that. */
  async function finish(): Promise<void> {
    stage.gateway.submitReview(first);
    launcher.end(first);
    await stage.clock.advance(10 * minute);
  }

  const faults: [string, DrydockError][] = [
    ['of a forge that fails', new TransientError('forge.unavailable', '502')],
    ['of a forge that asks to slow down', new TransientError('forge.rate_limited', '429', { retryAfterMs: minute })],
    ['of a forge that refuses our token', new BlockedError('forge.unauthorized', '401')],
    ['of a gateway that is away', new TransientError('gateway.unreachable', 'ECONNREFUSED')],
    ['of a gateway that refuses our token', new BlockedError('gateway.unauthorized', '401')],
  ];
  const calls: readonly GatewayCall[] = ['readMergeRequest', 'readRun'];

  it.each(calls.flatMap((call) => faults.map((fault) => [call, ...fault] as const)))(
    'at a fault of %s, %s, goes on with it',
    async (call, _which, error) => {
      await leaveAgent();
      failNext(call, error, 3);

      start();
      await stage.clock.advance(minute);

      expect(launcher.alive).toEqual([first]);
      expect(await stage.task()).toMatchObject({ state: 'running' }); // so that its place is taken
      await finish();
      expect(await stage.task()).toMatchObject({ state: 'done', launch: 1, failures: 0 });
      expect(stage.gateway.published).toEqual([sha('a')]);
      expect(launcher.mostAlive).toBe(1);
    },
  );

  it('goes on with it while nothing at all answers, however long, and publishes when it does', async () => {
    await leaveAgent();
    const everything: readonly GatewayCall[] = ['readMergeRequest', 'readRun', 'revokeRun', 'writeState', 'publishRun'];
    for (const call of everything) failNext(call, new TransientError('gateway.unreachable', 'down'), 100_000);

    start();
    await stage.clock.advance(30 * minute);
    expect(launcher.alive).toEqual([first]);
    expect(await stage.task()).toMatchObject({ state: 'running' });
    stage.gateway.submitReview(first);
    launcher.end(first);
    await stage.clock.advance(30 * minute);
    stage.gateway.faults.clear();
    await stage.clock.advance(30 * minute);

    expect(await stage.task()).toMatchObject({ state: 'done', launch: 1, failures: 0 });
    expect(launcher.agents).toHaveLength(1);
  });

  it.each([
    ['is away', new TransientError('kube.unreachable', 'down')],
    ['refuses us', new BlockedError('kube.forbidden', '403')],
  ])('keeps it while the cluster %s, and goes on with it then', async (_which, error) => {
    await leaveAgent();
    launcher.faults.push(...Array.from({ length: 20 }, () => error));

    start();
    await stage.clock.advance(5 * minute);

    expect(stage.gateway.revoked).toEqual([]);
    await finish();
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 1 });
    expect(launcher.mostAlive).toBe(1);
  });

  it('is handed on by who is told to stop before the agent was found', async () => {
    await leaveAgent();
    const { promise: isAsked, resolve: asked } = Promise.withResolvers<undefined>();
    stage.gateway.interludes.set('readMergeRequest', async (signal) => {
      asked(undefined);
      await untilAborted(signal);
    });
    const two = start();
    await stage.clock.advance(0);
    await isAsked;
    const stopping = two.stop();
    await stage.clock.advance(0);
    await stopping;

    start();
    await stage.clock.advance(minute);

    expect(launcher.alive).toEqual([first]);
    await finish();
    expect(await stage.task()).toMatchObject({ state: 'done', launch: 1 });
    expect(launcher.mostAlive).toBe(1);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['cancelled', () => stage.queue.cancel(taskId, 'ada')],
    ['closed', () => stage.queue.interrupt(taskId, 'closed')],
    [
      'superseded',
      async () => {
        stage.gateway.headSha = sha('b');
        await stage.queue.enqueue(anEvent({ headSha: sha('b') }), {
          ...{ deliveryKeys: [], debounceMs: 60_000, maxDebounceMs: 60_000 },
        });
      },
    ],
  ])('and %s before the agent was found leaves nothing at work', async (_how, stop) => {
    await leaveAgent();
    stage.gateway.interludes.set('readMergeRequest', async (signal) => {
      await stop();
      await untilAborted(signal);
    });

    start();
    await stage.clock.advance(10_000);

    expect(stage.gateway.revoked).toContain(first);
    expect(launcher.alive).toEqual([]);
  });

  it.each([
    ['final', new TerminalError('forge.rejected', '422')],
    ['that the merge request is gone', new StaleError('merge_request.gone', '404')],
  ])('leaves nothing at work when the answer is %s', async (_which, error) => {
    await leaveAgent();
    failNext('readMergeRequest', error);

    start();
    await stage.clock.advance(500);

    expect(stage.gateway.revoked).toContain(first);
    expect(launcher.alive).toEqual([]);
  });

  it('whose lease was given up all the same finds the agent, and ends it before it begins another', async () => {
    const one = start();
    await stage.event();
    const { handOver } = stage.queue;
    stage.queue.handOver = (held) =>
      stage.queue.release(held, { delayMs: 0, why: 'test' }).then(() => ({ kind: 'lost' }));
    const stopping = one.stop();
    await stage.clock.advance(0);
    await stopping;
    stage.queue.handOver = handOver;

    start();
    await stage.clock.advance(minute);

    expect(stage.gateway.revoked).toContain(first);
    expect(launcher.alive).toEqual([runIdOf(taskId, 2)]);
    expect(launcher.mostAlive).toBe(1);
  });
});
