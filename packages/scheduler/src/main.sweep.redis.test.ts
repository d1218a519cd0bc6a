import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, silentLog, systemClock } from '@drydock/core';
import { connectRedisTaskQueue, type RedisTaskQueue } from '@drydock/queue';
import { startProcess, startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { SweepWorld } from './testing/sweep-world.ts';

const never = new AbortController().signal;

(whyNoRedisServer() === null ? describe : describe.skip)('the scheduler as a process, sweeping', () => {
  let root: string;
  let redis: RedisServer;
  let queue: RedisTaskQueue;
  let world: SweepWorld;
  let gateway: Server;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'drydock-scheduler-'));
    await writeFile(join(root, 'agent.mjs'), '');
    redis = await startRedisServer();
    queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog, commandTimeoutMs: 60_000 });
    world = new SweepWorld();
    gateway = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://gateway');
      const answer = answerOf(pathname, searchParams);
      if (answer === null)
        response.writeHead(503).end(); // whoever leases the task gets no further
      else void answer.then((body) => response.end(JSON.stringify(body)));
    });
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    gateway.closeAllConnections();
    gateway.close();
    await queue.close();
    await redis[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  function answerOf(pathname: string, query: URLSearchParams): Promise<unknown> | null {
    const cursor = query.get('cursor');
    const [, , , things, forge = '', projectId = ''] = pathname.split('/');
    if (things === 'projects') return world.listProjects(forge, cursor);
    if (things === 'hooks') return world.readHooks(forge, projectId);
    if (things !== 'open-merge-requests') return null;
    const updatedAfterMs = Number(query.get('updatedAfterMs'));
    return world.listOpenMergeRequests(forge, { projectId: query.get('projectId'), updatedAfterMs, cursor });
  }

  it('reported 37: queues what no webhook told of, of the projects that it is for, and ends with 0', async () => {
    const [ours, other] = [world.addProject(1), world.addProject(2)];
    const taskId = world.change(ours, 1, Date.now());
    const foreign = world.change(other, 1, Date.now());
    await using process = startProcess(new URL('./main.ts', import.meta.url), {
      DRYDOCK_REDIS_URL: redis.url,
      DRYDOCK_GATEWAY_URL: `http://127.0.0.1:${String((gateway.address() as AddressInfo).port)}`,
      DRYDOCK_CONTROL_TOKEN: 'control-token',
      DRYDOCK_AGENT_ENTRY: join(root, 'agent.mjs'),
      DRYDOCK_SCHEDULER_HOST: '127.0.0.1',
      DRYDOCK_SCHEDULER_PORT: '0',
      DRYDOCK_WORK_ROOT: join(root, 'runs'),
      DRYDOCK_PROJECTS: '1',
      DRYDOCK_SWEEP_EVERY_MS: '1000',
    });

    while ((await queue.epoch()).isSweepDue) await systemClock.sleep(50, never);
    const found = await queue.get(taskId);
    process.kill('SIGTERM');

    expect(found).toMatchObject({ trigger: 'swept', projectPath: 'shop/p1' });
    expect(await queue.get(foreign)).toBeNull();
    expect(await process.ended).toMatchObject({ code: 0 });
  });
});
