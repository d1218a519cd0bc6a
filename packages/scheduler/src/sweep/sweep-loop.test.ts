import { describe, expect, it } from '@jest/globals';
import { UsedSweep, dayMs, everyMs, minuteMs } from '../testing/used-sweep.ts';
import { anEvent, sha } from '../testing/world-gateway.ts';

describe('the sweep', () => {
  const used = new UsedSweep();

  it('begins with everything of the last days, in all projects, and tells the queue', async () => {
    const [one, two] = [used.world.addProject(1), used.world.addProject(2)];
    const ids = [
      used.world.change(one, 1, used.clock.nowMs()),
      used.world.change(two, 1, used.clock.nowMs() - 6 * dayMs),
    ];
    used.world.change(two, 2, used.clock.nowMs() - 8 * dayMs);

    used.start();
    await used.clock.advance(everyMs);

    expect(await used.waiting()).toEqual(ids);
    expect(await used.queue.get(ids[0] ?? '')).toMatchObject({
      trigger: 'swept',
      headSha: sha('a'),
      projectPath: 'shop/p1',
    });
    expect(await used.queue.epoch()).toMatchObject({ isSweepDue: false });
    expect(await used.metric('drydock_sweep_healed_total')).toContain(' 2');
  });

  it('then asks only for what changed, and leaves what was reviewed at that head', async () => {
    const project = used.world.addProject(1);
    used.world.change(project, 1, used.clock.nowMs());
    used.world.change(project, 2, used.clock.nowMs());
    used.start();
    await used.clock.advance(minuteMs);
    expect(await used.reviewAll()).toBe(2);

    used.world.change(project, 1, used.clock.nowMs()); // a comment
    const pushed = used.world.change(project, 2, used.clock.nowMs(), sha('b'));
    await used.clock.advance(2 * everyMs);

    expect(await used.waiting()).toEqual([pushed]);
    expect(used.world.calls.filter((call) => call.startsWith('open')).at(-1)).toBe(
      `open 1 since ${String((used.world.mergeRequests[1]?.updatedAtMs ?? 0) - 10 * minuteMs)}`,
    );
  });

  it('asks the whole forge at once where that is cheap, and takes from it only what is ours', async () => {
    const [ours, second] = [used.world.addProject(1), used.world.addProject(2)];
    used.world.canListAll = true;
    used.start('a', { isProjectAllowed: (projectId) => projectId === ours });
    await used.clock.advance(minuteMs);

    const wanted = used.world.change(ours, 1, used.clock.nowMs());
    used.world.change(second, 1, used.clock.nowMs());
    used.world.change('99', 1, used.clock.nowMs());
    const calls = await used.callsIn(everyMs);

    expect(await used.waiting()).toEqual([wanted]);
    expect(calls.map((call) => call.split(' since')[0])).toEqual(['projects', 'open all', 'open all']);
  });

  it('goes on where it was after a restart', async () => {
    const project = used.world.addProject(1);
    used.world.change(project, 1, used.clock.nowMs());
    const first = used.start();
    await used.clock.advance(minuteMs);
    const stopped = first.stop();
    await used.clock.advance(3_600_000);
    await stopped;
    await used.reviewAll();
    const missed = used.world.change(project, 2, used.clock.nowMs() - 3_000_000);

    used.start('b');
    const calls = await used.callsIn(minuteMs);

    expect(await used.waiting()).toEqual([missed]);
    expect(calls).toEqual(['projects', expect.stringMatching(/^open 1 since/), 'hooks 1']);
  });

  it('compares everything once a day', async () => {
    const project = used.world.addProject(1);
    used.world.change(project, 1, used.clock.nowMs() - 2 * dayMs);
    used.start();

    const calls = await used.callsIn(3 * dayMs);

    const asFarBack = calls.filter((call) => Number(/since (\d+)/.exec(call)?.[1]) < used.clock.nowMs() - 6 * dayMs);
    expect(asFarBack.length).toBeGreaterThanOrEqual(3);
    expect(asFarBack.length).toBeLessThanOrEqual(4);
  });

  it('goes through very many projects in slices, and goes on with them after a restart', async () => {
    for (let id = 1; id <= 900; id += 1) used.world.change(used.world.addProject(id), 1, used.clock.nowMs());
    const first = used.start();

    await used.clock.advance(minuteMs);
    const sliced = (await used.waiting()).length;
    const dueAfterSlice = (await used.queue.epoch()).isSweepDue;
    const stopped = first.stop();
    await used.clock.advance(everyMs);
    await stopped;
    used.start('b');
    await used.clock.advance(2 * everyMs);

    expect(sliced).toBeGreaterThan(300);
    expect(sliced).toBeLessThan(600);
    expect(dueAfterSlice).toBe(true);
    expect(await used.waiting()).toHaveLength(900);
    expect(used.world.calls.filter((call) => /^open 1 since/.test(call)).length).toBeLessThanOrEqual(4);
    expect(await used.queue.epoch()).toMatchObject({ isSweepDue: false });
  });

  it('is done by one of several schedulers at a time, and once in an interval', async () => {
    used.world.change(used.world.addProject(1), 1, used.clock.nowMs());
    for (const owner of ['a', 'b', 'c']) used.start(owner);

    await used.clock.advance(minuteMs);
    const atStart = used.world.calls.length;
    const calls = await used.callsIn(10 * everyMs);

    expect(atStart).toBe(3);
    expect(calls.filter((call) => call === 'projects').length).toBeLessThanOrEqual(11);
  });

  it('ends where it is when the right to sweep goes to another', async () => {
    for (let id = 1; id <= 5; id += 1) used.world.change(used.world.addProject(id), 1, used.clock.nowMs());
    used.world.meanwhile = async () => {
      if (used.world.calls.length !== 2) return;
      used.clock.jump(10 * minuteMs); // frozen
      await used.state.hold('other', minuteMs);
    };

    used.start();
    await used.clock.advance(minuteMs);

    expect(used.world.calls).toHaveLength(2);
  });

  it('does no harm beside webhooks that come late, twice or before it', async () => {
    const project = used.world.addProject(42);
    const taskId = used.world.change(project, 7, used.clock.nowMs(), sha('b'));
    const hook = (headSha: string, occurredAtMs: number) =>
      used.queue.enqueue(anEvent({ headSha, occurredAtMs }), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    used.start();
    await used.clock.advance(minuteMs);

    await hook(sha('a'), used.clock.nowMs() - dayMs);
    await hook(sha('b'), used.clock.nowMs());
    const headSha = (await used.queue.get(taskId))?.headSha;
    const reviews = await used.reviewAll();
    await used.clock.advance(3 * everyMs);

    expect(headSha).toBe(sha('b'));
    expect(reviews).toBe(1);
    expect(await used.waiting()).toEqual([]);
  });

  it('never asks for what was closed meanwhile', async () => {
    const project = used.world.addProject(1);
    used.start();
    await used.clock.advance(minuteMs);
    used.world.change(project, 1, used.clock.nowMs());
    used.world.close(project, 1);

    await used.clock.advance(2 * everyMs);

    expect(await used.waiting()).toEqual([]);
  });

  it('stops in the middle of a round, and does nothing after', async () => {
    for (let id = 1; id <= 50; id += 1) used.world.addProject(id);
    used.world.meanwhile = () => used.clock.sleep(1000, new AbortController().signal);
    const sweep = used.start();
    await used.clock.advance(20_000);
    const before = used.world.calls.length;

    const stopped = sweep.stop();
    await used.clock.advance(everyMs);
    await stopped;

    expect(before).toBeGreaterThan(3);
    expect(used.world.calls.length).toBeLessThanOrEqual(before + 1);
  });
});
