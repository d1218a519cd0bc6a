/** Redis has forgotten: everything, or what a newer build wrote means nothing to us. */
import { startRedisServer } from '@drydock/testkit';
import { expect, it } from '@jest/globals';
import { changeFields, readFields } from '../contract/packed-task.ts';
import { aFailure, aTaskRequest, atOnce, sha, taskIdOfIid } from '../contract/queue-under-test.ts';
import { describeFaults, drain, eventually, mustTake, operatorOf, queueAt, take } from './fault-stage.ts';

describeFaults('a store that lost everything', () => {
  it.each(['FLUSHALL while it runs', 'a restart without persistence'])(
    'row 9: by %s refuses the numbers of before, never gives one twice, and wants a full sweep',
    async (how) => {
      await using server = await startRedisServer({ config: { appendonly: 'no' } });
      await using queue = await queueAt(server.port);
      for (const iid of [1, 2]) await queue.enqueue(aTaskRequest({ iid }), atOnce);
      const held = await mustTake(queue);
      const before = await queue.beginLaunch(held, sha('a'));
      const { epoch } = await queue.epoch();
      await queue.sweepDone(epoch);
      expect(await queue.epoch()).toEqual({ epoch, isSweepDue: false });

      if (how.startsWith('FLUSHALL')) {
        await using operator = await operatorOf(server);
        await operator.flushall();
      } else {
        await server.kill();
        await server.restart();
      }

      expect(await eventually(() => queue.extend(held, 60_000))).toEqual({ kind: 'lost' });
      expect(await queue.beginPublishing(held)).toEqual({ kind: 'lost' });
      expect(await queue.complete(held, { kind: 'done' })).toEqual({ kind: 'lost' });
      expect(await queue.fail(held, aFailure())).toEqual({ kind: 'lost' });
      const iid = held.taskId === taskIdOfIid(1) ? 1 : 2;
      await queue.enqueue(aTaskRequest({ iid, trigger: 'swept' }), atOnce); // as the sweep does
      const again = await mustTake(queue);
      expect(again.taskId).toBe(held.taskId);
      expect(again.lease).toBeGreaterThan(held.lease);
      const begun = await queue.beginLaunch(again, sha('a'));
      if (begun.kind !== 'begun' || before.kind !== 'begun') throw new Error('no launch');
      expect(begun.launch).toBeGreaterThan(before.launch);
      const after = await queue.epoch();
      expect(after.epoch).toBeGreaterThan(epoch);
      expect(after.isSweepDue).toBe(true);
      expect(await queue.complete(again, { kind: 'done' })).toMatchObject({ kind: 'completed' });
    },
  );
});

describeFaults('two builds on one store', () => {
  it('row 60: parks what a newer build wrote in another form, keeps it as it is, and goes on with the others', async () => {
    await using server = await startRedisServer();
    await using queue = await queueAt(server.port);
    await using operator = await operatorOf(server);
    for (const iid of [1, 2]) await queue.enqueue(aTaskRequest({ iid }), atOnce);
    const key = `{drydock}:task:${taskIdOfIid(1)}`;
    await changeFields(operator, key, { v: '999', fieldOfTheFuture: 'precious' });
    const before = await operator.getBuffer(key);

    expect((await drain(queue)).map(({ taskId }) => taskId)).toEqual([taskIdOfIid(2)]);

    expect(await operator.getBuffer(key)).toEqual(before);
    expect(await operator.exists('{drydock}:parked')).toBe(1);
  });

  it('row 60: keeps fields that it does not know through the whole life of a task', async () => {
    await using server = await startRedisServer();
    await using queue = await queueAt(server.port);
    await using operator = await operatorOf(server);
    await queue.enqueue(aTaskRequest(), atOnce);
    const key = `{drydock}:task:${taskIdOfIid(7)}`;
    await changeFields(operator, key, { fieldOfTheFuture: 'precious' });
    const kept = async () => (await readFields(operator, key))['fieldOfTheFuture'];

    const held = await mustTake(queue, { ttlMs: 1 });
    await eventually(() => mustTake(queue)); // taken over
    const adopted = { ...held, lease: held.lease + 1 };
    await queue.beginLaunch(adopted, sha('a'));
    await queue.enqueue(aTaskRequest({ trigger: 'labeled' }), atOnce);
    expect(await kept()).toBe('precious');
    await queue.beginPublishing(adopted);
    expect(await queue.complete(adopted, { kind: 'done' })).toEqual({ kind: 'completed', requeued: true });
    const again = await mustTake(queue);
    await queue.release(again, { delayMs: 0, why: 'test' });
    const last = await mustTake(queue);
    await queue.fail(last, aFailure({ class: 'terminal' }));

    expect(await kept()).toBe('precious');
  });
});

describeFaults('eight schedulers', () => {
  const tasks = process.env['DRYDOCK_TEST_FULL'] === '1' ? 10_000 : 2_000;
  it(`row 26: take ${tasks} tasks once each`, async () => {
    await using server = await startRedisServer();
    const schedulers = await Promise.all(Array.from({ length: 8 }, () => queueAt(server.port)));
    const [first] = schedulers;
    if (first === undefined) throw new Error('no scheduler');
    for (let iid = 0; iid < tasks; iid += 500) {
      await Promise.all(
        Array.from({ length: 500 }, (_, n) => first.enqueue(aTaskRequest({ iid: iid + n + 1 }), atOnce)),
      );
    }

    const taken = await Promise.all(
      schedulers.map(async (scheduler) => {
        const own: number[] = [];
        for (let task = await take(scheduler); task !== null; task = await take(scheduler)) {
          own.push(task.subject.iid);
          if (task.subject.iid % 2 === 0) await scheduler.complete(task, { kind: 'done' });
        }
        return own;
      }),
    );

    const iids = taken.flat();
    expect(iids).toHaveLength(tasks);
    expect(new Set(iids).size).toBe(tasks);
    expect(taken.filter((own) => own.length === 0)).toEqual([]);
    await Promise.all(schedulers.map((scheduler) => scheduler.close()));
  }, 120_000);
});
