import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@drydock/core';
import { scriptedReviewer, startRedisServer, type ClaudeScript, type RedisServer } from '@drydock/testkit';
import { CrashStage } from './crash-stage.ts';
import { until } from './start-stage.ts';

/** So long that nothing which waits for its time can be what ends a token. */
const noTimers = { DRYDOCK_LEASE_TTL_MS: '600000', DRYDOCK_POLL_MS: '600000', DRYDOCK_SWEEP_EVERY_MS: '0' };
const callEveryMs = 10;
const boundMs = 200;

interface Call {
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  readonly status: number;
}

describe('a review whose merge request gets a newer head', () => {
  let redis: RedisServer;
  let stage: CrashStage;
  beforeAll(async () => {
    redis = await startRedisServer();
    stage = await CrashStage.open(redis, 0);
  }, 120_000);
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  }, 120_000);

  it('row 44: loses its token because the event came, not because time went by, and it is taken never again', async () => {
    const { promise: isPushed, resolve: pushed } = Promise.withResolvers<undefined>();
    const { promise: isAtWork, resolve: atWork } = Promise.withResolvers<undefined>();
    const script: ClaudeScript = async (request, place) => {
      atWork(undefined);
      await isPushed;
      return scriptedReviewer()(request, place);
    };
    await stage.begin(script);
    await stage.keep('gateway', 'server');
    await stage.lead('scheduler', await stage.start('scheduler', null, noTimers));
    await stage.openMergeRequest();
    await isAtWork;
    const token = await stage.runToken();

    const calls: Call[] = [];
    const over = new AbortController();
    const using = useToken(token, calls, over.signal);
    await until(() => (calls.length > 5 ? true : null));
    await stage.pushAgain();
    await stage.gitlab.deliveriesSettled();
    await until(() => (calls.filter(({ status }) => status === 401).length > 20 ? true : null));
    pushed(undefined);
    const task = await stage.quiet();
    over.abort();
    await using;

    const supersededAtMs = (await stage.events()).find(({ what }) => what === 'superseding')?.atMs ?? NaN;
    const first = calls.findIndex(({ status }) => status === 401);
    const takenAfter = calls.slice(0, first).filter(({ sentAtMs }) => sentAtMs > supersededAtMs);
    const deadMs = (calls[first]?.answeredAtMs ?? NaN) - supersededAtMs;
    process.stderr.write(
      `token refused ${String(deadMs)} ms after the event, ${String(takenAfter.length)} calls taken\n`,
    );
    expect(deadMs).toBeGreaterThanOrEqual(0);
    expect(new Set(calls.slice(first).map(({ status }) => status))).toEqual(new Set([401]));
    // What it may do yet, counted in calls: a slow machine slows who makes them as well.
    expect(takenAfter.length).toBeLessThanOrEqual(boundMs / callEveryMs);
    expect(task).toMatchObject({ state: 'done', failures: 0 });
  }, 600_000);

  /** As an agent would that obeys nobody. */
  async function useToken(token: string, calls: Call[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const sentAtMs = Date.now();
      const status = await stage.askAsAgent(token);
      calls.push({ sentAtMs, answeredAtMs: Date.now(), status });
      await systemClock.sleep(callEveryMs, signal);
    }
  }
});
