import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, TransientError, silentLog, type Log, type LogFacts } from '@drydock/core';
import { MemorySweepState, MemoryTaskQueue } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { SweepWorld } from '../testing/sweep-world.ts';
import { anEvent, sha } from '../testing/world-gateway.ts';
import type { SweepLoopPorts } from './sweep-loop.ts';
import { createSweepMetrics } from './sweep-metrics.ts';
import { startSweep, type RunningSweep } from './start-sweep.ts';

const everyMs = 300_000;
const dayMs = 24 * 3_600_000;
const minuteMs = 60_000;

describe('the sweep', () => {
  let clock: ManualClock;
  let queue: MemoryTaskQueue;
  let state: MemorySweepState;
  let world: SweepWorld;
  let registry: Registry;
  let logged: { readonly message: string; readonly facts: LogFacts }[];
  const running: RunningSweep[] = [];

  beforeEach(() => {
    clock = new ManualClock();
    queue = new MemoryTaskQueue({ clock, random: () => 0.5 });
    state = new MemorySweepState(clock);
    world = new SweepWorld();
    logged = [];
  });
  afterEach(async () => {
    const stopping = Promise.all(running.splice(0).map((sweep) => sweep.stop()));
    await clock.advance(0);
    await stopping;
  });

  function start(owner = 'a', ports: Partial<SweepLoopPorts> = {}): RunningSweep {
    const keep = (facts: LogFacts, message: string) => {
      logged.push({ message, facts });
    };
    const log: Log = { ...silentLog, info: keep, warn: keep, error: keep, child: () => log };
    registry = new Registry();
    const metrics = createSweepMetrics(registry);
    const sweep = startSweep(
      {
        gateway: world,
        queue,
        state,
        lock: state,
        clock,
        log,
        metrics,
        isProjectAllowed: () => true,
        random: () => 0.5,
        ...ports,
      },
      { forges: ['gitlab'], owner, everyMs, reachMs: 7 * dayMs },
    );
    running.push(sweep);
    return sweep;
  }

  /** What was asked of the gateway in some time. */
  async function callsIn(ms: number): Promise<readonly string[]> {
    const before = world.calls.length;
    await clock.advance(ms);
    return world.calls.slice(before);
  }

  async function waiting(): Promise<readonly string[]> {
    const { tasks } = await queue.list({ states: ['waiting'], limit: 1000 });
    return tasks.map(({ taskId }) => taskId).sort();
  }

  /** Every waiting task ends as done. */
  async function reviewAll(): Promise<number> {
    await clock.advance(minuteMs);
    for (let count = 0; ; count += 1) {
      const limits = { total: 1000, perForge: null, perProject: null };
      const task = await queue.lease({ owner: 's', ttlMs: 1000, limits });
      if (task === null) return count;
      await queue.beginLaunch(task, task.headSha ?? sha('0'));
      await queue.complete(task, { kind: 'done' });
    }
  }

  const metric = async (name: string) => await registry.getSingleMetricAsString(name);

  it('begins with everything of the last days, in all projects, and tells the queue', async () => {
    const [one, two] = [world.addProject(1), world.addProject(2)];
    const ids = [world.change(one, 1, clock.nowMs()), world.change(two, 1, clock.nowMs() - 6 * dayMs)];
    world.change(two, 2, clock.nowMs() - 8 * dayMs);

    start();
    await clock.advance(everyMs);

    expect(await waiting()).toEqual(ids);
    expect(await queue.get(ids[0] ?? '')).toMatchObject({
      trigger: 'swept',
      headSha: sha('a'),
      projectPath: 'shop/p1',
    });
    expect(await queue.epoch()).toMatchObject({ isSweepDue: false });
    expect(await metric('drydock_sweep_healed_total')).toContain(' 2');
  });

  it('then asks only for what changed, and leaves what was reviewed at that head', async () => {
    const project = world.addProject(1);
    world.change(project, 1, clock.nowMs());
    world.change(project, 2, clock.nowMs());
    start();
    await clock.advance(minuteMs);
    expect(await reviewAll()).toBe(2);

    world.change(project, 1, clock.nowMs()); // a comment
    const pushed = world.change(project, 2, clock.nowMs(), sha('b'));
    await clock.advance(2 * everyMs);

    expect(await waiting()).toEqual([pushed]);
    expect(world.calls.filter((call) => call.startsWith('open')).at(-1)).toBe(
      `open 1 since ${String((world.mergeRequests[1]?.updatedAtMs ?? 0) - 10 * minuteMs)}`,
    );
  });

  it('asks the whole forge at once where that is cheap, and takes from it only what is ours', async () => {
    const [ours, second] = [world.addProject(1), world.addProject(2)];
    world.canListAll = true;
    start('a', { isProjectAllowed: (projectId) => projectId === ours });
    await clock.advance(minuteMs);

    const wanted = world.change(ours, 1, clock.nowMs());
    world.change(second, 1, clock.nowMs());
    world.change('99', 1, clock.nowMs());
    const calls = await callsIn(everyMs);

    expect(await waiting()).toEqual([wanted]);
    expect(calls.map((call) => call.split(' since')[0])).toEqual(['projects', 'open all', 'open all']);
  });

  it('asks project by project where the forge finds the whole too much', async () => {
    const project = world.addProject(1);
    world.canListAll = true;
    start();
    await clock.advance(minuteMs);
    world.fault = (projectId) =>
      projectId === null && world.calls.at(-1)?.startsWith('open') === true
        ? new TransientError('forge.unavailable', 'statement timeout')
        : null;

    const taskId = world.change(project, 1, clock.nowMs());
    await clock.advance(everyMs);

    expect(await waiting()).toEqual([taskId]);
  });

  it('goes on where it was after a restart', async () => {
    const project = world.addProject(1);
    world.change(project, 1, clock.nowMs());
    const first = start();
    await clock.advance(minuteMs);
    const stopped = first.stop();
    await clock.advance(3_600_000);
    await stopped;
    await reviewAll();
    const missed = world.change(project, 2, clock.nowMs() - 3_000_000);

    start('b');
    const calls = await callsIn(minuteMs);

    expect(await waiting()).toEqual([missed]);
    expect(calls).toEqual(['projects', expect.stringMatching(/^open 1 since/), 'hooks 1']);
  });

  it('compares everything again when the store was emptied, or says that it may have lost tasks', async () => {
    const project = world.addProject(1);
    const taskId = world.change(project, 1, clock.nowMs() - dayMs);
    start();
    await clock.advance(minuteMs);
    await reviewAll();
    const reviewedAt = queue;

    queue = new MemoryTaskQueue({ clock, random: () => 0.5, epoch: () => 7 });
    start('b', { queue });
    await clock.advance(everyMs);

    expect(await waiting()).toEqual([taskId]);
    expect(await queue.epoch()).toEqual({ epoch: 7, isSweepDue: false });
    expect((await reviewedAt.get(taskId))?.state).toBe('done');
  });

  it('does not wait for its interval when the store lost something, and says so once', async () => {
    let epoch = 1;
    queue = new MemoryTaskQueue({ clock, random: () => 0.5, epoch: () => epoch });
    const taskId = world.change(world.addProject(1), 1, clock.nowMs() - dayMs);
    start();
    start('b');
    await clock.advance(minuteMs);
    await reviewAll();
    const atRest = (await callsIn(minuteMs)).length;

    epoch = 2;
    const lost = clock.nowMs();
    while ((await queue.epoch()).isSweepDue) await clock.advance(1000);
    const tookMs = clock.nowMs() - lost;
    await clock.advance(3 * everyMs);

    expect(atRest).toBe(0);
    expect(tookMs).toBeLessThanOrEqual(20_000);
    expect((await queue.get(taskId))?.state).toBe('done');
    const told = logged.filter(({ message }) => message.startsWith('the store may have lost'));
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('pauses and shares')]);
  });

  it('is told of a loss that happened before it began, and not of a first start', async () => {
    world.addProject(1);
    const first = start();
    await clock.advance(minuteMs);
    const toldAtFirst = logged.some(({ message }) => message.startsWith('the store'));
    const stopped = first.stop();
    await clock.advance(0);
    await stopped;

    start('b', { queue: new MemoryTaskQueue({ clock, random: () => 0.5, epoch: () => 3 }) });
    await clock.advance(2 * everyMs);

    expect(toldAtFirst).toBe(false);
    expect(logged.filter(({ message }) => message.startsWith('the store'))).toHaveLength(1);
  });

  it('compares everything once a day', async () => {
    const project = world.addProject(1);
    world.change(project, 1, clock.nowMs() - 2 * dayMs);
    start();

    const calls = await callsIn(3 * dayMs);

    const asFarBack = calls.filter((call) => Number(/since (\d+)/.exec(call)?.[1]) < clock.nowMs() - 6 * dayMs);
    expect(asFarBack.length).toBeGreaterThanOrEqual(3);
    expect(asFarBack.length).toBeLessThanOrEqual(4);
  });

  it('goes through very many projects in slices, and goes on with them after a restart', async () => {
    for (let id = 1; id <= 900; id += 1) world.change(world.addProject(id), 1, clock.nowMs());
    const first = start();

    await clock.advance(minuteMs);
    const sliced = (await waiting()).length;
    const dueAfterSlice = (await queue.epoch()).isSweepDue;
    const stopped = first.stop();
    await clock.advance(everyMs);
    await stopped;
    start('b');
    await clock.advance(2 * everyMs);

    expect(sliced).toBeGreaterThan(300);
    expect(sliced).toBeLessThan(600);
    expect(dueAfterSlice).toBe(true);
    expect(await waiting()).toHaveLength(900);
    expect(world.calls.filter((call) => /^open 1 since/.test(call)).length).toBeLessThanOrEqual(4);
    expect(await queue.epoch()).toMatchObject({ isSweepDue: false });
  });

  it('is not stopped by a project that fails, and finds later what it missed there', async () => {
    const [bad, good] = [world.addProject(1), world.addProject(2)];
    start();
    await clock.advance(minuteMs);
    world.fault = (projectId) => (projectId === bad ? new TransientError('forge.unavailable', 'failed') : null);
    const missed = world.change(bad, 1, clock.nowMs());
    const found = world.change(good, 1, clock.nowMs());

    await clock.advance(everyMs);
    const whileBad = await waiting();
    await clock.advance(3_600_000);
    world.fault = () => null;
    world.change(good, 2, clock.nowMs());
    await clock.advance(2 * everyMs);

    expect(whileBad).toEqual([found]);
    expect(await waiting()).toContain(missed);
  });

  it('tries a project again that failed in a sweep over everything', async () => {
    const [bad, good] = [world.addProject(1), world.addProject(2)];
    const ids = [world.change(bad, 1, clock.nowMs() - dayMs), world.change(good, 1, clock.nowMs() - dayMs)];
    world.fault = (projectId) => (projectId === bad ? new TransientError('forge.timeout', 'slow') : null);
    start();

    await clock.advance(minuteMs);
    const dueWhileBad = (await queue.epoch()).isSweepDue;
    world.fault = () => null;
    await clock.advance(2 * everyMs);

    expect(dueWhileBad).toBe(true);
    expect(await waiting()).toEqual(ids);
    expect(await queue.epoch()).toMatchObject({ isSweepDue: false });
  });

  it('skips a project that may not be read, for good', async () => {
    const [secret, open] = [world.addProject(1), world.addProject(2)];
    const found = world.change(open, 1, clock.nowMs());
    world.fault = (projectId) => (projectId === secret ? new BlockedError('forge.forbidden', 'no') : null);

    start();
    await clock.advance(everyMs);

    expect(await waiting()).toEqual([found]);
    expect(await queue.epoch()).toMatchObject({ isSweepDue: false });
  });

  it('asks nothing more of a forge that refuses the token, says so once, and recovers', async () => {
    const project = world.addProject(1);
    const taskId = world.change(project, 1, clock.nowMs());
    world.fault = () => new BlockedError('forge.unauthorized', 'wrong token');
    start();

    const calls = await callsIn(2 * everyMs + minuteMs);
    const alarms = logged.filter(({ message }) => message === 'no sweep until a person acts');
    world.fault = () => null;
    await clock.advance(2 * everyMs);

    expect(calls).toEqual(['projects', 'projects', 'projects']);
    expect(alarms).toHaveLength(1);
    expect(await metric('drydock_sweeps_total')).toContain('{outcome="blocked"} 3');
    expect(await waiting()).toEqual([taskId]);
  });

  it('passes over a merge request whose task cannot be read, and says so', async () => {
    const project = world.addProject(1);
    const broken = world.change(project, 1, clock.nowMs());
    const found = world.change(project, 2, clock.nowMs());
    const get = (taskId: string) =>
      taskId === broken ? Promise.reject(new BlockedError('queue.wrong_type', 'a list')) : queue.get(taskId);

    start('a', {
      queue: {
        get,
        enqueue: (event, options) => queue.enqueue(event, options),
        epoch: () => queue.epoch(),
        sweepDone: (epoch) => queue.sweepDone(epoch),
      },
    });
    await clock.advance(everyMs);

    expect(await waiting()).toEqual([found]);
    expect(await queue.epoch()).toMatchObject({ isSweepDue: false });
    expect(await metric('drydock_sweep_unreadable_total')).toMatch(/ [12]$/);
    expect(logged.find(({ message }) => message.startsWith('merge request not swept'))?.facts).toMatchObject({
      taskId: broken,
      code: 'queue.wrong_type',
    });
  });

  it('waits as long as the forge asks it to', async () => {
    world.addProject(1);
    world.fault = () => new TransientError('forge.rate_limited', 'slow down', { retryAfterMs: 3_600_000 });
    start();

    await clock.advance(minuteMs);
    const quiet = await callsIn(3_600_000 - 2 * minuteMs);

    expect(quiet).toEqual([]);
    expect((await callsIn(everyMs)).length).toBe(1);
    expect(await metric('drydock_sweeps_total')).toContain('{outcome="rate-limited"}');
  });

  it('is done by one of several schedulers at a time, and once in an interval', async () => {
    world.change(world.addProject(1), 1, clock.nowMs());
    for (const owner of ['a', 'b', 'c']) start(owner);

    await clock.advance(minuteMs);
    const atStart = world.calls.length;
    const calls = await callsIn(10 * everyMs);

    expect(atStart).toBe(3);
    expect(calls.filter((call) => call === 'projects').length).toBeLessThanOrEqual(11);
  });

  it('ends where it is when the right to sweep goes to another', async () => {
    for (let id = 1; id <= 5; id += 1) world.change(world.addProject(id), 1, clock.nowMs());
    world.meanwhile = async () => {
      if (world.calls.length !== 2) return;
      clock.jump(10 * minuteMs); // frozen
      await state.hold('other', minuteMs);
    };

    start();
    await clock.advance(minuteMs);

    expect(world.calls).toHaveLength(2);
    expect(running[0]).toBeDefined();
  });

  it('does no harm beside webhooks that come late, twice or before it', async () => {
    const project = world.addProject(42);
    const taskId = world.change(project, 7, clock.nowMs(), sha('b'));
    const hook = (headSha: string, occurredAtMs: number) =>
      queue.enqueue(anEvent({ headSha, occurredAtMs }), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    start();
    await clock.advance(minuteMs);

    await hook(sha('a'), clock.nowMs() - dayMs);
    await hook(sha('b'), clock.nowMs());
    const headSha = (await queue.get(taskId))?.headSha;
    const reviews = await reviewAll();
    await clock.advance(3 * everyMs);

    expect(headSha).toBe(sha('b'));
    expect(reviews).toBe(1);
    expect(await waiting()).toEqual([]);
  });

  it('never asks for what was closed meanwhile', async () => {
    const project = world.addProject(1);
    start();
    await clock.advance(minuteMs);
    world.change(project, 1, clock.nowMs());
    world.close(project, 1);

    await clock.advance(2 * everyMs);

    expect(await waiting()).toEqual([]);
  });

  it('goes on when the store is away, and when the clock was set back', async () => {
    const project = world.addProject(1);
    let isAway = true;
    const lock = {
      hold: (owner: string, ttlMs: number) =>
        isAway ? Promise.reject(new TransientError('queue.unreachable', 'away')) : state.hold(owner, ttlMs),
      release: (owner: string) => state.release(owner),
    };
    const taskId = world.change(project, 1, clock.nowMs());
    start('a', { lock });
    await clock.advance(2 * everyMs);
    const whileAway = world.calls.length;
    isAway = false;
    await clock.advance(2 * everyMs);

    expect(whileAway).toBe(0);
    expect(await waiting()).toEqual([taskId]);
  });

  it('reported 39: raises an alarm for a webhook that the forge stopped, once, and counts it', async () => {
    const [one] = [1, 2, 3, 4].map((id) => world.addProject(id));
    const shown = (state: 'sending' | 'off', lastFailedId: string | null) =>
      world.hooks.set(one ?? '', [{ hookId: '5', state, lastFailedId }]);
    shown('sending', null);
    start();
    await clock.advance(6 * everyMs);
    shown('sending', '8');
    await clock.advance(6 * everyMs);
    shown('off', '9');
    await clock.advance(12 * everyMs);

    const told = (start: string) => logged.filter(({ message }) => message.startsWith(start));
    expect(told('deliveries of a webhook failed')).toHaveLength(1);
    expect(told('the forge has stopped a webhook')).toMatchObject([{ facts: { project: 'shop/p1', state: 'off' } }]);
    expect(told('webhooks cannot be looked after')).toHaveLength(1);
    expect(await metric('drydock_hooks_disabled')).toContain('{forge="gitlab"} 1');
  });

  it('stops in the middle of a round, and does nothing after', async () => {
    for (let id = 1; id <= 50; id += 1) world.addProject(id);
    world.meanwhile = () => clock.sleep(1000, new AbortController().signal);
    const sweep = start();
    await clock.advance(20_000);
    const before = world.calls.length;

    const stopped = sweep.stop();
    await clock.advance(everyMs);
    await stopped;

    expect(before).toBeGreaterThan(3);
    expect(world.calls.length).toBeLessThanOrEqual(before + 1);
  });
});
