/** Redis dies by SIGKILL, or loses its power with what the disk had not got yet. */
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { startRedisServer } from '@drydock/testkit';
import { expect, it } from '@jest/globals';
import { aTaskRequest, atOnce, sha, taskIdOfIid } from '../contract/queue-under-test.ts';
import {
  Producers,
  describeFaults,
  drain,
  eventually,
  folderInMemory,
  mustTake,
  queueAt,
  take,
  until,
} from './fault-stage.ts';

describeFaults('a store that is killed under load', () => {
  it.each([
    ['row 5', 'everysec'],
    ['row 6', 'always'],
  ])('%s: loses nothing that it acknowledged, appendfsync %s', async (_row, appendfsync) => {
    await using memory = await folderInMemory();
    await using server = await startRedisServer({ config: { appendfsync }, dataFolder: memory.folder });
    await using queue = await queueAt(server.port);
    await using producers = new Producers(queue);

    for (let round = 0; round < 3; round += 1) {
      await producers.more(300);
      await server.kill();
      await until(() => producers.refused > 0);
      await server.restart();
    }
    await producers.more(1);
    await producers.stop();

    const kept = await drain(queue);
    expect(producers.missingIn(kept)).toEqual([]);
    expect(new Set(kept.map(({ taskId }) => taskId)).size).toBe(kept.length);
  });

  it('rows 6, G2: has every acknowledged event in its file, appendfsync always: what a power cut leaves', async () => {
    await using server = await startRedisServer({ config: { appendfsync: 'always' } });
    await using queue = await queueAt(server.port);
    await using producers = new Producers(queue);
    await producers.more(500);
    const acknowledged = [...producers.acknowledged];

    const text = await readFile(await server.aofFile(), 'latin1');

    expect(acknowledged.filter((taskId) => !text.includes(taskId))).toEqual([]);
  });

  it('a task in hand is the same after a restart: lease, launch and state', async () => {
    await using server = await startRedisServer({ config: { appendfsync: 'always' } });
    await using queue = await queueAt(server.port);
    await queue.enqueue(aTaskRequest(), atOnce);
    const held = await mustTake(queue);
    const begun = await queue.beginLaunch(held, sha('a'));
    await server.kill();
    await server.restart();

    const again = await eventually(() => queue.beginLaunch(held, sha('a')));

    expect(again).toEqual(begun);
    expect(await queue.complete(held, { kind: 'done' })).toMatchObject({ kind: 'completed' });
  });
});

describeFaults('a store that lost its power', () => {
  it('rows 7, G2: misses at most what it wrote in the second before, in whole events, and all of it can be sent again', async () => {
    await using memory = await folderInMemory();
    await using server = await startRedisServer({ config: { appendfsync: 'everysec' }, dataFolder: memory.folder });
    await using queue = await queueAt(server.port);
    await using producers = new Producers(queue);
    await producers.more(400);
    const file = await server.aofFile();
    // What is in the file now counts as on the disk: Redis syncs it within the second that follows.
    const { size } = await stat(file);
    const synced = producers.acknowledged.length - 16;
    await producers.more(400);
    await server.kill();
    await producers.stop();
    await truncate(file, size + 7);

    await server.restart();

    await eventually(() => queue.ping());
    const kept = await drain(queue);
    const missing = producers.missingIn(kept);
    const before = new Set(producers.acknowledged.slice(0, synced));
    expect(missing.filter((taskId) => before.has(taskId))).toEqual([]);
    expect(missing.length).toBeGreaterThan(0);
    expect(kept.every(({ subject, projectPath }) => subject.iid > 0 && projectPath === 'group/project')).toBe(true);
    for (const taskId of missing) {
      const iid = Number(taskId.split(':').at(-1));
      // Nor is a delivery key left behind without its task.
      const kind = (await queue.enqueue(aTaskRequest({ iid }), { ...atOnce, deliveryKeys: [`gitlab:${iid}`] })).kind;
      expect([taskId, kind]).toEqual([taskId, 'queued']);
    }
    expect(await drain(queue)).toHaveLength(missing.length);
  });

  it('row 8: starts with a file whose tail is cut, without what was in the tail', async () => {
    await using server = await startRedisServer({ config: { appendfsync: 'always' } });
    await using queue = await queueAt(server.port);
    for (const iid of [1, 2, 3]) await queue.enqueue(aTaskRequest({ iid }), atOnce);
    await server.kill();
    const file = await server.aofFile();
    await truncate(file, (await stat(file)).size - 7);

    await server.restart();

    await eventually(() => queue.ping());
    expect((await drain(queue)).map(({ taskId }) => taskId)).toEqual([1, 2].map(taskIdOfIid));
  });

  it('row 8: does not start with a file that is corrupt in its middle; the queue says so until it is mended', async () => {
    await using server = await startRedisServer({ config: { appendfsync: 'always' } });
    await using queue = await queueAt(server.port);
    for (let iid = 1; iid <= 50; iid += 1) await queue.enqueue(aTaskRequest({ iid }), atOnce);
    await server.kill();
    const file = await server.aofFile();
    const whole = await readFile(file);
    const handle = await open(file, 'r+');
    // Where a command begins: inside of a value Redis could not tell.
    await handle.write(Buffer.alloc(64, 0xff), 0, 64, whole.indexOf('\r\n*', Math.floor(whole.length / 2)));
    await handle.close();

    await expect(server.restart()).rejects.toThrow(/Bad file format/);

    await expect(queue.ping()).rejects.toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
    await expect(take(queue)).rejects.toMatchObject({ code: 'queue.unreachable' });
    await writeFile(file, whole);
    await server.restart();
    await eventually(() => queue.ping());
    expect(await drain(queue)).toHaveLength(50);
  });
});
