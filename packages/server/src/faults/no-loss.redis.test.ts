/** Redis and the server die by turns while deliveries come in. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@drydock/core';
import { startRedisServer } from '@drydock/testkit';
import { describe, expect, it } from '@jest/globals';
import { drain, queueOf, startServerProcess, until, type ServerProcess } from './server-process.ts';

const never = new AbortController().signal;
const isFullSize = process.env['DRYDOCK_TEST_FULL'] === '1';
const kills = isFullSize ? 20 : 2;
const deliveries = isFullSize ? 100_000 : 2_000;

describe('server and Redis', () => {
  it.each([['everysec'], ['always']])(
    `rows 5, 6, G1: lose none of ${String(deliveries)} accepted deliveries over ${String(kills)} kills of each, appendfsync %s`,
    async (appendfsync) => {
      // In memory, where syncing takes no time: everysec promises this only of a disk that keeps up.
      const dataFolder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'drydock-no-loss-'));
      await using redis = await startRedisServer({ dataFolder, config: { appendfsync } });
      let server: ServerProcess = await startServerProcess(redis.port);
      const accepted: number[] = [];
      let next = 0;
      let refused = 0;
      const over = new AbortController();
      const isOver = () => over.signal.aborted;

      async function send(): Promise<void> {
        while (next < deliveries && !isOver()) {
          next += 1;
          const iid = next;
          while (!isOver()) {
            const { status } = await server.post(iid, { 'idempotency-key': `delivery-${String(iid)}` });
            if (status === 200) break;
            refused += 1;
            await systemClock.sleep(20, never);
          }
          if (!isOver()) accepted.push(iid);
        }
      }

      try {
        const sending = Promise.all(Array.from({ length: 32 }, send));
        for (let round = 1; round <= kills; round += 1) {
          const share = (deliveries * round) / (kills + 1);
          await until(() => accepted.length >= share - deliveries / (2 * (kills + 1)), 120_000);
          await redis.kill();
          await redis.restart();
          await until(() => accepted.length >= share, 120_000);
          server.process.kill('SIGKILL');
          const dead = server;
          server = await startServerProcess(redis.port);
          await dead[Symbol.asyncDispose]();
        }
        await sending;

        await using queue = await queueOf(redis.port);
        const kept = (await drain(queue)).map(({ subject }) => subject.iid);
        const found = new Set(kept);
        expect(accepted.filter((iid) => !found.has(iid))).toEqual([]);
        expect(accepted).toHaveLength(deliveries);
        expect(kept).toHaveLength(deliveries); // and none is there twice
        expect(refused).toBeGreaterThan(0);
      } finally {
        over.abort();
        await server[Symbol.asyncDispose]();
        await rm(dataFolder, { recursive: true, force: true });
      }
    },
    isFullSize ? 1_800_000 : 120_000,
  );
});
