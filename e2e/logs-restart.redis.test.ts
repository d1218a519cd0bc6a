import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { scriptedReviewer, startRedisServer, type ClaudeScript, type RedisServer } from '@drydock/testkit';
import { CrashStage } from './crash-stage.ts';

/** The model waits before its second turn, and before its third, until the test lets it go on. */
function heldModel() {
  const holds = new Map([2, 3].map((turn) => [turn, { reached: gate(), open: gate() }]));
  const script: ClaudeScript = async (request, place) => {
    const hold = holds.get(place.turn);
    hold?.reached.pass();
    await hold?.open.passed;
    return scriptedReviewer()(request, place);
  };
  const of = (turn: number) => {
    const hold = holds.get(turn);
    if (hold === undefined) throw new Error(`turn ${String(turn)} is not held`);
    return hold;
  };
  return { script, of };
}

function gate(): { readonly passed: Promise<void>; readonly pass: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return { passed: promise, pass: () => resolve(undefined) };
}

const away = 'The server does not answer now; waiting for it.';

interface Entry {
  readonly seq: number;
}

const entriesOf = (stdout: string): readonly Entry[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);

describe('drydock logs -f', () => {
  let redis: RedisServer;
  let stage: CrashStage;
  beforeAll(async () => {
    redis = await startRedisServer();
    stage = await CrashStage.open(redis, 0);
  }, 120_000);
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  }, 120_000);

  it.each([
    ['killed', 'SIGKILL'],
    ['told to end, as in an upgrade,', 'SIGTERM'],
  ] as const)(
    'goes on when the server is %s and started again: nothing is lost, nothing told twice',
    async (_how, signal) => {
      const model = heldModel();
      await stage.begin(model.script);
      await stage.keep('gateway', 'scheduler');
      const server = await stage.start('server');
      await stage.lead('server', server);
      await stage.openMergeRequest();
      await stage.gitlab.deliveriesSettled();
      const followed = stage.drydock(['logs', '-f', stage.taskId, '-o', 'json']);
      await followed.says('"turn":1');
      await model.of(2).reached.passed;

      server.kill(signal);
      await server.ended;
      await followed.says(away);
      model.of(2).open.pass(); // the agent tells of it while nobody can ask
      await model.of(3).reached.passed;
      await stage.lead('server', await stage.start('server'));
      await followed.says('"turn":2');
      model.of(3).open.pass();

      expect(await followed.ended).toBe(0);
      expect(await stage.quiet()).toMatchObject({ state: 'done', failures: 0 });
      const told = entriesOf(followed.stdout());
      expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1));
      const all = stage.drydock(['logs', stage.taskId, '-o', 'json']);
      expect(await all.ended).toBe(0);
      expect(followed.stdout()).toBe(all.stdout());
      expect(followed.stderr().split(away)).toHaveLength(2);
    },
    600_000,
  );
});
