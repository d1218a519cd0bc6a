import { describe, expect, it } from '@jest/globals';
import {
  aCommand,
  aFailure,
  aTaskRequest,
  atOnce,
  debounced,
  leaseNext,
  mustLease,
  mustRun,
  sha,
  taskIdOfIid,
  type MakeQueue,
} from './queue-under-test.ts';

const taskId = taskIdOfIid(7);

/** How events are taken in. */
export function enqueueContract(makeQueue: MakeQueue): void {
  describe('enqueue', () => {
    it('queues an unknown subject', async () => {
      const { queue, nowMs } = await makeQueue();

      const enqueued = await queue.enqueue(aTaskRequest(), atOnce);

      expect(enqueued).toEqual({ kind: 'queued', taskId: 'review:gitlab:42:7' });
      expect(await queue.get(taskId)).toEqual({
        taskId,
        kind: 'review',
        subject: { forge: 'gitlab', projectId: '42', iid: 7 },
        projectPath: 'group/project',
        state: 'waiting',
        trigger: 'pushed',
        headSha: sha('a'),
        lease: 0,
        launch: 0,
        failures: 0,
        isDirty: false,
        readyAtMs: nowMs(),
        queuedAtMs: nowMs(),
        outcome: null,
        endedAtMs: null,
        lastError: null,
      });
    });

    it('knows a delivery by any of its keys, and then changes nothing', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aTaskRequest(), { ...atOnce, deliveryKeys: ['gitlab:1', 'gitlab:body'] });
      const before = await queue.get(taskId);

      const again = await queue.enqueue(aTaskRequest({ headSha: sha('b') }), {
        ...atOnce,
        deliveryKeys: ['gitlab:2', 'gitlab:body'],
      });
      const other = await queue.enqueue(aTaskRequest({ iid: 8 }), { ...atOnce, deliveryKeys: ['gitlab:2'] });

      expect(again).toEqual({ kind: 'duplicate', taskId });
      expect(await queue.get(taskId)).toEqual(before);
      expect(other.kind).toBe('queued');
    });

    it('knows a delivery after its task ended, and for three days', async () => {
      const { queue, advance } = await makeQueue();
      const options = { ...atOnce, deliveryKeys: ['gitlab:1'] };
      await queue.enqueue(aTaskRequest(), options);
      await queue.complete(await mustLease(queue), { kind: 'done' });

      advance(72 * 3_600_000 - 1);
      expect((await queue.enqueue(aTaskRequest(), options)).kind).toBe('duplicate');

      advance(1);
      expect((await queue.enqueue(aTaskRequest(), options)).kind).toBe('queued');
    });

    it('gives a waiting task the newer head and path', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aTaskRequest({ trigger: 'opened' }), atOnce);

      const enqueued = await queue.enqueue(aTaskRequest({ headSha: sha('b'), projectPath: 'moved/project' }), atOnce);

      expect(enqueued.kind).toBe('coalesced');
      expect(await queue.get(taskId)).toMatchObject({
        trigger: 'pushed',
        headSha: sha('b'),
        projectPath: 'moved/project',
      });
      expect(await queue.stats()).toMatchObject({ waiting: 1 });
    });

    it('keeps a known head when an event names none', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aTaskRequest(), atOnce);

      await queue.enqueue(aTaskRequest({ trigger: 'labeled', headSha: null }), atOnce);

      expect(await queue.get(taskId)).toMatchObject({ trigger: 'labeled', headSha: sha('a') });
    });

    it('does not lose a command to a later push', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aCommand(), atOnce);

      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), debounced);

      expect(await mustLease(queue)).toMatchObject({
        trigger: 'commanded',
        command: { verb: 'review', noteId: '900', userId: '5' },
        headSha: sha('b'),
      });
    });

    it('does not let a sweep take the place of an event', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aTaskRequest({ trigger: 'ready' }), atOnce);

      await queue.enqueue(aTaskRequest({ trigger: 'swept' }), atOnce);

      expect(await queue.get(taskId)).toMatchObject({ trigger: 'ready' });
    });

    it('lets an event that came late replace nothing newer, but takes its order', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aTaskRequest({ headSha: sha('b'), occurredAtMs: 2_000 }), atOnce);

      const late = await queue.enqueue(aTaskRequest({ trigger: 'opened', occurredAtMs: 1_000 }), atOnce);
      const order = await queue.enqueue(aCommand({ occurredAtMs: 1_500 }), atOnce);

      expect([late.kind, order.kind]).toEqual(['coalesced', 'coalesced']);
      expect(await mustLease(queue)).toMatchObject({ trigger: 'commanded', headSha: sha('b') });
    });
  });

  describe('debounce', () => {
    it('makes one task of five pushes in a row', async () => {
      const { queue, advance } = await makeQueue();
      for (const head of ['a', 'b', 'c', 'd', 'e']) {
        await queue.enqueue(aTaskRequest({ headSha: sha(head) }), debounced);
        advance(4_000);
        expect(await leaseNext(queue)).toBeNull();
      }

      advance(1_000);

      expect(await leaseNext(queue)).toMatchObject({ headSha: sha('e') });
      expect(await leaseNext(queue)).toBeNull();
    });

    it('ends after the longest wait however many events come', async () => {
      const { queue, advance, nowMs } = await makeQueue();
      const startMs = nowMs();
      for (let event = 0; event < 8; event += 1) {
        await queue.enqueue(aTaskRequest(), debounced);
        advance(4_000);
      }

      expect(await queue.get(taskId)).toMatchObject({ readyAtMs: startMs + 30_000 });
      expect(await leaseNext(queue)).not.toBeNull();
    });

    it('does not move back what is ready already', async () => {
      const { queue, advance, nowMs } = await makeQueue();
      await queue.enqueue(aTaskRequest(), debounced);
      advance(5_000);
      const readyAtMs = nowMs();

      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), debounced);

      expect(await queue.get(taskId)).toMatchObject({ readyAtMs });
      expect(await mustLease(queue)).toMatchObject({ headSha: sha('b') });
    });

    it.each([
      ['a command', aCommand()],
      ['a manual start', aTaskRequest({ trigger: 'manual' })],
      ['a closing', aTaskRequest({ trigger: 'closed' })],
    ])('lets %s wait for nothing', async (_name, request) => {
      const { queue, nowMs } = await makeQueue();
      await queue.enqueue(aTaskRequest({ iid: 8 }), debounced);

      await queue.enqueue(request, debounced);
      await queue.enqueue({ ...request, subject: aTaskRequest({ iid: 8 }).subject }, debounced);

      expect(await queue.get(taskId)).toMatchObject({ readyAtMs: nowMs() });
      expect(await queue.get(taskIdOfIid(8))).toMatchObject({ readyAtMs: nowMs() });
    });

    it('does not shorten the delay of a retry, unless a person asks', async () => {
      const { queue, advance, nowMs } = await makeQueue();
      await queue.fail(await mustRun(queue), aFailure({ retryAfterMs: 60_000 }));
      const retryAtMs = nowMs() + 60_000;
      advance(1_000);

      await queue.enqueue(aTaskRequest(), debounced);
      expect(await queue.get(taskId)).toMatchObject({ readyAtMs: retryAtMs, failures: 1 });

      await queue.enqueue(aCommand(), debounced);
      expect(await queue.get(taskId)).toMatchObject({ readyAtMs: nowMs(), failures: 1 });
    });

    it('gives a new head a new budget of retries', async () => {
      const { queue } = await makeQueue();
      await queue.fail(await mustRun(queue), aFailure());

      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), debounced);

      expect(await queue.get(taskId)).toMatchObject({ failures: 0 });
    });
  });

  describe('an event for a running task', () => {
    it('supersedes it when it brings another head', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('a'));

      const enqueued = await queue.enqueue(aTaskRequest({ headSha: sha('b') }), debounced);

      expect(enqueued.kind).toBe('superseding');
      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: 'superseded' });
      expect(await queue.get(taskId)).toMatchObject({ state: 'running', headSha: sha('a'), isDirty: true });
    });

    it('interrupts it while it publishes just the same', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('a'));
      await queue.beginPublishing(held);

      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);

      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: 'superseded' });
    });

    it('compares with the head that was launched, not with the one that was announced', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.beginLaunch(held, sha('b'));

      expect((await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce)).kind).toBe('marked-dirty');
      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: null });
    });

    it('is content when the launch is on the head that it brought', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);

      await queue.beginLaunch(held, sha('b'));

      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: null });
    });

    it('interrupts it when the merge request was closed', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);

      const enqueued = await queue.enqueue(aTaskRequest({ trigger: 'closed' }), debounced);

      expect(enqueued.kind).toBe('superseding');
      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: 'closed' });
    });

    it('marks it dirty otherwise, and it runs once more after', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);

      const labeled = await queue.enqueue(aTaskRequest({ trigger: 'labeled' }), atOnce);
      const ordered = await queue.enqueue(aCommand({ headSha: null }), atOnce);

      expect([labeled.kind, ordered.kind]).toEqual(['marked-dirty', 'marked-dirty']);
      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: null });
      expect(await leaseNext(queue)).toBeNull();
      expect(await queue.complete(held, { kind: 'done' })).toEqual({ kind: 'completed', requeued: true });
      expect(await mustLease(queue)).toMatchObject({ trigger: 'commanded', headSha: sha('a'), failures: 0 });
    });

    it('never supersedes when it is older than what is known', async () => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue, aTaskRequest({ headSha: sha('b'), occurredAtMs: 2_000 }));

      const late = await queue.enqueue(aTaskRequest({ trigger: 'closed', occurredAtMs: 1_999 }), atOnce);

      expect(late.kind).toBe('marked-dirty');
      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: null });
      await queue.complete(held, { kind: 'done' });
      expect(await queue.get(taskId)).toMatchObject({ state: 'waiting', headSha: sha('b') });
    });
  });
}
