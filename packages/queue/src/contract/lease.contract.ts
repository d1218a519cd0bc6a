import { describe, expect, it } from '@jest/globals';
import {
  aCommand,
  aFailure,
  aTaskRequest,
  atOnce,
  leaseNext,
  mustLease,
  mustRun,
  nth,
  room,
  sha,
  taskIdOfIid,
  type MakeQueue,
} from './queue-under-test.ts';

const taskId = taskIdOfIid(7);

/** How tasks are given out, kept, taken over and launched. */
export function leaseContract(makeQueue: MakeQueue): void {
  describe('lease', () => {
    it('gives what was asked for, and nothing when nothing waits', async () => {
      const { queue, nowMs, advance } = await makeQueue();
      await queue.enqueue(aCommand(), atOnce);
      const queuedAtMs = nowMs();
      advance(100);

      expect(await leaseNext(queue)).toEqual({
        taskId,
        lease: nth(1),
        kind: 'review',
        subject: { forge: 'gitlab', projectId: '42', iid: 7 },
        projectPath: 'group/project',
        trigger: 'commanded',
        command: { verb: 'review', noteId: '900', userId: '5' },
        headSha: sha('a'),
        launch: 0,
        failures: 0,
        adopted: null,
        queuedAtMs,
        doneHeadSha: null,
      });
      expect(await leaseNext(queue)).toBeNull();
      expect(await queue.get(taskId)).toMatchObject({ state: 'leased', lease: nth(1) });
    });

    it('takes the highest priority first, then what was ready first', async () => {
      const { queue, advance } = await makeQueue();
      const requests = [
        aTaskRequest({ iid: 1, trigger: 'swept' }),
        aTaskRequest({ iid: 2, trigger: 'opened' }),
        aTaskRequest({ iid: 3, trigger: 'pushed' }),
        aCommand({ iid: 4 }),
      ];
      for (const request of requests) {
        await queue.enqueue(request, atOnce);
        advance(10);
      }

      const order = [];
      for (let i = 0; i < requests.length; i += 1) order.push((await mustLease(queue)).subject.iid);

      expect(order).toEqual([4, 2, 3, 1]);
    });

    it('gives out no more than may run, and again when one has ended', async () => {
      const { queue } = await makeQueue();
      for (const iid of [1, 2, 3]) await queue.enqueue(aTaskRequest({ iid }), atOnce);
      const one = { owner: 'scheduler-1', ttlMs: 15_000, limits: room(1) };

      const first = await queue.lease(one);
      expect(await queue.lease(one)).toBeNull();
      if (first !== null) await queue.complete(first, { kind: 'done' });

      expect(await queue.lease(one)).toMatchObject({ subject: { iid: 2 } });
      expect(await queue.lease({ ...one, limits: room(0) })).toBeNull();
    });

    it('takes over a task whose lease ran out, before anything new', async () => {
      const { queue, advance } = await makeQueue();
      const lost = await mustRun(queue);
      await queue.enqueue(aCommand({ iid: 8 }), atOnce);
      advance(14_999);
      expect(
        await queue.lease({
          owner: 'scheduler-2',
          ttlMs: 15_000,
          limits: room(1),
        }),
      ).toBeNull();
      advance(1);

      const adopted = await queue.lease({
        owner: 'scheduler-2',
        ttlMs: 15_000,
        limits: room(1),
      });

      expect(adopted).toMatchObject({ taskId, lease: lost.lease + 1, adopted: { state: 'leased', headSha: null } });
    });

    it('keeps launch, head and interrupt of what it takes over', async () => {
      const { queue, advance } = await makeQueue();
      const first = await mustRun(queue);
      await queue.beginLaunch(first, sha('b'));
      await queue.beginPublishing(first);
      await queue.enqueue(aTaskRequest({ headSha: sha('c') }), atOnce);
      advance(15_000);

      const second = await mustLease(queue);

      expect(second).toMatchObject({
        launch: nth(1),
        headSha: sha('b'),
        adopted: { state: 'publishing', headSha: sha('b') },
      });
      expect(await queue.extend(second, 15_000)).toEqual({ kind: 'held', interrupt: 'superseded' });
      expect(await queue.get(taskId)).toMatchObject({ state: 'publishing', isDirty: true });
    });

    it('lets a holder that was late go on as long as nobody took over', async () => {
      const { queue, advance } = await makeQueue();
      const held = await mustRun(queue);
      advance(20_000);

      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: null });
      expect(await leaseNext(queue)).toBeNull();
    });

    it('refuses every write of an older lease', async () => {
      const { queue, advance } = await makeQueue();
      const old = await mustRun(queue);
      advance(15_000);
      const held = await mustLease(queue);
      const before = await queue.get(taskId);

      expect(await queue.extend(old, 15_000)).toEqual({ kind: 'lost' });
      expect(await queue.beginLaunch(old, sha('a'))).toEqual({ kind: 'lost' });
      expect(await queue.beginPublishing(old)).toEqual({ kind: 'lost' });
      expect(await queue.complete(old, { kind: 'done' })).toEqual({ kind: 'lost' });
      expect(await queue.fail(old, aFailure())).toEqual({ kind: 'lost' });
      expect(await queue.release(old, { delayMs: 0, why: 'test' })).toEqual({ kind: 'lost' });

      expect(await queue.get(taskId)).toEqual(before);
      expect(await queue.extend(held, 15_000)).toMatchObject({ kind: 'held' });
    });

    it('refuses every write after the task ended or waits again', async () => {
      const { queue } = await makeQueue();
      const done = await mustRun(queue);
      await queue.complete(done, { kind: 'done' });
      const released = await mustRun(queue, aTaskRequest({ iid: 8 }));
      await queue.release(released, { delayMs: 0, why: 'test' });
      const never = { taskId: taskIdOfIid(9), lease: 0 };

      for (const held of [done, released, never]) {
        expect(await queue.extend(held, 15_000)).toEqual({ kind: 'lost' });
        expect(await queue.beginLaunch(held, sha('a'))).toEqual({ kind: 'lost' });
        expect(await queue.beginPublishing(held)).toEqual({ kind: 'lost' });
        expect(await queue.complete(held, { kind: 'done' })).toEqual({ kind: 'lost' });
        expect(await queue.fail(held, aFailure())).toEqual({ kind: 'lost' });
        expect(await queue.release(held, { delayMs: 0, why: 'test' })).toEqual({ kind: 'lost' });
      }
    });
  });

  describe('beginLaunch', () => {
    it('counts launches over the life of the subject', async () => {
      const { queue } = await makeQueue();
      const first = await mustRun(queue);
      expect(await queue.beginLaunch(first, sha('a'))).toEqual({ kind: 'begun', launch: nth(1) });
      expect(await queue.get(taskId)).toMatchObject({ state: 'running', launch: nth(1), headSha: sha('a') });
      await queue.complete(first, { kind: 'done' });

      const second = await mustRun(queue, aTaskRequest({ headSha: sha('b') }));

      expect(second).toMatchObject({ lease: nth(2), launch: nth(1), headSha: sha('b'), failures: 0 });
      expect(await queue.beginLaunch(second, sha('b'))).toEqual({ kind: 'begun', launch: nth(2) });
    });

    it('answers the same launch when it is asked again', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('a'));
      await queue.beginPublishing(held);

      expect(await queue.beginLaunch(held, sha('a'))).toEqual({ kind: 'begun', launch: nth(1) });
      expect(await queue.get(taskId)).toMatchObject({ state: 'publishing', launch: nth(1) });
    });

    it('begins no second launch on another head', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('a'));

      await expect(queue.beginLaunch(held, sha('b'))).rejects.toMatchObject({
        kind: 'stale',
        code: 'merge_request.head_moved',
      });
    });

    it('begins a new launch for one who took over', async () => {
      const { queue, advance } = await makeQueue();
      await queue.beginLaunch(await mustRun(queue), sha('a'));
      advance(15_000);

      expect(await queue.beginLaunch(await mustLease(queue), sha('a'))).toEqual({ kind: 'begun', launch: nth(2) });
    });
  });

  describe('handOver', () => {
    it('lets another take over at once, in the state and with the launch that there is', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('a'));

      expect(await queue.handOver(held)).toEqual({ kind: 'handed-over' });
      expect(await queue.handOver(held)).toEqual({ kind: 'handed-over' });

      expect(await mustLease(queue)).toMatchObject({
        taskId,
        lease: nth(2),
        launch: nth(1),
        failures: 0,
        adopted: { state: 'running', headSha: sha('a'), isLast: false },
      });
      expect(await queue.handOver(held)).toEqual({ kind: 'lost' });
    });

    it('is no adoption that counts, however often', async () => {
      const { queue, advance } = await makeQueue();
      let held = await mustRun(queue);
      for (let time = 0; time < 20; time += 1) {
        await queue.handOver(held);
        held = await mustLease(queue);
      }
      expect(held.adopted).toMatchObject({ isLast: false });

      advance(15_000);

      expect(await leaseNext(queue)).toMatchObject({ adopted: { isLast: false } });
      expect((await queue.events(taskId)).slice(-3).map(({ what, detail }) => `${what} ${detail}`)).toEqual([
        'released handed-over',
        'adopted leased',
        'adopted leased',
      ]);
    });

    it('keeps what was asked of the one who worked on it', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.interrupt(taskId, 'superseded');

      await queue.handOver(held);

      expect(await queue.extend(await mustLease(queue), 15_000)).toEqual({ kind: 'held', interrupt: 'superseded' });
    });

    it('frees the slot', async () => {
      const { queue } = await makeQueue();
      await queue.handOver(await mustRun(queue));

      expect(await queue.stats()).toMatchObject({ running: 0, waiting: 1 });
    });
  });

  describe('interrupt', () => {
    it('reaches the holder with its next extend', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);

      expect(await queue.interrupt(taskId, 'cancelled')).toEqual({ kind: 'interrupted' });
      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);

      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: 'cancelled' });
    });

    it('says when nothing runs', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aTaskRequest(), atOnce);

      expect(await queue.interrupt(taskId, 'cancelled')).toEqual({ kind: 'absent' });
      expect(await queue.interrupt(taskIdOfIid(9), 'cancelled')).toEqual({ kind: 'absent' });
    });

    it('does not outlive the run', async () => {
      const { queue } = await makeQueue();
      const first = await mustRun(queue);
      await queue.interrupt(taskId, 'superseded');
      await queue.release(first, { delayMs: 0, why: 'test' });

      expect(await queue.extend(await mustLease(queue), 15_000)).toEqual({ kind: 'held', interrupt: null });
    });
  });
}
