import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LogPage, TransientError, noUsage, runIdOf, systemClock } from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import type { RunLogs } from '../control/run-logs.ts';
import type { RunningServer } from '../start-server.ts';
import { ControlClient, someControlTokens } from '../testing/control-client.ts';
import { enqueue, lease } from '../testing/fill-queue.ts';
import { head, startTestServer, type TestServerOptions } from '../testing/test-server.ts';

const taskId = 'review:gitlab:42:7';

/** Resolves when there is more than there was. */
async function more(of: readonly unknown[]): Promise<void> {
  const before = of.length;
  while (of.length === before) await systemClock.sleep(5, new AbortController().signal);
}

describe('the logs of the control API', () => {
  let queue: MemoryTaskQueue;
  let server: RunningServer;
  let api: ControlClient;

  async function start(options: TestServerOptions = {}): Promise<void> {
    server = await startTestServer({ queue, settings: { controlTokens: someControlTokens }, ...options });
    api = new ControlClient(server.url);
  }

  beforeEach(async () => {
    queue = new MemoryTaskQueue({ clock: systemClock });
    await start();
  });
  afterEach(async () => {
    await server.stop();
  });

  const entry = {
    seq: 3,
    atMs: 5,
    event: { kind: 'turn', turn: 1 } as const,
    usage: { calls: 1, reusedCalls: 0, tokens: noUsage, costUsd: null },
  };
  const logsOf = (progressAfter: RunLogs['progressAfter']): TestServerOptions => ({ runLogs: { progressAfter } });

  async function restart(options: TestServerOptions): Promise<void> {
    await server.stop();
    await start(options);
  }

  it('are those of the attempt asked for, and say when nothing more will come', async () => {
    const asked: [string, number][] = [];
    await restart(logsOf(async (...[runId, { after }]) => (asked.push([runId, after]), [entry])));
    await enqueue(queue);
    const first = await lease(queue);
    const begun = await queue.beginLaunch(first, head);
    const launch = begun.kind === 'begun' ? begun.launch : 0;

    const running = await api.as('vera').ask(LogPage, 'GET', `/api/v1/tasks/${taskId}/logs?after=2`);
    await queue.complete(first, { kind: 'done' });
    const ended = await api.ask(LogPage, 'GET', `/api/v1/tasks/${taskId}/logs?attempt=1`);

    expect(running).toMatchObject({ attempt: 1, runId: runIdOf(taskId, launch), entries: [entry], isOver: false });
    expect(ended.isOver).toBe(true);
    expect(asked).toEqual([
      [runIdOf(taskId, launch), 2],
      [runIdOf(taskId, launch), 0],
    ]);
    expect((await api.refusal('GET', `/api/v1/tasks/${taskId}/logs?attempt=2`))[2]).toContain(
      'its attempts are 1 to 1',
    );
  });

  it('are those of an attempt before the store restarted, too, and never empty for what nobody keeps', async () => {
    let epoch = 1;
    queue = new MemoryTaskQueue({ clock: systemClock, epoch: () => epoch });
    const runs = new Set<string>();
    await restart(logsOf(async (runId) => (runs.has(runId) ? [entry] : null)));
    await enqueue(queue);
    const launch = async () => {
      const held = await lease(queue);
      const begun = await queue.beginLaunch(held, head);
      return { held, launch: begun.kind === 'begun' ? begun.launch : 0 };
    };
    const first = await launch();
    runs.add(runIdOf(taskId, first.launch));
    await queue.release(first.held, { delayMs: 0, why: 'x' });
    epoch = 2;
    const second = await launch();

    const logs = (query: string) => api.ask(LogPage, 'GET', `/api/v1/tasks/${taskId}/logs${query}`);
    expect(await logs('')).toMatchObject({ attempt: 2, entries: [], isOver: false });
    expect((await logs('?attempt=1')).entries).toEqual([entry]);
    runs.delete(runIdOf(taskId, first.launch));
    const [status, code, why] = await api.refusal('GET', `/api/v1/tasks/${taskId}/logs?attempt=1`);
    expect([status, code]).toEqual([404, 'request.not_found']);
    expect(why).toContain(`nothing is kept of attempt 1 of ${taskId}`);

    await queue.complete(second.held, { kind: 'done' });
    expect((await api.refusal('GET', `/api/v1/tasks/${taskId}/logs`))[0]).toBe(404);
    runs.add(runIdOf(taskId, second.launch));
    expect((await logs('')).entries).toEqual([entry]);
  });

  it('are plainly not there while no agent was started, or without a gateway', async () => {
    await enqueue(queue);
    expect(await api.refusal('GET', `/api/v1/tasks/${taskId}/logs`)).toEqual([
      424,
      'control.no_logs',
      'logs are not configured: set DRYDOCK_GATEWAY_URL and DRYDOCK_GATEWAY_VIEW_TOKEN for the server',
    ]);

    await restart(logsOf(async () => []));
    expect((await api.refusal('GET', `/api/v1/tasks/${taskId}/logs`))[2]).toContain('no agent was started for it yet');
  });

  it('are waited for: as soon as there is an entry, or the attempt has ended, and no longer than was asked for', async () => {
    let entries = 0;
    const steps: number[] = [];
    await restart(
      logsOf(async (_runId, { after, waitMs }) => {
        steps.push(waitMs);
        return entries > after ? [{ ...entry, seq: entries }] : [];
      }),
    );
    await enqueue(queue);
    const held = await lease(queue);
    await queue.beginLaunch(held, head);
    const wait = (query: string) => api.as('vera').ask(LogPage, 'GET', `/api/v1/tasks/${taskId}/logs?${query}`);

    expect(await wait('waitMs=300')).toMatchObject({ entries: [], isOver: false });
    expect(steps.length).toBeGreaterThan(1);

    const asked = () => more(steps);
    const told = wait('waitMs=5000');
    await asked();
    entries = 1;
    expect(await told).toMatchObject({ entries: [{ seq: 1 }], isOver: false });

    const ended = wait('waitMs=5000&after=1');
    await asked();
    await queue.complete(held, { kind: 'done' });
    expect(await ended).toMatchObject({ entries: [], isOver: true });
  });

  it('keep nobody waiting when the server stops', async () => {
    const steps: number[] = [];
    await restart(logsOf(async (_runId, { waitMs }) => (steps.push(waitMs), [])));
    await enqueue(queue);
    await queue.beginLaunch(await lease(queue), head);
    const waiting = api.as('vera').ask(LogPage, 'GET', `/api/v1/tasks/${taskId}/logs?waitMs=5000`);

    await more(steps);
    const before = steps.length;
    await server.stop();

    expect(await waiting).toMatchObject({ isOver: false });
    // Who went on waiting for five seconds would ask some twenty times more.
    expect(steps.length - before).toBeLessThanOrEqual(2);
  });

  it('say when the gateway does not answer', async () => {
    await restart(
      logsOf(() => Promise.reject(new TransientError('gateway.unreachable', 'the gateway cannot be reached'))),
    );
    await enqueue(queue);
    await queue.beginLaunch(await lease(queue), head);

    expect(await api.refusal('GET', `/api/v1/tasks/${taskId}/logs`)).toEqual([
      503,
      'gateway.unreachable',
      'the gateway cannot be reached',
    ]);
  });
});
