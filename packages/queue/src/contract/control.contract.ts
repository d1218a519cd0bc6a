import { describe, expect, it } from '@jest/globals';
import { projectKeyOf, type TaskRequest } from '@drydock/core';
import type { TaskFilter, TaskQueue } from '../task-queue.ts';
import {
  aFailure,
  aTaskRequest,
  atOnce,
  debounced,
  leaseNext,
  mustLease,
  mustRun,
  noonEpoch,
  room,
  sha,
  taskIdOfIid,
  type MakeQueue,
} from './queue-under-test.ts';

const taskId = taskIdOfIid(7);

/** A task of another project. */
function ofProject(projectId: string, iid = 1, forge = 'gitlab'): TaskRequest {
  return { ...aTaskRequest(), subject: { forge, projectId, iid }, projectPath: `group/${projectId}` };
}

async function leaseProjects(queue: TaskQueue, count: number, limits = room(100)): Promise<string[]> {
  const order: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const task = await queue.lease({ owner: 'one', ttlMs: 60_000, limits });
    if (task !== null) order.push(task.subject.projectId);
  }
  return order;
}

/** What people order, and how projects share. */
export function controlContract(makeQueue: MakeQueue): void {
  describe('shares', () => {
    it('gives each project its turn, however much another one has', async () => {
      const { queue } = await makeQueue();
      for (let iid = 1; iid <= 20; iid += 1) await queue.enqueue(ofProject('1', iid), atOnce);
      for (const id of ['2', '3']) for (const iid of [1, 2]) await queue.enqueue(ofProject(id, iid), atOnce);

      expect(await leaseProjects(queue, 7)).toEqual(['1', '2', '3', '1', '2', '3', '1']);
    });

    it('follows the weights', async () => {
      const { queue } = await makeQueue();
      await queue.setShares(new Map([['gitlab:1', { weight: 3, maxRunning: null }]]));
      for (let iid = 1; iid <= 20; iid += 1) {
        await queue.enqueue(ofProject('1', iid), atOnce);
        await queue.enqueue(ofProject('2', iid), atOnce);
      }

      const order = await leaseProjects(queue, 16);

      expect(Math.abs(order.filter((id) => id === '1').length - 12)).toBeLessThanOrEqual(1);
    });

    it('goes on when the turn of a project comes whose only task was cancelled', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(ofProject('1'), atOnce);
      await queue.enqueue(ofProject('2', 1, 'github'), atOnce);
      await queue.cancel('review:github:2:1', 'ann');

      const first = await mustLease(queue);
      await queue.complete(first, { kind: 'done' });
      await queue.retry(first.taskId, 'ann');

      expect((await leaseNext(queue))?.taskId).toBe(first.taskId);
    });

    it('knows what a project is called of which a task runs again after long', async () => {
      const { queue } = await makeQueue();
      const first = await mustRun(queue, ofProject('1'));
      await queue.complete(first, { kind: 'done' });
      for (let iid = 1; iid <= 5; iid += 1) {
        await queue.complete(await mustRun(queue, ofProject('2', iid)), { kind: 'done' });
      }
      await queue.retry(first.taskId, 'ann');

      const { projects } = await queue.projects({ limit: 10 });

      expect(projects.map(({ projectPath }) => projectPath)).toEqual(['group/1']);
    });

    it('holds the limits of forges and projects, and goes on when a slot is free', async () => {
      const { queue } = await makeQueue();
      await queue.setShares(new Map([['gitlab:1', { weight: 1, maxRunning: 1 }]]));
      for (const iid of [1, 2, 3]) {
        await queue.enqueue(ofProject('1', iid), atOnce);
        await queue.enqueue(ofProject('2', iid), atOnce);
        await queue.enqueue(ofProject('9', iid, 'github'), atOnce);
      }
      const limits = room(100, { perForge: 3, perProject: 2 });

      expect(await leaseProjects(queue, 9, limits)).toEqual(['1', '2', '9', '2', '9']);
      const { tasks } = await queue.list({ forge: 'gitlab', projectId: '1', states: ['leased'], limit: 1 });
      const held = { taskId: tasks[0]?.taskId ?? '', lease: tasks[0]?.lease ?? 0 };
      await queue.complete(held, { kind: 'done' });
      expect(await leaseProjects(queue, 3, limits)).toEqual(['1']);
    });
  });

  describe('pause', () => {
    it.each([
      [{ kind: 'all' as const }, []],
      [{ kind: 'forge' as const, forge: 'gitlab' }, ['9']],
      [{ kind: 'project' as const, forge: 'gitlab', projectId: '1' }, ['2', '9']],
    ])('of %j holds back just that', async (scope, left) => {
      const { queue, nowMs } = await makeQueue();
      expect(await queue.pause(scope, 'ann', 'release night')).toBe('paused');
      expect(await queue.pause(scope, 'bob', 'again')).toBe('already');
      for (const request of [ofProject('1'), ofProject('2'), ofProject('9', 1, 'github')]) {
        await queue.enqueue(request, atOnce);
      }

      expect(await queue.pauses()).toEqual([{ scope, by: 'ann', why: 'release night', atMs: nowMs() }]);
      expect(await leaseProjects(queue, 3)).toEqual(left);
      expect(await queue.resume(scope, 'bob')).toBe('resumed');
      expect(await queue.resume(scope, 'bob')).toBe('absent');
      expect(await leaseProjects(queue, 3)).toHaveLength(3 - left.length);
    });

    it('lets what runs be taken over and ended', async () => {
      const { queue, advance } = await makeQueue();
      await mustRun(queue);
      await queue.pause({ kind: 'all' }, 'ann', 'test');
      advance(15_000);

      expect(await queue.complete(await mustLease(queue), { kind: 'done' })).toMatchObject({ kind: 'completed' });
    });
  });

  describe('cancel', () => {
    it('ends what waits, and remembers who did it', async () => {
      const { queue } = await makeQueue();
      await queue.enqueue(aTaskRequest(), debounced);

      expect(await queue.cancel(taskId, 'ann')).toBe('cancelled');

      expect(await queue.get(taskId)).toMatchObject({
        state: 'cancelled',
        outcome: { kind: 'cancelled', why: 'cancelled by ann' },
      });
      expect(await queue.cancel(taskId, 'ann')).toBe('absent');
      expect(await leaseNext(queue)).toBeNull();
    });

    it.each(['fail', 'release'] as const)('survives a %s of the run that it stops', async (how) => {
      const { queue } = await makeQueue();
      const held = await mustRun(queue);
      await queue.enqueue(aTaskRequest({ headSha: sha('b') }), atOnce);

      expect(await queue.cancel(taskId, 'ann')).toBe('cancelling');
      expect(await queue.extend(held, 15_000)).toEqual({ kind: 'held', interrupt: 'cancelled' });
      const ended =
        how === 'fail' ? await queue.fail(held, aFailure()) : await queue.release(held, { delayMs: 0, why: 'stopped' });

      expect(ended).toEqual({ kind: 'cancelled' });
      expect(await queue.get(taskId)).toMatchObject({ state: 'cancelled', isDirty: false });
    });
  });

  describe('retry', () => {
    it('lets a dead letter run again at once, its faults forgotten', async () => {
      const { queue } = await makeQueue();
      await queue.fail(await mustRun(queue), aFailure({ class: 'terminal' }));

      expect(await queue.retry(taskId, 'ann')).toBe('queued');

      expect(await mustLease(queue)).toMatchObject({ trigger: 'manual', failures: 0, headSha: sha('a') });
      expect(await queue.retry(taskId, 'ann')).toBe('running');
      expect(await queue.retry(taskIdOfIid(99), 'ann')).toBe('absent');
    });

    it('ends the wait of one that waits', async () => {
      const { queue } = await makeQueue();
      await queue.fail(await mustRun(queue), aFailure());

      expect(await queue.retry(taskId, 'ann')).toBe('waiting');

      expect(await mustLease(queue)).toMatchObject({ trigger: 'manual', failures: 0 });
    });
  });

  describe('adoption', () => {
    it('has an end: what every scheduler vanishes with becomes a dead letter', async () => {
      const { queue, advance } = await makeQueue();
      await mustRun(queue);
      for (const isLast of [false, false, false, false, false, true, true, true]) {
        advance(15_000);
        expect(await leaseNext(queue)).toMatchObject({ adopted: { state: 'leased', isLast } });
      }
      advance(15_000);

      expect(await leaseNext(queue)).toBeNull();
      expect(await queue.get(taskId)).toMatchObject({ state: 'dead', lastError: { code: 'run.adopted_too_often' } });
    });
  });

  describe('events of pauses', () => {
    it('tell who paused and who resumed, in order, the newest 200', async () => {
      const { queue, nowMs, advance } = await makeQueue();
      const scope = { kind: 'project', forge: 'gitlab', projectId: '42' } as const;
      const startMs = nowMs();
      await queue.pause(scope, 'ann', 'an | import');
      await queue.pause(scope, 'eve', 'again');
      advance(5);
      await queue.resume(scope, 'bob');
      await queue.resume(scope, 'eve');

      expect(await queue.pauseEvents()).toEqual([
        { atMs: startMs, what: 'paused', who: 'ann', scope, why: 'an   import' },
        { atMs: startMs + 5, what: 'resumed', who: 'bob', scope, why: '' },
      ]);

      for (let i = 0; i < 120; i += 1) {
        await queue.pause({ kind: 'all' }, 'ann', 'drill');
        await queue.resume({ kind: 'all' }, 'ann');
      }
      const events = await queue.pauseEvents();
      expect([events.length, events[0]?.what]).toEqual([200, 'paused']);
    });
  });

  describe('history and pages', () => {
    it('tells who did what', async () => {
      const { queue, advance, nowMs } = await makeQueue();
      await queue.enqueue(aTaskRequest(), { ...atOnce, by: 'sweep' });
      const startMs = nowMs();
      advance(5);
      const held = await mustLease(queue);
      const begun = await queue.beginLaunch(held, sha('c'));
      await queue.complete(held, { kind: 'done' });

      const launch = begun.kind === 'begun' ? begun.launch : 0;
      expect(await queue.events(taskId)).toEqual([
        { atMs: startMs, who: 'sweep', what: 'queued', detail: 'pushed aaaaaaaaaaaa' },
        { atMs: startMs + 5, who: 'scheduler-1', what: 'leased', detail: '' },
        { atMs: startMs + 5, who: 'scheduler-1', what: 'launched', detail: 'cccccccccccc', launch },
        { atMs: startMs + 5, who: 'scheduler-1', what: 'done', detail: '' },
      ]);
      expect(await mustRun(queue)).toMatchObject({ doneHeadSha: sha('c') });
    });

    it('keeps the newest 50 events', async () => {
      const { queue } = await makeQueue();
      for (let i = 0; i < 60; i += 1) await queue.enqueue(aTaskRequest(), atOnce);

      const events = await queue.events(taskId);

      expect([events.length, events[0]?.what]).toEqual([50, 'coalesced']);
    });

    it('pages through tasks of the same moment without gaps, and filters', async () => {
      const { queue } = await makeQueue();
      for (let iid = 1; iid <= 7; iid += 1) await queue.enqueue(ofProject(String(1 + (iid % 2)), iid), atOnce);
      const all = async (filter: Omit<TaskFilter, 'cursor'>) => {
        const iids: number[] = [];
        for (let cursor: string | null = ''; cursor !== null;) {
          const page: Awaited<ReturnType<TaskQueue['list']>> = await queue.list({ ...filter, cursor });
          iids.push(...page.tasks.map(({ subject }) => subject.iid));
          ({ cursor } = page);
        }
        return iids.sort();
      };

      expect(await all({ limit: 2 })).toEqual([1, 2, 3, 4, 5, 6, 7]);
      expect(await all({ limit: 2, projectId: '1' })).toEqual([2, 4, 6]);
      expect(await all({ limit: 3, projectPath: '*/2' })).toEqual([1, 3, 5, 7]);
      expect(await all({ limit: 3, forge: 'github' })).toEqual([]);
      expect(await all({ limit: 1, iid: 3, projectPath: '*/2' })).toEqual([3]);
      expect(await all({ limit: 1, iid: 3, projectId: '1' })).toEqual([]);
    });

    it('shows projects with what they have', async () => {
      const { queue } = await makeQueue();
      await queue.setShares(
        new Map([[projectKeyOf({ forge: 'gitlab', projectId: '5' }), { weight: 4, maxRunning: 2 }]]),
      );
      for (const iid of [1, 2]) await queue.enqueue(ofProject('2', iid), atOnce);
      await queue.enqueue(ofProject('2', 3), debounced);
      await mustLease(queue);

      const first = await queue.projects({ limit: 1 });

      expect(first.projects).toEqual([
        {
          forge: 'gitlab',
          projectId: '2',
          projectPath: 'group/2',
          waiting: 2,
          running: 1,
          isPaused: false,
          weight: 1,
          maxRunning: null,
        },
      ]);
      expect(await queue.projects({ limit: 1, cursor: first.cursor ?? '' })).toMatchObject({
        projects: [{ projectId: '5', weight: 4, maxRunning: 2, waiting: 0 }],
      });
    });
  });

  describe('epoch', () => {
    it('asks for a sweep until one has ended in it', async () => {
      const { queue } = await makeQueue();

      expect(await queue.epoch()).toEqual({ epoch: noonEpoch, isSweepDue: true });
      await queue.sweepDone(noonEpoch - 1);
      expect(await queue.epoch()).toMatchObject({ isSweepDue: true });
      await queue.sweepDone(noonEpoch);
      expect(await queue.epoch()).toEqual({ epoch: noonEpoch, isSweepDue: false });
    });
  });
}
