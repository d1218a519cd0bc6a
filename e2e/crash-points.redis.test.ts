/**
 * Kills each process at each named step, lets another instance go on, and looks whether anything is lost, doubled or
 * left behind. Real processes on a real Redis, with a strict fake GitLab and a fake Claude; the agent is the real one.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CrashPoint, systemClock } from '@drydock/core';
import { claudeFault, reply, startRedisServer, type ClaudeScript, type RedisServer } from '@drydock/testkit';
import { CrashStage, processOf, type ProcessName } from './crash-stage.ts';

type GoesOn = 'a restart' | 'a take-over' | 'a restart after another push';
interface Case {
  readonly point: CrashPoint;
  readonly goesOn: GoesOn;
}

const processes: readonly ProcessName[] = ['gateway', 'scheduler', 'server'];
/** Such as `DRYDOCK_CRASH_POINTS=publish.posted,task.leased`: only those. */
const wanted = process.env['DRYDOCK_CRASH_POINTS']?.split(',');
const points = CrashPoint.options.filter((point) => wanted?.includes(point) ?? true);
const cases: readonly Case[] = points.flatMap((point) => waysOn(point).map((goesOn) => ({ point, goesOn })));
const atOnce = 4;
const limitMs = 120_000;

/** What is published while a newer head is there is what a push in between can spoil. */
function waysOn(point: CrashPoint): readonly GoesOn[] {
  const isPublishing = point.startsWith('publish.') || point.startsWith('launch.');
  return ['a restart', 'a take-over', ...(isPublishing ? (['a restart after another push'] as const) : [])];
}

/** In the middle where a step comes several times. */
const crashAtOf = (point: CrashPoint) => (/^publish[.]post|^run[.]call-/.test(point) ? `${point}:2` : point);
/** Its agent cannot do its work, so that there is a failure to be told. */
const isFailing = ({ point }: Case) => point === 'ending.told';
const refusing: ClaudeScript = () => reply.fault(claudeFault.invalidRequest());

describe('a process that is killed', () => {
  let redis: RedisServer;
  let lanes: Promise<unknown> = Promise.resolve();
  const results = new Map(cases.map((each) => [each, Promise.withResolvers<unknown>()]));
  const waiting = [...cases];

  async function lane(database: number): Promise<void> {
    await using stage = await CrashStage.open(redis, database);
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) {
      await crash(stage, each).then(results.get(each)?.resolve, results.get(each)?.reject);
    }
    expect((await stage.stopAll()).filter(({ code }) => code !== 0)).toEqual([]);
  }

  beforeAll(async () => {
    redis = await startRedisServer();
    for (const { promise } of results.values()) promise.catch(() => undefined); // told by its own test
    lanes = Promise.all(Array.from({ length: atOnce }, (_, index) => lane(index + 1)));
    lanes.catch((error: unknown) => {
      for (const { reject } of results.values()) reject(error);
    });
  });
  afterAll(async () => {
    waiting.length = 0;
    await lanes;
    await redis[Symbol.asyncDispose]();
  }, limitMs);

  it.each(cases)(
    'at $point loses and doubles nothing after $goesOn',
    async (each) => {
      await results.get(each)?.promise;
    },
    10 * limitMs,
  );
});

async function crash(stage: CrashStage, each: Case): Promise<void> {
  const { gitlab } = stage;
  const name = processOf(each.point);
  await stage.begin(...(isFailing(each) ? [refusing] : []));
  const [victim] = await Promise.all([
    stage.start(name, crashAtOf(each.point)),
    stage.keep(...processes.filter((other) => other !== name)),
  ]);
  await stage.lead(name, victim);
  // Who takes over is there before, and frozen: else it would do the work itself.
  const standby = each.goesOn === 'a take-over' ? await stage.start(name) : null;
  standby?.kill('SIGSTOP');

  await stage.openMergeRequest();
  expect(await within(victim.ended, 'the point was not reached')).toEqual({ code: null, signal: 'SIGKILL' });
  if (each.goesOn === 'a restart after another push') await stage.pushAgain();
  standby?.kill('SIGCONT');
  await stage.lead(name, standby ?? (await stage.start(name)));
  await gitlab.deliveriesSettled();
  // GitLab does not send again by itself; a person does, or the sweep finds it.
  const own = new Set(stage.project.webhooks.map((webhook) => webhook.id));
  const unanswered = gitlab.deliveries.filter(({ status, webhookId }) => status === null && own.has(webhookId));
  for (const { id } of unanswered) gitlab.resend(id);
  await gitlab.deliveriesSettled();

  const task = await within(stage.quiet(), 'the task did not end');
  // The event of the push may come to nothing: who took over has seen the newer head by then.
  const isSeen =
    stage.isPushedAgain && task.outcome?.kind === 'skipped' && task.outcome.why === 'head-already-reviewed';
  if (!isSeen) expect(task).toMatchObject({ state: isFailing(each) ? 'dead' : 'done' });
  await checkWorld(stage, each);
}

