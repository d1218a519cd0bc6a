import { describe, expect, it } from '@jest/globals';
import type { TaskFilter } from '../task-queue.ts';
import {
  aCommand,
  aFailure,
  aTaskRequest,
  atOnce,
  debounced,
  leaseNext,
  mustLease,
  mustRun,
  nth,
  sha,
  taskIdOfIid,
  type MakeQueue,
} from './queue-under-test.ts';

const taskId = taskIdOfIid(7);
const dayMs = 24 * 3_600_000;

const nothingParked = { parked: 0, setAside: 0 };

/** How runs end, and what is known of them after. */
export function endContract(makeQueue: MakeQueue): void {
  describe('complete', () => {
    it('writes down how the task ended', async () => {
      const { queue, nowMs } = await makeQueue();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('b'));

      expect(await queue.complete(held, { kind: 'skipped', why: 'draft' })).toEqual({
        kind: 'completed',
        requeued: false,
      });

      expect(await queue.get(taskId)).toMatchObject({
        state: 'skipped',
        outcome: { kind: 'skipped', why: 'draft' },
        endedAtMs: nowMs(),
        launch: nth(1),
        headSha: sha('b'),
        readyAtMs: null,
      });
      expect(await leaseNext(queue)).toBeNull();
    });

    it('lets what superseded the run wait for the rest of its debounce', async () => {
      const { queue, advance } = await makeQueue();
      const held = await mustRun(queue);
      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), debounced);
      advance(1_000);

      const ended = await queue.complete(held, { kind: 'superseded', why: 'a newer head' });

      expect(ended).toEqual({ kind: 'completed', requeued: true });
      expect(await queue.get(taskId)).toMatchObject({ state: 'waiting', headSha: sha('b'), outcome: null });
      expect(await leaseNext(queue)).toBeNull();
      advance(4_000);
      expect(await leaseNext(queue)).toMatchObject({ headSha: sha('b'), lease: nth(2) });
    });

    it('hands the order of a person on to the head that superseded the run', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue, aCommand());
      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);

      await queue.complete(held, { kind: 'superseded', why: 'a newer head' });

      expect(await mustLease(queue)).toMatchObject({ trigger: 'commanded', headSha: sha('b') });
    });

    it('does not repeat an order that was answered', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue, aCommand());
      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);

      await queue.complete(held, { kind: 'done' });

      expect(await mustLease(queue)).toMatchObject({ trigger: 'pushed', command: null });
    });
  });

  describe('fail', () => {
    it('tries a counted fault again with growing delays, then gives up', async () => {
      const { queue, advance, nowMs } = await makeQueue();
      const first = await mustRun(queue);
      await queue.beginLaunch(first, sha('a'));

      expect(await queue.fail(first, aFailure())).toEqual({ kind: 'retrying', delayMs: 15_000, failures: 1 });
      expect(await queue.get(taskId)).toMatchObject({
        state: 'waiting',
        failures: 1,
        launch: nth(1),
        readyAtMs: nowMs() + 15_000,
        lastError: { code: 'run.crashed', message: 'the agent ended' },
      });
      expect(await leaseNext(queue)).toBeNull();
      advance(15_000);
      const second = await mustLease(queue);
      expect(second).toMatchObject({ failures: 1, launch: nth(1), lease: nth(2), adopted: null });
      expect(await queue.fail(second, aFailure())).toEqual({ kind: 'retrying', delayMs: 30_000, failures: 2 });
      advance(30_000);
      expect(await queue.fail(await mustLease(queue), aFailure())).toEqual({ kind: 'dead' });

      expect(await queue.get(taskId)).toMatchObject({
        state: 'dead',
        failures: 3,
        outcome: { kind: 'dead', why: 'run.crashed' },
        lastError: { code: 'run.crashed' },
      });
      expect(await queue.stats()).toMatchObject({ dead: 1, processedToday: 1, waiting: 0, running: 0 });
    });

    it('waits as long as it was told', async () => {
      const { queue } = await makeQueue();

      expect(await queue.fail(await mustRun(queue), aFailure({ retryAfterMs: 90_000 }))).toMatchObject({
        delayMs: 90_000,
      });
    });

    it('gives up at once on a fault that will not pass', async () => {
      const { queue } = await makeQueue();

      expect(await queue.fail(await mustRun(queue), aFailure({ class: 'terminal', code: 'budget.run_spent' }))).toEqual(
        {
          kind: 'dead',
        },
      );
    });

    it('does not count faults of the infrastructure, but ends after forty in a row', async () => {
      const { queue, advance } = await makeQueue();
      await queue.enqueue(aTaskRequest(), atOnce);
      for (let fault = 1; fault < 40; fault += 1) {
        const failed = await queue.fail(await mustLease(queue), aFailure({ class: 'infra' }));
        expect(failed).toMatchObject({ kind: 'retrying', failures: 0 });
        advance(4_500_000);
      }

      expect(await queue.fail(await mustLease(queue), aFailure({ class: 'infra' }))).toEqual({ kind: 'dead' });
    });

    it('begins to count anew after a fault of another kind', async () => {
      const { queue, advance } = await makeQueue({ infraRetry: { maxAttempts: 2, baseMs: 10, capMs: 10 } });
      await queue.enqueue(aTaskRequest(), atOnce);
      const classes = ['infra', 'transient', 'infra'] as const;

      for (const fault of classes) {
        expect(await queue.fail(await mustLease(queue), aFailure({ class: fault }))).toMatchObject({
          kind: 'retrying',
        });
        advance(300_000);
      }
    });

    it('joins what came in meanwhile with the retry', async () => {
      const { queue, nowMs } = await makeQueue();
      const held = await mustRun(queue, aCommand());
      await queue.enqueue(aTaskRequest({ trigger: 'labeled' }), atOnce);

      await queue.fail(held, aFailure());

      expect(await queue.get(taskId)).toMatchObject({
        state: 'waiting',
        trigger: 'commanded',
        failures: 1,
        readyAtMs: nowMs() + 15_000,
        isDirty: false,
      });
    });

    it('tries at once when a person asked meanwhile', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.enqueue(aCommand(), debounced);

      expect(await queue.fail(held, aFailure())).toEqual({ kind: 'retrying', delayMs: 0, failures: 1 });
      expect(await mustLease(queue)).toMatchObject({ trigger: 'commanded', failures: 1 });
    });

    it('gives a head that came in meanwhile its own budget', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);

      expect(await queue.fail(held, aFailure())).toEqual({ kind: 'retrying', delayMs: 15_000, failures: 0 });
      expect(await queue.get(taskId)).toMatchObject({ headSha: sha('b'), failures: 0 });
    });

    it('goes on with what came in meanwhile after a dead end', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.enqueue(aTaskRequest({ trigger: 'labeled' }), atOnce);

      expect(await queue.fail(held, aFailure({ class: 'terminal' }))).toEqual({ kind: 'dead' });

      expect(await mustLease(queue)).toMatchObject({ trigger: 'labeled', failures: 0 });
      expect(await queue.stats()).toMatchObject({ dead: 0, processedToday: 1 });
    });

    it('takes up a dead task when a new event comes', async () => {
      const { queue } = await makeQueue();
      await queue.fail(await mustRun(queue), aFailure({ class: 'terminal' }));

      expect((await queue.enqueue(aTaskRequest(), atOnce)).kind).toBe('queued');

      expect(await queue.get(taskId)).toMatchObject({ state: 'waiting', failures: 0, lastError: null, outcome: null });
    });
  });

  describe('release', () => {
    it('puts the task back with its age and counts nothing', async () => {
      const { queue, advance, nowMs } = await makeQueue();
      const queuedAtMs = nowMs();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('a'));
      advance(2_000);

      expect(await queue.release(held, { delayMs: 1_000, why: 'diff-not-prepared' })).toEqual({ kind: 'released' });

      expect(await leaseNext(queue)).toBeNull();
      advance(1_000);
      expect(await leaseNext(queue)).toMatchObject({ failures: 0, launch: nth(1), lease: nth(2), queuedAtMs });
    });
  });

  describe('what is known', () => {
    it('lists the newest change first, by state and up to a limit', async () => {
      const { queue, advance } = await makeQueue();
      for (const iid of [1, 2, 3, 4]) {
        await queue.enqueue(aTaskRequest({ iid }), atOnce);
        advance(10);
      }
      await queue.complete(await mustLease(queue), { kind: 'done' });
      advance(10);
      await mustLease(queue);
      const iids = async (filter: TaskFilter) =>
        (await queue.list(filter)).tasks.map(({ subject, state }) => `${subject.iid} ${state}`);

      expect(await iids({ limit: 10 })).toEqual(['2 leased', '1 done', '4 waiting', '3 waiting']);
      expect(await iids({ limit: 2 })).toEqual(['2 leased', '1 done']);
      expect(await iids({ states: ['waiting', 'done'], limit: 2 })).toEqual(['1 done', '4 waiting']);
      expect(await iids({ states: [], limit: 2 })).toEqual([]);
    });

    it('forgets ended tasks after their time', async () => {
      const { queue, advance } = await makeQueue({ retentionMs: dayMs });
      await queue.complete(await mustRun(queue), { kind: 'done' });
      await queue.fail(await mustRun(queue, aTaskRequest({ iid: 8 })), aFailure({ class: 'terminal' }));
      advance(dayMs - 1);
      expect((await queue.list({ limit: 10 })).tasks).toHaveLength(2);
      advance(1);

      expect((await queue.list({ limit: 10 })).tasks).toEqual([]);
      expect(await queue.get(taskId)).toBeNull();
      expect(await queue.stats()).toMatchObject({ dead: 0 });
      expect((await queue.enqueue(aTaskRequest(), atOnce)).kind).toBe('queued');
      expect((await queue.list({ limit: 10 })).tasks).toMatchObject([{ taskId, lease: 0, launch: 0 }]);
    });

    it('counts what waits, runs and ended today', async () => {
      const { queue, advance } = await makeQueue();
      await queue.complete(await mustRun(queue, aTaskRequest({ iid: 1 })), { kind: 'done' });
      await mustRun(queue, aTaskRequest({ iid: 2 }));
      await queue.enqueue(aTaskRequest({ iid: 3, trigger: 'swept' }), atOnce);
      advance(1_000);
      await queue.enqueue(aCommand({ iid: 4 }), atOnce);
      await queue.enqueue(aTaskRequest({ iid: 5 }), debounced);
      advance(500);

      expect(await queue.stats()).toEqual({
        waiting: 3,
        running: 1,
        dead: 0,
        processedToday: 1,
        oldestReadyMs: 1_500,
        ...nothingParked,
      });
      advance(dayMs);
      expect(await queue.stats()).toMatchObject({ waiting: 4, running: 0, processedToday: 0 });
    });

    it('is empty at first', async () => {
      const { queue } = await makeQueue();

      expect(await queue.stats()).toEqual({
        waiting: 0,
        running: 0,
        dead: 0,
        processedToday: 0,
        oldestReadyMs: 0,
        ...nothingParked,
      });
      expect((await queue.list({ limit: 10 })).tasks).toEqual([]);
      expect(await queue.get(taskId)).toBeNull();
      await queue.ping();
    });
  });

  describe('onWake', () => {
    it('hints at new work, at interrupts and at room', async () => {
      const { queue } = await makeQueue();
      const { listener, wokenBy } = wakeWaiter();
      const stop = queue.onWake(listener);

      await wokenBy(() => queue.enqueue(aTaskRequest(), atOnce));
      const held = await mustLease(queue);
      await wokenBy(() => queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce));
      await wokenBy(() => queue.interrupt(held.taskId, 'cancelled'));
      await wokenBy(() => queue.complete(held, { kind: 'cancelled', why: 'test' }));
      await wokenBy(async () => queue.release(await mustLease(queue), { delayMs: 0, why: 'test' }));
      stop();
    });

    it('tells who holds a task of interrupts of that one alone', async () => {
      const { queue } = await makeQueue();
      const { listener, wokenBy } = wakeWaiter();
      const [mine, other] = [aTaskRequest(), aTaskRequest({ iid: 8 })];
      const all = wakeWaiter();
      queue.onWake(all.listener);
      await all.wokenBy(() => queue.enqueue(mine, atOnce));
      const held = await mustLease(queue);
      let count = 0;
      queue.onWake(() => {
        count += 1;
        listener();
      }, held.taskId);
      // It may hear once that a connection was made.
      await wokenBy(() => queue.interrupt(held.taskId, 'superseded'));
      const before = count;

      await all.wokenBy(() => queue.enqueue(other, atOnce));
      await all.wokenBy(async () => queue.release(await mustLease(queue), { delayMs: 0, why: 'test' }));
      expect(count).toBe(before);

      await wokenBy(() => queue.enqueue({ ...mine, headSha: sha('b') }, atOnce));
      await wokenBy(() => queue.cancel(held.taskId, 'ada'));
      expect(count).toBe(before + 2);
    });
  });

  describe('close', () => {
    it('ends the queue', async () => {
      const { queue } = await makeQueue();

      await queue.close();

      await expect(queue.ping()).rejects.toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
      await expect(queue.enqueue(aTaskRequest(), atOnce)).rejects.toMatchObject({ code: 'queue.unreachable' });
    });
  });
}

function wakeWaiter() {
  let resolveNext = (): void => undefined;
  return {
    listener: () => {
      resolveNext();
    },
    /** Resolves when the listener was called after this began. */
    async wokenBy(act: () => Promise<unknown>): Promise<void> {
      const woken = new Promise<void>((resolve) => {
        resolveNext = resolve;
      });
      await act();
      await woken;
    },
  };
}
