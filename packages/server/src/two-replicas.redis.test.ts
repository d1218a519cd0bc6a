import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent, request } from 'node:http';
import { Secret, silentLog } from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import { startRedisServer, type RedisServer } from '@drydock/testkit';
import type { RunningServer } from './start-server.ts';
import { aHook, signedHeaders, startTestServer, tokenHeaders } from './testing/test-server.ts';

const copies = 1000;

describe('two servers on one Redis', () => {
  let redis: RedisServer;
  let queues: TaskQueue[];
  let servers: RunningServer[];
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  beforeAll(async () => {
    redis = await startRedisServer();
    const connect = () => connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog });
    queues = await Promise.all([connect(), connect()]);
    servers = await Promise.all(queues.map((queue) => startTestServer({ queue })));
  });
  afterAll(async () => {
    agent.destroy();
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all(queues.map((queue) => queue.close()));
    await redis[Symbol.asyncDispose]();
  });

  /** Sends to both in turn, all at once; counts the outcomes. */
  async function sendAll(makeHeaders: (copy: number) => Record<string, string>, body: string) {
    const outcomes = await Promise.all(
      Array.from({ length: copies }, (_, copy) => post(servers[copy % 2]?.port ?? 0, makeHeaders(copy), body)),
    );
    const counts: Record<string, number> = {};
    for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  function post(port: number, headers: Record<string, string>, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/webhooks/gitlab', method: 'POST', headers, agent };
      const call = request(options, (response) => {
        response.resume().on('end', () => {
          resolve(`${String(response.statusCode)} ${String(response.headers['x-drydock-outcome'])}`);
        });
      });
      call.on('error', reject);
      call.end(body);
    });
  }

  it('rows 4, 41, G6, reported 37: queues one task for a thousand copies of one delivery that come at once', async () => {
    const body = aHook({ iid: 1 });
    const headers = signedHeaders(body, 'delivery-1');

    expect(await sendAll(() => headers, body)).toEqual({ '200 queued': 1, '200 duplicate': copies - 1 });

    expect(await queues[0]?.stats()).toMatchObject({ waiting: 1 });
  });

  it('row 41, reported 28: knows a copy by its body when each has an id of its own, and by its id when each has a body of its own', async () => {
    const body = aHook({ iid: 2 });

    expect(await sendAll((copy) => ({ ...tokenHeaders, 'idempotency-key': `own-${String(copy)}` }), body)).toEqual({
      '200 queued': 1,
      '200 duplicate': copies - 1,
    });
    expect(await queues[1]?.stats()).toMatchObject({ waiting: 2 });
  });

  it('row 45: makes one task of a thousand events of one merge request', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: copies }, (_, copy) =>
        post(servers[copy % 2]?.port ?? 0, tokenHeaders, aHook({ iid: 3, title: `title ${String(copy)}` })),
      ),
    );

    expect(outcomes.filter((outcome) => outcome === '200 queued')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === '200 coalesced')).toHaveLength(copies - 1);
    expect(await queues[0]?.stats()).toMatchObject({ waiting: 3 });
  });
});
