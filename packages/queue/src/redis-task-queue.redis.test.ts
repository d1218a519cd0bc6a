import { afterAll, beforeAll, describe } from '@jest/globals';
import { Secret, silentLog } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import { MovableTime } from './contract/queue-under-test.ts';
import { connectRedis } from './redis-connection.ts';
import { RedisTaskQueue } from './redis-task-queue.ts';
import { describeTaskQueue } from './task-queue.contract.ts';

const missing = whyNoRedisServer();
if (missing !== null) process.stderr.write(`skipped: ${missing}\n`);

(missing === null ? describe : describe.skip)('on a real Redis', () => {
  let server: RedisServer;
  let queues = 0;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  describeTaskQueue('RedisTaskQueue', async (settings = {}) => {
    const time = new MovableTime();
    queues += 1;
    const queue = new RedisTaskQueue({
      redis: await connectRedis({ url: new Secret(server.url) }, silentLog),
      keyPrefix: `test-${queues}:`,
      settings,
      random: () => 0.5,
      testNowMs: time.nowMs,
    });
    return { queue, nowMs: time.nowMs, advance: time.advance };
  });
});