async function within<T>(work: Promise<T>, otherwise: string): Promise<T> {
  const patience = new AbortController();
  const late = systemClock.sleep(limitMs, patience.signal).then(() => {
    if (!patience.signal.aborted) throw new Error(otherwise);
    return work;
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    patience.abort();
  }
}

async function checkWorld(stage: CrashStage, each: Case): Promise<void> {
  const { gitlab, project, calls } = stage;
  const { versions } = gitlab.mergeRequest(1, project);
  const head = versions.at(-1)?.headSha ?? '';
  const notes = gitlab.notes(1, project).filter(({ authorId }) => authorId === gitlab.bot.id);
  const marks = notes.map(({ body }) => readMark(body));
  const findings = marks.filter(({ kind }) => kind === 'finding');

  // I1: the head ends reviewed or visibly failed.
  const summaries = marks.filter(({ kind }) => kind === 'summary');
  expect(summaries).toEqual([expect.objectContaining({ state: isFailing(each) ? 'failed' : 'done', headSha: head })]);
  // I2: one note a finding, and none missing.
  const identities = findings.map(({ identity }) => identity);
  expect(new Set(identities).size).toBe(identities.length);
  expect(identities).toHaveLength(isFailing(each) ? 0 : versions.length === 1 ? 3 : 4);
  // I3: no note about a head that was gone when it was posted.
  for (const { createdAtMs, originalPosition } of notes) {
    if (originalPosition === null) continue;
    const current = versions.findLast((version) => version.createdAtMs <= createdAtMs);
    expect(originalPosition.head_sha).toBe(current?.headSha);
  }
  // I4: an older launch posts nothing once a newer one has begun to.
  const attempts = findings.map(({ attempt }) => attempt ?? 0);
  expect(attempts).toEqual([...attempts].sort((left, right) => left - right));
  // I5: nothing is left behind.
  expect(await stage.orphans()).toEqual([]);
  expect(await stage.eternalKeys()).toEqual([]);
  // I6: no secret went anywhere.
  const out = [stage.said, ...notes.map(({ body }) => body), ...calls.map(({ json }) => JSON.stringify(json))];
  out.push(...gitlab.requests.map(({ path }) => path));
  expect(stage.canaries.filter((canary) => out.some((text) => text.includes(canary)))).toEqual([]);
  // What was asked once is paid once; a turn that was under way at the crash may be paid twice.
  const paid = calls.filter(({ outcome }) => outcome.kind === 'answered').map(({ json }) => JSON.stringify(json));
  expect(paid.length - new Set(paid).size).toBeLessThanOrEqual(1);
}

interface Mark {
  readonly kind: string;
  readonly identity?: string;
  readonly attempt?: number;
  readonly state?: string;
  readonly headSha?: string;
}

/** What our last hidden comment in a note says; the forge's side need not believe it. */
function readMark(body: string): Mark {
  const found = [...body.matchAll(/<!-- drydock:(\w+):1:[^:]+:([^:]+):[^ ]+ -->/g)].at(-1);
  if (found === undefined) throw new Error(`a note of ours without a mark:\n${body}`);
  const [, kind = '', payload = ''] = found;
  return { ...(JSON.parse(Buffer.from(payload, 'base64').toString()) as Mark), kind };
}
