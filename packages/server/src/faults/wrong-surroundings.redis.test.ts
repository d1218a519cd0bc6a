/** The server with a wrong clock, and with an output that nobody takes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  mountSmallDisk,
  skewedClock,
  startRedisServer,
  whyNoSkewedClock,
  whyNoSmallDisk,
  type RedisServer,
} from '@drydock/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { aHook, signedHeaders } from '../testing/test-server.ts';
import { drain, queueOf, startServerProcess, token, until } from './server-process.ts';

const noClock = whyNoSkewedClock();
const noDisk = whyNoSmallDisk();
for (const [rows, why] of [
  ['rows 57, 58', noClock],
  ['row 59', noDisk],
] as const) {
  if (why !== null) process.stderr.write(`skipped: ${rows}: ${why}\n`);
}
const signingKey = `whsec_${Buffer.alloc(32, 5).toString('base64')}`; // that of signedHeaders

describe('a server process', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedisServer();
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  const itSkewed = noClock === null ? it : it.skip;

  itSkewed.each([600, -600])(
    'row 57: whose clock is %d s wrong refuses signed deliveries aloud, and takes those with a token',
    async (offsetSeconds) => {
      using clock = skewedClock(offsetSeconds);
      await using queue = await queueOf(redis.port);
      await using server = await startServerProcess(redis.port, {
        ...clock.environment,
        DRYDOCK_WEBHOOK_SECRETS: `${signingKey},${token}`,
      });
      const signed = (id: string) => {
        const body = aHook({ iid: 7, title: id });
        const { 'content-type': type, ...proof } = signedHeaders(body, id);
        return server.post(7, { ...proof, 'content-type': String(type), 'x-gitlab-token': '' }, body);
      };

      expect(await signed(`first-${String(offsetSeconds)}`)).toMatchObject({ status: 401, outcome: 'expired' });
      expect(await server.metric('drydock_webhook_events_total{outcome="expired"}')).toBe(1);
      expect(await server.process.logged('delivery refused')).toMatchObject({ level: 40, reason: 'expired' });
      expect(await server.post(8 + offsetSeconds + 600)).toMatchObject({ status: 200 });
      const [task] = await drain(queue); // its age is the store's, whatever the server believes
      expect(Math.abs(Date.now() - (task?.queuedAtMs ?? 0))).toBeLessThan(60_000);

      clock.step(0);
      expect(await signed(`again-${String(offsetSeconds)}`)).toMatchObject({ status: 200 });
    },
  );

  itSkewed('row 58: whose wall clock jumps back and forth keeps its time limits', async () => {
    using clock = skewedClock(0);
    await using server = await startServerProcess(redis.port, clock.environment);
    for (const [at, seconds] of [-3_600, 86_400, 0].entries()) {
      redis.pause();
      const sent = server.post(100 + at);
      clock.step(seconds);

      const { status, tookMs } = await sent;

      redis.resume();
      expect([status, tookMs < 3_000]).toEqual([503, true]);
      await until(async () => (await server.post(200 + at)).status === 200);
    }
  });

  it('row 59: whose output nobody reads goes on, drops lines, and counts them', async () => {
    await using server = await startServerProcess(redis.port);
    server.process.stopReading();
    const before = await server.metric('drydock_log_lines_dropped_total');

    // Each answer is logged; what is in the pipe and in hand is soon too much.
    for (let n = 0; n < 30; n += 1) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => server.post(1_000, { 'x-gitlab-token': token })),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    }

    expect(before).toBe(0);
    expect(await server.metric('drydock_log_lines_dropped_total')).toBeGreaterThan(0);
    expect(await server.page('healthz')).toMatchObject({ status: 200 });
  });

  (noDisk === null ? it : it.skip)(
    'row 59: whose log is on a full disk goes on, and writes when there is room',
    async () => {
      using disk = mountSmallDisk(1);
      const file = join(disk.folder, 'server.log');
      await using server = await startServerProcess(redis.port, {}, { logFile: file });
      disk.fill();

      for (let n = 0; n < 20; n += 1) {
        const answers = await Promise.all(Array.from({ length: 50 }, () => server.post(2_000)));
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      }
      expect(await server.metric('drydock_log_lines_dropped_total')).toBeGreaterThan(0);
      disk.free();
      await until(async () => {
        await server.post(2_001);
        return readFileSync(file, 'utf8').includes('gitlab:42:2001');
      });
    },
  );
});
