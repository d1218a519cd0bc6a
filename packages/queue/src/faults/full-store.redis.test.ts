/** Redis cannot write: its disk is full, a foreign script holds it. */
import { mountSmallDisk, startRedisServer, whyNoSmallDisk } from '@drydock/testkit';
import { describe, expect, it } from '@jest/globals';
import { aTaskRequest, atOnce } from '../contract/queue-under-test.ts';
import { describeFaults, drain, eventually, mustTake, operatorOf, queueAt, until } from './fault-stage.ts';

const missing = whyNoSmallDisk();
if (missing !== null) process.stderr.write(`skipped: row 14: ${missing}\n`);

(missing === null ? describeFaults : describe.skip)('a store whose disk is full', () => {
  it('row 14: takes nothing and says so, keeps what it acknowledged, and goes on when there is room', async () => {
    using disk = mountSmallDisk(4);
    await using server = await startRedisServer({ dataFolder: disk.folder, config: { appendfsync: 'everysec' } });
    await using queue = await queueAt(server.port);
    const acknowledged: string[] = [];
    let iid = 0;
    const enqueueNext = async () => {
      iid += 1;
      acknowledged.push((await queue.enqueue(aTaskRequest({ iid }), atOnce)).taskId);
    };
    for (let n = 0; n < 20; n += 1) await enqueueNext();
    disk.fill();

    // What comes in the moment in which Redis finds out is acknowledged, and is in its memory.
    await expect(
      (async () => {
        for (let n = 0; n < 10_000; n += 1) await enqueueNext();
      })(),
    ).rejects.toMatchObject({
      kind: 'transient',
      code: 'queue.unreachable',
      message: expect.stringContaining('MISCONF'),
    });

    await expect(queue.ping()).rejects.toMatchObject({ code: 'queue.unreachable' });
    disk.free();
    await eventually(() => queue.ping());
    await enqueueNext();
    await until(async () => {
      await using operator = await operatorOf(server);
      return (await operator.info('persistence')).includes('aof_last_write_status:ok');
    });
    await server.kill();
    await server.restart();
    await eventually(() => queue.ping());
    const kept = new Set((await drain(queue)).map(({ taskId }) => taskId));
    expect(acknowledged.filter((taskId) => !kept.has(taskId))).toEqual([]);
  });

  it('row 14: ends under appendfsync always, and has everything that it acknowledged when it is started again', async () => {
    using disk = mountSmallDisk(4);
    await using server = await startRedisServer({ dataFolder: disk.folder, config: { appendfsync: 'always' } });
    await using queue = await queueAt(server.port);
    const acknowledged: string[] = [];
    disk.fill();

    await expect(
      (async () => {
        for (let iid = 1; iid < 10_000; iid += 1) {
          acknowledged.push((await queue.enqueue(aTaskRequest({ iid }), atOnce)).taskId);
        }
      })(),
    ).rejects.toMatchObject({ kind: 'transient', code: 'queue.unreachable' });

    await server.exited;
    disk.free();
    await server.restart();
    await eventually(() => queue.ping());
    const kept = new Set((await drain(queue)).map(({ taskId }) => taskId));
    expect(acknowledged.filter((taskId) => !kept.has(taskId))).toEqual([]);
  });
});

describeFaults('a store that is held by a foreign script', () => {
  it('row 20: answers BUSY in time, and is well when the script was killed', async () => {
    await using server = await startRedisServer({ config: { 'lua-time-limit': '100' } });
    await using queue = await queueAt(server.port);
    await using foreign = await operatorOf(server);
    await using operator = await operatorOf(server);
    await queue.enqueue(aTaskRequest(), atOnce);
    const looping = foreign.eval('while true do end', 0).catch((error: unknown) => error);

    await eventually(() =>
      expect(queue.ping()).rejects.toMatchObject({ kind: 'transient', message: expect.stringContaining('BUSY') }),
    );

    await expect(queue.enqueue(aTaskRequest({ iid: 8 }), atOnce)).rejects.toMatchObject({ code: 'queue.unreachable' });
    await operator.script('KILL');
    await looping;
    await eventually(() => queue.ping());
    expect(await drain(queue)).toHaveLength(1);
  });

  it('row 20: after a write cannot be killed; SHUTDOWN NOSAVE ends it, and what was acknowledged is there', async () => {
    await using server = await startRedisServer({ config: { 'lua-time-limit': '100', appendfsync: 'always' } });
    await using queue = await queueAt(server.port);
    await using foreign = await operatorOf(server);
    await using operator = await operatorOf(server);
    await queue.enqueue(aTaskRequest(), atOnce);
    await mustTake(queue, { ttlMs: 1 });
    const looping = foreign
      .eval("redis.call('SET', 'foreign', '1') while true do end", 0)
      .catch((error: unknown) => error);
    await eventually(() => expect(operator.script('KILL')).rejects.toThrow('UNKILLABLE'));

    await operator.call('SHUTDOWN', 'NOSAVE').catch(() => undefined); // the connection ends without an answer
    await looping;
    await server.exited;

    await server.restart();
    await eventually(() => queue.ping());
    expect(await drain(queue)).toMatchObject([{ adopted: { state: 'leased' } }]);
  });
});
