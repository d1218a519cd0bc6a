import { describe, expect, it } from '@jest/globals';
import { BlockedError, TransientError } from '@drydock/core';
import { UsedSweep, dayMs, everyMs, minuteMs } from '../testing/used-sweep.ts';

describe('the sweep, when something fails,', () => {
  const used = new UsedSweep();

  it('asks project by project where the forge finds the whole too much', async () => {
    const project = used.world.addProject(1);
    used.world.canListAll = true;
    used.start();
    await used.clock.advance(minuteMs);
    used.world.fault = (projectId) =>
      projectId === null && used.world.calls.at(-1)?.startsWith('open') === true
        ? new TransientError('forge.unavailable', 'statement timeout')
        : null;

    const taskId = used.world.change(project, 1, used.clock.nowMs());
    await used.clock.advance(everyMs);

    expect(await used.waiting()).toEqual([taskId]);
  });

  it('compares everything again when the store was emptied, or says that it may have lost tasks', async () => {
    const project = used.world.addProject(1);
    const taskId = used.world.change(project, 1, used.clock.nowMs() - dayMs);
    used.start();
    await used.clock.advance(minuteMs);
    await used.reviewAll();
    const reviewedAt = used.queue;

    used.queue = used.queueOf(() => 7);
    used.start('b');
    await used.clock.advance(everyMs);

    expect(await used.waiting()).toEqual([taskId]);
    expect(await used.queue.epoch()).toEqual({ epoch: 7, isSweepDue: false });
    expect((await reviewedAt.get(taskId))?.state).toBe('done');
  });

  it('does not wait for its interval when the store lost something, and says so once', async () => {
    let epoch = 1;
    used.queue = used.queueOf(() => epoch);
    const taskId = used.world.change(used.world.addProject(1), 1, used.clock.nowMs() - dayMs);
    used.start();
    used.start('b');
    await used.clock.advance(minuteMs);
    await used.reviewAll();
    const atRest = (await used.callsIn(minuteMs)).length;

    epoch = 2;
    const lost = used.clock.nowMs();
    while ((await used.queue.epoch()).isSweepDue) await used.clock.advance(1000);
    const tookMs = used.clock.nowMs() - lost;
    await used.clock.advance(3 * everyMs);

    expect(atRest).toBe(0);
    expect(tookMs).toBeLessThanOrEqual(20_000);
    expect((await used.queue.get(taskId))?.state).toBe('done');
    const told = used.logged.filter(({ message }) => message.startsWith('the store may have lost'));
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('pauses and shares')]);
  });

  it('is told of a loss that happened before it began, and not of a first start', async () => {
    used.world.addProject(1);
    const first = used.start();
    await used.clock.advance(minuteMs);
    const toldAtFirst = used.logged.some(({ message }) => message.startsWith('the store'));
    const stopped = first.stop();
    await used.clock.advance(0);
    await stopped;

    used.start('b', { queue: used.queueOf(() => 3) });
    await used.clock.advance(2 * everyMs);

    expect(toldAtFirst).toBe(false);
    expect(used.logged.filter(({ message }) => message.startsWith('the store'))).toHaveLength(1);
  });

  it('is not stopped by a project that fails, and finds later what it missed there', async () => {
    const [bad, good] = [used.world.addProject(1), used.world.addProject(2)];
    used.start();
    await used.clock.advance(minuteMs);
    used.world.fault = (projectId) => (projectId === bad ? new TransientError('forge.unavailable', 'failed') : null);
    const missed = used.world.change(bad, 1, used.clock.nowMs());
    const found = used.world.change(good, 1, used.clock.nowMs());

    await used.clock.advance(everyMs);
    const whileBad = await used.waiting();
    await used.clock.advance(3_600_000);
    used.world.fault = () => null;
    used.world.change(good, 2, used.clock.nowMs());
    await used.clock.advance(2 * everyMs);

    expect(whileBad).toEqual([found]);
    expect(await used.waiting()).toContain(missed);
  });

  it('tries a project again that failed in a sweep over everything', async () => {
    const [bad, good] = [used.world.addProject(1), used.world.addProject(2)];
    const ids = [
      used.world.change(bad, 1, used.clock.nowMs() - dayMs),
      used.world.change(good, 1, used.clock.nowMs() - dayMs),
    ];
    used.world.fault = (projectId) => (projectId === bad ? new TransientError('forge.timeout', 'slow') : null);
    used.start();

    await used.clock.advance(minuteMs);
    const dueWhileBad = (await used.queue.epoch()).isSweepDue;
    used.world.fault = () => null;
    await used.clock.advance(2 * everyMs);

    expect(dueWhileBad).toBe(true);
    expect(await used.waiting()).toEqual(ids);
    expect(await used.queue.epoch()).toMatchObject({ isSweepDue: false });
  });

  it('skips a project that may not be read, for good', async () => {
    const [secret, open] = [used.world.addProject(1), used.world.addProject(2)];
    const found = used.world.change(open, 1, used.clock.nowMs());
    used.world.fault = (projectId) => (projectId === secret ? new BlockedError('forge.forbidden', 'no') : null);

    used.start();
    await used.clock.advance(everyMs);

    expect(await used.waiting()).toEqual([found]);
    expect(await used.queue.epoch()).toMatchObject({ isSweepDue: false });
  });

  it('asks nothing more of a forge that refuses the token, says so once, and recovers', async () => {
    const project = used.world.addProject(1);
    const taskId = used.world.change(project, 1, used.clock.nowMs());
    used.world.fault = () => new BlockedError('forge.unauthorized', 'wrong token');
    used.start();

    const calls = await used.callsIn(2 * everyMs + minuteMs);
    const alarms = used.logged.filter(({ message }) => message === 'no sweep until a person acts');
    used.world.fault = () => null;
    await used.clock.advance(2 * everyMs);

    expect(calls).toEqual(['projects', 'projects', 'projects']);
    expect(alarms).toHaveLength(1);
    expect(await used.metric('drydock_sweeps_total')).toContain('{outcome="blocked"} 3');
    expect(await used.waiting()).toEqual([taskId]);
  });

  it('passes over a merge request whose task cannot be read, and says so', async () => {
    const project = used.world.addProject(1);
    const broken = used.world.change(project, 1, used.clock.nowMs());
    const found = used.world.change(project, 2, used.clock.nowMs());
    const get = (taskId: string) =>
      taskId === broken ? Promise.reject(new BlockedError('queue.wrong_type', 'a list')) : used.queue.get(taskId);

    used.start('a', {
      queue: {
        get,
        enqueue: (event, options) => used.queue.enqueue(event, options),
        audit: () => used.queue.audit(),
        epoch: () => used.queue.epoch(),
        sweepDone: (epoch) => used.queue.sweepDone(epoch),
      },
    });
    await used.clock.advance(everyMs);

    expect(await used.waiting()).toEqual([found]);
    expect(await used.queue.epoch()).toMatchObject({ isSweepDue: false });
    expect(await used.metric('drydock_sweep_unreadable_total')).toMatch(/ [12]$/);
    expect(used.logged.find(({ message }) => message.startsWith('merge request not swept'))?.facts).toMatchObject({
      taskId: broken,
      code: 'queue.wrong_type',
    });
  });

  it('lets the queue look after its tasks in each round, in slices, and sweeps whatever comes of that', async () => {
    const found = used.world.change(used.world.addProject(1), 1, used.clock.nowMs());
    const asked: (string | null)[] = [];
    const audit = (cursor: string | null) => {
      asked.push(cursor);
      if (asked.length === 3) return Promise.reject(new BlockedError('queue.wrong_type', 'a list'));
      return Promise.resolve({ healed: 2, broken: 1, cursor: cursor === null ? 'second' : null });
    };

    used.start('a', {
      queue: {
        get: (taskId) => used.queue.get(taskId),
        enqueue: (event, options) => used.queue.enqueue(event, options),
        audit,
        epoch: () => used.queue.epoch(),
        sweepDone: (epoch) => used.queue.sweepDone(epoch),
      },
    });
    await used.clock.advance(2 * everyMs);

    expect(asked).toEqual([null, 'second', null]);
    expect(await used.waiting()).toEqual([found]);
    expect(await used.metric('drydock_queue_audit_total')).toContain('{outcome="healed"} 4');
    expect(used.logged.map(({ message }) => message)).toContain('tasks in the queue could not be looked at');
  });

  it('waits as long as the forge asks it to', async () => {
    used.world.addProject(1);
    used.world.fault = () => new TransientError('forge.rate_limited', 'slow down', { retryAfterMs: 3_600_000 });
    used.start();

    await used.clock.advance(minuteMs);
    const quiet = await used.callsIn(3_600_000 - 2 * minuteMs);

    expect(quiet).toEqual([]);
    expect((await used.callsIn(everyMs)).length).toBe(1);
    expect(await used.metric('drydock_sweeps_total')).toContain('{outcome="rate-limited"}');
  });

  it('goes on when the store is away, and when the clock was set back', async () => {
    const project = used.world.addProject(1);
    let isAway = true;
    const lock = {
      hold: (owner: string, ttlMs: number) =>
        isAway ? Promise.reject(new TransientError('queue.unreachable', 'away')) : used.state.hold(owner, ttlMs),
      release: (owner: string) => used.state.release(owner),
    };
    const taskId = used.world.change(project, 1, used.clock.nowMs());
    used.start('a', { lock });
    await used.clock.advance(2 * everyMs);
    const whileAway = used.world.calls.length;
    isAway = false;
    await used.clock.advance(2 * everyMs);

    expect(whileAway).toBe(0);
    expect(await used.waiting()).toEqual([taskId]);
  });

  it('reported 39: raises an alarm for a webhook that the forge stopped, once, and counts it', async () => {
    const [one] = [1, 2, 3, 4].map((id) => used.world.addProject(id));
    const shown = (state: 'sending' | 'off', lastFailedId: string | null) =>
      used.world.hooks.set(one ?? '', [{ hookId: '5', state, lastFailedId }]);
    shown('sending', null);
    used.start();
    await used.clock.advance(6 * everyMs);
    shown('sending', '8');
    await used.clock.advance(6 * everyMs);
    shown('off', '9');
    await used.clock.advance(12 * everyMs);

    const told = (start: string) => used.logged.filter(({ message }) => message.startsWith(start));
    expect(told('deliveries of a webhook failed')).toHaveLength(1);
    expect(told('the forge has stopped a webhook')).toMatchObject([{ facts: { project: 'shop/p1', state: 'off' } }]);
    expect(told('webhooks cannot be looked after')).toHaveLength(1);
    expect(await used.metric('drydock_hooks_disabled')).toContain('{forge="gitlab"} 1');
  });
});
