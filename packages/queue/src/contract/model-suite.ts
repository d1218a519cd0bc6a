import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, silentLog } from '@drydock/core';
import { startRedisServer, whyNoRedisServer, type RedisServer } from '@drydock/testkit';
import fc from 'fast-check';
import { connectRedis, type RedisConnection } from '../redis-connection.ts';
import { compareQueues } from './compare-queues.ts';
import { everyAnswer, type ModelStep } from './queue-model.ts';

/** How many sequences go side by side: waiting for Redis is most of the time. */
const sideBySide = 25;

/**
 * Compares both queues on random sequences. `DRYDOCK_MODEL_RUNS` makes it more of them, `DRYDOCK_MODEL_SEED` the ones of
 * an earlier run; a failure prints its seed. `seesAll`: every answer of every command must have come up.
 */
export function describeModel(
  name: string,
  runs: number,
  sequences: fc.Arbitrary<ModelStep[]>,
  { seesAll = false }: { readonly seesAll?: boolean } = {},
): void {
  (whyNoRedisServer() === null ? describe : describe.skip)(`both queues, ${name}`, () => {
    let server: RedisServer;
    let redis: RedisConnection;
    beforeAll(async () => {
      server = await startRedisServer({ config: { appendonly: 'no' } });
      // What they answer is compared, not when.
      redis = await connectRedis({ url: new Secret(server.url), commandTimeoutMs: 30_000 }, silentLog);
    });
    afterAll(async () => {
      await redis.quit();
      await server[Symbol.asyncDispose]();
    });

    it('answer alike and stay alike', async () => {
      let run = 0;
      const wanted = environment('DRYDOCK_MODEL_RUNS') ?? runs;
      const seen = new Map<string, number>();
      const seed = environment('DRYDOCK_MODEL_SEED');
      await fc.assert(
        fc.asyncProperty(fc.array(sequences, { minLength: sideBySide, maxLength: sideBySide }), async (some) => {
          await Promise.all(
            some.map(async (sequence) => {
              run += 1;
              await compareQueues(redis, `model-${String(run)}:`, sequence, (answer) =>
                seen.set(answer, (seen.get(answer) ?? 0) + 1),
              );
            }),
          );
          await redis.flushdb();
        }),
        {
          numRuns: Math.ceil(wanted / sideBySide),
          ...(seed === null ? {} : { seed }),
          endOnFailure: true,
        },
      );
      if (seesAll && wanted >= runs) expect([...seen.keys()].sort()).toEqual(allAnswers.toSorted());
    }, 3_600_000);
  });
}

const allAnswers = Object.entries(everyAnswer).flatMap(([command, words]) =>
  words.map((word) => `${command}: ${word}`),
);

function environment(name: string): number | null {
  // eslint-disable-next-line no-restricted-properties -- a switch of this test alone
  const text = process.env[name];
  return text === undefined ? null : Number(text);
}
