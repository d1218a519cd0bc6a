import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedisServer, type RedisServer, type StartedProcess } from '@drydock/testkit';
import { CrashStage } from './crash-stage.ts';
import { until } from './start-stage.ts';

const limitMs = 600_000;

describe('three servers, each told by a webhook of its own', () => {
  let redis: RedisServer;
  let stage: CrashStage;
  let servers: readonly StartedProcess[];

  beforeAll(async () => {
    redis = await startRedisServer();
    stage = await CrashStage.open(redis, 0);
    await stage.begin();
    await stage.keep('gateway', 'scheduler');
    const [first, ...others] = await Promise.all(['a', 'b', 'c'].map(() => stage.start('server')));
    if (first === undefined) throw new Error('no server');
    servers = [first, ...others];
    await stage.lead('server', first);
    for (const other of others) await stage.hookTo(other);
  }, limitMs);
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  }, limitMs);

  const launches = async () => (await stage.events()).filter(({ what }) => what === 'launched').length;
  /** How deliveries were answered that came since. */
  const answersSince = (count: number) => stage.gitlab.deliveries.slice(count).map(({ status }) => status);

  it(
    'reported 28, 37: make one review of an event, and obey a command once',
    async () => {
      const { gitlab, project } = stage;
      await stage.openMergeRequest();
      await gitlab.deliveriesSettled();
      expect(await stage.quiet()).toMatchObject({ state: 'done', failures: 0 });
      expect(await launches()).toBe(1);

      const person = gitlab.createUser({ username: 'bob' });
      gitlab.setRole(project, person, 'developer');
      const before = gitlab.deliveries.length;
      await gitlab.comment(person, 1, '/drydock review', { project });
      await gitlab.deliveriesSettled();
      expect(answersSince(before).slice(0, 3)).toEqual([200, 200, 200]);
      await until(async () => ((await launches()) > 1 ? true : null));

      expect(await stage.quiet()).toMatchObject({ state: 'done', failures: 0 });
      expect(await launches()).toBe(2);
      expect(gitlab.discussions(1, project)).toHaveLength(3);
    },
    limitMs,
  );

  it(
    'reported 37, 39: may all be away for an event: who asks the forge finds it, and it is reviewed once',
    async () => {
      const { gitlab, project } = stage;
      const reviewed = await launches();
      for (const server of servers) server.kill('SIGKILL');
      await Promise.all(servers.map((server) => server.ended));
      const before = gitlab.deliveries.length;
      await stage.pushAgain();
      await gitlab.deliveriesSettled();
      expect(new Set(answersSince(before))).toEqual(new Set([null]));

      await stage.lead('scheduler', await stage.start('scheduler', null, { DRYDOCK_SWEEP_EVERY_MS: '1000' }));
      await until(async () => ((await launches()) > reviewed ? true : null));

      expect(await stage.quiet()).toMatchObject({ state: 'done', failures: 0 });
      expect(await launches()).toBe(reviewed + 1);
      expect(gitlab.discussions(1, project)).toHaveLength(4);
    },
    limitMs,
  );
});
