import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, projectAllowList, silentLog, systemClock, type TaskRequest } from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import { createServerMetrics, startServer, type RunningServer } from '@drydock/server';
import { startRedisServer } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { startDrydock } from './run-drydock.ts';

const [admin, viewer] = ['admin-canary-0123456789', 'viewer-canary-0123456789'];
const stack = new AsyncDisposableStack();
let queue: TaskQueue;
let server: RunningServer;

beforeAll(async () => {
  const redis = stack.use(await startRedisServer());
  queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog, commandTimeoutMs: 60_000 });
  stack.defer(() => queue.close());
  const registry = new Registry();
  server = await startServer(
    {
      queue,
      registry,
      metrics: createServerMetrics(registry),
      log: silentLog,
      clock: systemClock,
      version: '0.1.0',
      store: 'redis',
    },
    {
      hooks: new Map(),
      isAllowed: projectAllowList(['*']),
      debounceMs: 0,
      maxDebounceMs: 0,
      maxBodyBytes: 1024,
      maxBytesInFlight: 1024,
      controlTokens: [
        { name: 'ann', role: 'admin', token: new Secret(admin) },
        { name: 'board', role: 'viewer', token: new Secret(viewer) },
      ],
    },
    { host: '127.0.0.1', port: 0 },
  );
  stack.defer(() => server.stop());
});
afterAll(() => stack.disposeAsync());

function request(projectId: number, iid: number, projectPath: string): TaskRequest {
  return {
    v: 1,
    kind: 'review',
    subject: { forge: 'gitlab', projectId: String(projectId), iid },
    projectPath,
    trigger: 'opened',
    headSha: null,
    occurredAtMs: null,
    command: null,
  };
}

async function enqueue(projectId: number, iid: number, projectPath: string): Promise<void> {
  const times = { debounceMs: 0, maxDebounceMs: 0 };
  await queue.enqueue(request(projectId, iid, projectPath), { deliveryKeys: [`${projectPath}:${iid}`], ...times });
}

async function drydock(args: string, token = admin) {
  const command = startDrydock(args.split(' '), { DRYDOCK_SERVER_URL: server.url, DRYDOCK_TOKEN: token });
  return { code: await command.ended, stdout: command.stdout(), stderr: command.stderr() };
}

describe('the commands on a server with Redis', () => {
  it('look at tasks, dead letters, projects and pauses, and change them', async () => {
    await enqueue(42, 7, 'shop/api');
    const leased = await queue.lease({
      owner: 'scheduler-1',
      ttlMs: 10_000,
      limits: { total: 9, perForge: null, perProject: null },
    });
    if (leased === null) throw new Error('nothing was leased');
    await queue.fail(leased, {
      class: 'terminal',
      code: 'model.refused',
      message: 'the model refused',
      retryAfterMs: null,
    });
    await enqueue(42, 8, 'shop/api');
    await enqueue(43, 1, 'shop/web');

    expect((await drydock('get tasks shop/* -o name --sort-by name', viewer)).stdout).toBe(
      'review:gitlab:42:7\nreview:gitlab:42:8\nreview:gitlab:43:1\n',
    );
    expect((await drydock('get dl', viewer)).stdout).toMatch(/review:gitlab:42:7 +shop\/api!7 +model\.refused/);
    expect((await drydock('describe task shop/api!7', viewer)).stdout).toMatch(
      /State: +dead[^]*model\.refused: the model refused/,
    );
    expect((await drydock('events shop/api!7', viewer)).stdout).toMatch(/queued[^]*leased +scheduler-1[^]*dead/);
    expect((await drydock('get projects --no-headers', viewer)).stdout).toMatch(/gitlab:42 +shop\/api +1 +0 +no/);
    expect(await drydock('get task shop/api!99', viewer)).toMatchObject({ code: 5 });
    expect(await drydock('retry shop/api!7', viewer)).toMatchObject({ code: 1 });
    expect(await drydock('get tasks', 'canary-of-nobody-at-all')).toMatchObject({ code: 78 });

    expect(await drydock('retry --all --yes')).toMatchObject({
      code: 0,
      stdout: 'review:gitlab:42:7 is queued again\n',
    });
    expect(await drydock('cancel shop/web!1')).toMatchObject({ code: 0, stdout: 'review:gitlab:43:1 cancelled\n' });
    expect((await drydock('get task shop/web!1', viewer)).stdout).toContain('cancelled');
    expect((await drydock('events shop/api!7', viewer)).stdout).toMatch(/retried +ann/);
    expect(await drydock('pause shop/api --why import')).toMatchObject({
      code: 0,
      stdout: 'gitlab:42 is paused; what runs goes on\n',
    });
    expect((await drydock('get pauses', viewer)).stdout).toMatch(/gitlab:42 +ann +\d+s +import/);
    expect((await drydock('describe task shop/api!8', viewer)).stdout).toMatch(/Waits because: .*paus/);
    expect(await drydock('resume shop/api')).toMatchObject({ code: 0, stdout: 'gitlab:42 goes on\n' });
    expect(await drydock('logs shop/api!7', viewer)).toMatchObject({ stdout: '' });
  });

  it('list 10,000 tasks, each once', async () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => index + 1);
    for (let at = 0; at < ids.length; at += 500)
      await Promise.all(
        ids.slice(at, at + 500).map((iid) => enqueue(1000 + (iid % 1000), iid, `many/app-${iid % 1000}`)),
      );

    const some = await drydock('get tasks', viewer);
    const all = await drydock('get tasks many/* --all --no-headers', viewer);

    expect(some.stdout.split('\n')).toHaveLength(502);
    expect(
      new Set(
        all.stdout
          .trimEnd()
          .split('\n')
          .map((line) => line.split(' ')[0]),
      ).size,
    ).toBe(10_000);
  });
});
