import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, attemptOf, silentLog, systemClock } from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue, type TaskView } from '@drydock/queue';
import { startProcess, startRedisServer, type RedisServer, type StartedProcess } from '@drydock/testkit';
import { openLifeLine, telling, type LifeLine } from './testing/life-line.ts';
import { controlToken, serveGateway, type ServedGateway } from './testing/serve-gateway.ts';
import { WorldGateway, anEvent, sha, subject, taskId } from './testing/world-gateway.ts';

const main = new URL('./main.ts', import.meta.url);
const atOnce = { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 };
const never = new AbortController().signal;

describe('the scheduler as a process', () => {
  let root: string;
  let redis: RedisServer;
  let queue: TaskQueue;
  let world: WorldGateway;
  let gateway: ServedGateway;
  let life: LifeLine;
  let processes: StartedProcess[];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'drydock-scheduler-'));
    redis = await startRedisServer({ password: 'password-canary' });
    queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog, commandTimeoutMs: 60_000 });
    world = new WorldGateway();
    gateway = await serveGateway(world);
    life = await openLifeLine();
    processes = [];
  });
  afterEach(async () => {
    for (const process of processes) await process[Symbol.asyncDispose]();
    await life[Symbol.asyncDispose]();
    await gateway[Symbol.asyncDispose]();
    await queue.close();
    await redis[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  /** An agent that hands in a review; or one that works until it is told to end, if `isEndless`. */
  async function agentOf(isEndless: boolean): Promise<string> {
    const file = join(root, 'agent.mjs');
    const handIn = `
      const token = readFileSync(process.env.DRYDOCK_RUN_TOKEN_FILE, 'utf8');
      await fetch(process.env.DRYDOCK_GATEWAY_URL + '/run/v1/result', { method: 'PUT', headers: { authorization: 'Bearer ' + token } });`;
    await writeFile(
      file,
      `import { readFileSync } from 'node:fs';
       if (process.argv[2] !== '--compile') { ${isEndless ? telling(life.url) : handIn} }`,
    );
    return file;
  }

  async function start(agent: string, changes: Record<string, string> = {}): Promise<StartedProcess> {
    const process = startProcess(main, {
      DRYDOCK_REDIS_URL: redis.url,
      DRYDOCK_GATEWAY_URL: gateway.url,
      DRYDOCK_CONTROL_TOKEN: `${controlToken}, older-token-canary`,
      DRYDOCK_AGENT_ENTRY: agent,
      DRYDOCK_SCHEDULER_HOST: '127.0.0.1',
      DRYDOCK_SCHEDULER_PORT: '0',
      DRYDOCK_LEASE_TTL_MS: '5000',
      DRYDOCK_WORK_ROOT: join(root, 'runs'),
      DRYDOCK_AGENT_GRACE_MS: '500',
      ...changes,
    });
    processes.push(process);
    return process;
  }

  async function taskWhen(isSo: (task: TaskView) => boolean): Promise<TaskView> {
    for (;;) {
      const task = await queue.get(taskId);
      if (task !== null && isSo(task)) return task;
      await systemClock.sleep(20, never);
    }
  }

  const runs = async () => (await readdir(join(root, 'runs'))).filter((name) => !name.startsWith('compiled-'));

  it('reviews what waits, says nothing secret, and ends with 0 when it is told to', async () => {
    const process = await start(await agentOf(false));
    await queue.enqueue(anEvent(), atOnce);
    await taskWhen(({ state }) => state === 'done');
    const { port } = await process.logged('scheduler started');
    const metrics = await fetch(`http://127.0.0.1:${String(port)}/metrics`); // a scraper keeps its connection
    expect(await metrics.text()).toContain('drydock_tasks_total{outcome="done",class="review"} 1');
    expect((await fetch(`http://127.0.0.1:${String(port)}/healthz`)).status).toBe(200);

    process.kill('SIGTERM');

    expect(await process.ended).toEqual({ code: 0, signal: null });
    expect(world.published).toEqual([sha('a')]);
    expect(process.stdout + process.stderr).not.toContain('canary');
    expect(await readdir(join(root, 'runs'))).toEqual([]);
  });

  it.each([['SIGTERM'], ['SIGINT']] as const)(
    'puts its task back at %s, ends its agent and itself, and another goes on',
    async (signal) => {
      const first = await start(await agentOf(true));
      await queue.enqueue(anEvent(), atOnce);
      await life.heardFrom(1);

      first.kill(signal);
      expect(await first.ended).toEqual({ code: 0, signal: null });
      expect(await life.isAnythingAlive()).toBe(false);
      expect(await runs()).toEqual([]);
      expect(await queue.get(taskId)).toMatchObject({ state: 'waiting', failures: 0 });

      await start(await agentOf(false));
      const { launch, failures } = await taskWhen(({ state }) => state === 'done');
      expect([attemptOf(launch), failures]).toEqual([2, 0]);
    },
  );

  it('ends with 0 though gateway and Redis hang', async () => {
    const process = await start(await agentOf(true));
    await queue.enqueue(anEvent(), atOnce);
    await life.heardFrom(1);
    world.interludes.set('revokeRun', () => new Promise(() => undefined));
    redis.pause();

    process.kill('SIGTERM');
    const end = await process.ended;
    redis.resume();

    expect(end).toEqual({ code: 0, signal: null });
    expect(await life.isAnythingAlive()).toBe(false);
  });

  it('leaves no agent alive when it is killed, and another takes its task over', async () => {
    const first = await start(await agentOf(true));
    await queue.enqueue(anEvent(), atOnce);
    await life.heardFrom(1);

    first.kill('SIGKILL');
    await first.ended;
    while (await life.isAnythingAlive());
    await start(await agentOf(false));

    const { lease, launch, failures } = await taskWhen(({ state }) => state === 'done');
    expect([attemptOf(lease), attemptOf(launch), failures]).toEqual([2, 2, 0]);
    expect(world.published).toEqual([sha('a')]);
    expect(await runs()).toEqual([]);
  });

  it('row 26: does the work of ten merge requests once, however many schedulers there are', async () => {
    const agent = await agentOf(false);
    world.changes = { reviewed: null };
    await Promise.all([start(agent), start(agent)]);
    const iids = Array.from({ length: 10 }, (_, n) => n + 1);
    for (const iid of iids) await queue.enqueue(anEvent({ subject: { ...subject, iid } }), atOnce);

    while ((await queue.stats()).processedToday < 10) await systemClock.sleep(50, never);

    expect(world.published).toHaveLength(10);
    expect([...world.runs.values()].map(({ launch }) => attemptOf(launch))).toEqual(iids.map(() => 1));
  });

  it.each<[string, Record<string, string>, number, RegExp]>([
    ['no settings', { DRYDOCK_REDIS_URL: '', DRYDOCK_CONTROL_TOKEN: '' }, 78, /REDIS_URL[^]*CONTROL_TOKEN/],
    ['no agent', { DRYDOCK_AGENT_ENTRY: '' }, 78, /DRYDOCK_AGENT_ENTRY \(not set\)/],
    ['an agent that is not there', { DRYDOCK_AGENT_ENTRY: '/no/such/file' }, 78, /DRYDOCK_AGENT_ENTRY/],
    ['a policy that is not there', { DRYDOCK_POLICY_FILE: '/no/such/file' }, 78, /DRYDOCK_POLICY_FILE/],
    ['a token that no header can carry', { DRYDOCK_CONTROL_TOKEN: 'canary canary' }, 78, /DRYDOCK_CONTROL_TOKEN/],
    ['a gateway that is no address', { DRYDOCK_GATEWAY_URL: 'ftp://canary' }, 78, /DRYDOCK_GATEWAY_URL/],
    ['a Redis that is not there', { DRYDOCK_REDIS_URL: 'redis://:canary@127.0.0.1:1' }, 69, /redis:\/\/127\.0\.0\.1:1/],
  ])('ends at its start with %s, in one message and without a stack', async (_name, changes, code, message) => {
    const process = await start(await agentOf(false), changes);

    expect(await process.ended).toEqual({ code, signal: null });
    expect(process.stderr).toMatch(message);
    expect(process.stdout + process.stderr).not.toMatch(/canary|\n {4}at /);
  });

  it('says what to do when its port is taken', async () => {
    const first = await start(await agentOf(false));
    const { port } = await first.logged('scheduler started');

    const second = await start(await agentOf(false), { DRYDOCK_SCHEDULER_PORT: String(port) });

    expect(await second.ended).toEqual({ code: 78, signal: null });
    expect(second.stderr).toMatch(/another program uses it.*DRYDOCK_SCHEDULER_PORT/);
  });
});
