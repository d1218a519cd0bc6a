/** One project floods the queue. */
import { startRedisServer } from '@drydock/testkit';
import { expect, it } from '@jest/globals';
import { aTaskRequest, atOnce } from '../contract/queue-under-test.ts';
import { describeFaults, mustTake, queueAt } from './fault-stage.ts';

describeFaults('a hot project', () => {
  it('row 46: with thousands of tasks leaves each of ten others its turn: none waits longer than all projects take one', async () => {
    await using server = await startRedisServer();
    await using queue = await queueAt(server.port);
    const enqueue = (projectId: string, iid: number) =>
      queue.enqueue({ ...aTaskRequest(), subject: { forge: 'gitlab', projectId, iid } }, atOnce);
    const flood = process.env['DRYDOCK_TEST_FULL'] === '1' ? 10_000 : 2_000;
    for (let iid = 1; iid <= flood; iid += 200) {
      await Promise.all(Array.from({ length: 200 }, (_, n) => enqueue('hot', iid + n)));
    }
    const others = Array.from({ length: 10 }, (_, n) => `cold-${n}`);
    for (let iid = 1; iid <= 10; iid += 1) await Promise.all(others.map((projectId) => enqueue(projectId, iid)));

    const turns: string[] = [];
    for (let turn = 0; turn < 11 * 10; turn += 1) {
      const task = await mustTake(queue);
      turns.push(task.subject.projectId);
      await queue.complete(task, { kind: 'done' });
    }

    for (const project of others) {
      const at = turns.flatMap((projectId, turn) => (projectId === project ? [turn] : []));
      const waits = at.map((turn, n) => turn - (at[n - 1] ?? -1));
      expect(at).toHaveLength(10);
      expect(Math.max(...waits)).toBeLessThanOrEqual(11);
    }
  });
});
