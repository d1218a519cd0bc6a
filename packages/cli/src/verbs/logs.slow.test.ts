import { createServer } from 'node:http';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  aTask,
  adminToken,
  nowMs,
  refuse,
  startFakeControlApi,
  type FakeControlApi,
} from '../client/testing/fake-control-api.ts';
import { exitCodes } from '../exit-codes.ts';
import { startCommand } from '../testing/start-command.ts';

/** Resolves when it holds; the time limit of the test ends the wait. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const usage = {
  calls: 0,
  reusedCalls: 0,
  tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
  costUsd: null,
};
const entry = (seq: number) => ({ seq, atMs: nowMs, event: { kind: 'turn' as const, turn: seq }, usage });
const line = (turn: number) => `2026-11-21T15:00:00Z turn ${String(turn)}\n`;

describe('drydock logs -f', () => {
  let api: FakeControlApi;
  beforeEach(async () => {
    api = await startFakeControlApi();
    api.tasks = [aTask(7, { state: 'running', readyAtMs: null, attempt: 2 })];
    api.logs = [entry(1)];
    api.isLogOver = false;
  });
  afterEach(async () => {
    await api[Symbol.asyncDispose]();
  });

  const start = (...args: string[]) =>
    startCommand(['logs', 'review:gitlab:42:7', ...args], {
      environment: { DRYDOCK_SERVER_URL: api.url, DRYDOCK_TOKEN: adminToken },
    });

  it('lets the server wait for the agent, and asks only then', async () => {
    const followed = start('-f');
    await until(() => followed.stdout() === line(1));
    api.isLogOver = true;

    await followed.ended;
    await start().ended;

    expect(api.seen.filter((seen) => seen.includes('waitMs=5000')).length).toBeGreaterThan(0);
    expect(api.seen.at(-1)).not.toContain('waitMs');
    expect(api.seen.find((seen) => seen.includes('/logs'))).not.toContain('waitMs');
  });

  it('goes on where it was when the server was away, such as for an upgrade', async () => {
    const followed = start('-f');
    await until(() => followed.stdout() === line(1));
    const { port } = new URL(api.url);
    const { tasks } = api;

    await api[Symbol.asyncDispose]();
    await until(() => followed.stderr().includes('does not answer now; waiting for it'));
    const again = createServer((_request, response) => response.writeHead(503).end()).listen(Number(port), '127.0.0.1');
    await once(again, 'listening');
    await once(again, 'request');
    again.closeAllConnections();
    again.close();
    await once(again, 'close');
    api = await startFakeControlApi(Number(port));
    Object.assign(api, { tasks, logs: [entry(1), entry(2)] });

    expect(await followed.ended).toMatchObject({ code: exitCodes.ok, stdout: line(1) + line(2) });
  });

  it('follows on a server too old to wait, asking it now and then', async () => {
    api.misbehave = (request, response) => {
      if (request.url?.includes('waitMs') !== true) return false;
      refuse(response, 400, 'request.malformed', 'the query parameter "waitMs" is not known here');
      return true;
    };
    const followed = start('-f');
    await until(() => followed.stdout() === line(1));
    const before = api.seen.length;
    await until(() => api.seen.length > before + 1);
    api.logs = [entry(1), entry(2)];
    api.isLogOver = true;

    expect(await followed.ended).toEqual({ code: exitCodes.ok, stdout: line(1) + line(2), stderr: '' });
    expect(api.seen.filter((seen) => seen.includes('waitMs'))).toHaveLength(1);
  });

  it('says how an attempt ended whose agent never began', async () => {
    api.logs = [];
    api.isLogOver = true;

    expect(await start('--attempt', '1').ended).toEqual({
      code: exitCodes.ok,
      stdout: '',
      stderr:
        'The agent of attempt 1 told nothing, or it is kept no longer. The attempt ended so: retrying: model.unavailable\n',
    });
  });
});
