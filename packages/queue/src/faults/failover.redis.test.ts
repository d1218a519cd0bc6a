/** Another Redis takes over: one that lags behind, one beside the old master, one in an orderly change. */
import { startRedisServer, startTcpFaultProxy } from '@drydock/testkit';
import { expect, it } from '@jest/globals';
import { aTaskRequest, atOnce, sha, taskIdOfIid } from '../contract/queue-under-test.ts';
import { Producers, describeFaults, drain, eventually, mustTake, operatorOf, queueAt, until } from './fault-stage.ts';

/** A master, its replica, and two links through which faults come: the clients' and the replica's. */
async function startPair(changes: Record<string, string> = {}) {
  const config = { 'repl-diskless-sync-delay': '0', ...changes };
  const stack = new AsyncDisposableStack();
  const master = stack.use(await startRedisServer({ config }));
  const replication = stack.use(await startTcpFaultProxy({ upstream: { port: master.port } }));
  const replica = stack.use(
    await startRedisServer({
      config: { ...config, replicaof: `127.0.0.1 ${replication.port}` },
    }),
  );
  const link = stack.use(await startTcpFaultProxy({ upstream: { port: master.port } }));
  const onMaster = stack.use(await operatorOf(master));
  const onReplica = stack.use(await operatorOf(replica));
  await until(async () => (await onReplica.info('replication')).includes('master_link_status:up'));
  const replicated = async () => {
    if ((await onMaster.wait(1, 10_000)) !== 1) throw new Error('the replica does not follow');
  };
  return {
    master,
    replica,
    link,
    replication,
    onMaster,
    onReplica,
    replicated,
    /** The replica becomes master, whatever it has. */
    async promote() {
      await onReplica.call('REPLICAOF', 'NO', 'ONE');
      await onReplica.config('SET', 'min-replicas-to-write', '0');
      link.redirect(replica.port);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describeFaults('a failover', () => {
  it('row 10: to a replica that lags re-runs what it had not heard of, and refuses the numbers of before', async () => {
    await using pair = await startPair();
    await using queue = await queueAt(pair.link.port);
    for (const iid of [1, 2]) await queue.enqueue(aTaskRequest({ iid }), atOnce);
    const first = await mustTake(queue);
    await pair.replicated();
    const before = await queue.epoch();
    await queue.sweepDone(before.epoch);
    await pair.replicated();
    pair.replication.add({ kind: 'black-hole', closeAfterMs: null });
    const second = await mustTake(queue); // only the master knows of it, and of its launch
    const lost = await queue.beginLaunch(second, sha('a'));
    await queue.enqueue(aTaskRequest({ iid: 3 }), atOnce);

    await pair.master.kill();
    await pair.promote();
    pair.link.resetAll();
    await eventually(() => queue.ping());

    expect(await queue.extend(first, 60_000)).toMatchObject({ kind: 'held' });
    expect(await queue.extend(second, 60_000)).toEqual({ kind: 'lost' });
    expect(await queue.complete(second, { kind: 'done' })).toEqual({ kind: 'lost' });
    const again = await mustTake(queue);
    expect(again.taskId).toBe(second.taskId);
    expect(again.lease).toBeGreaterThan(second.lease);
    const begun = await queue.beginLaunch(again, sha('a'));
    if (begun.kind !== 'begun' || lost.kind !== 'begun') throw new Error('no launch');
    expect(begun.launch).toBeGreaterThan(lost.launch);
    expect(await queue.get(taskIdOfIid(3))).toBeNull(); // lost with the master: a full sweep finds it
    const after = await queue.epoch();
    expect(after.epoch).toBeGreaterThan(before.epoch);
    expect(after.isSweepDue).toBe(true);
  });

  it('row 11: an old master that lives on beside the new one takes no writes, and what was leased from it is worth nothing', async () => {
    await using pair = await startPair({
      'min-replicas-to-write': '1',
      'min-replicas-max-lag': '3',
      'repl-ping-replica-period': '1',
    });
    await using old = await queueAt(pair.link.port);
    // Redis counts the replicas that follow once a second.
    await eventually(() => old.enqueue(aTaskRequest(), atOnce));
    await old.epoch();
    await pair.replicated();
    pair.replication.add({ kind: 'black-hole', closeAfterMs: null });
    const taken = await mustTake(old); // in the last moment in which the old master does not know
    await pair.promote(); // new connections go to the new master, ours stays
    await using fresh = await queueAt(pair.link.port);

    await eventually(() =>
      expect(old.enqueue(aTaskRequest({ iid: 8 }), atOnce)).rejects.toMatchObject({
        kind: 'transient',
        message: expect.stringContaining('NOREPLICAS'),
      }),
    );

    await expect(old.extend(taken, 60_000)).rejects.toMatchObject({ code: 'queue.unreachable' });
    await expect(old.complete(taken, { kind: 'done' })).rejects.toMatchObject({ code: 'queue.unreachable' });
    const again = await mustTake(fresh);
    expect(again.taskId).toBe(taken.taskId);
    expect(again.lease).toBeGreaterThan(taken.lease);
    pair.link.resetAll();
    expect(await eventually(() => old.extend(taken, 60_000))).toEqual({ kind: 'lost' });
    expect(await eventually(() => fresh.complete(again, { kind: 'done' }))).toMatchObject({ kind: 'completed' });
  });

  it('row 12: a master that became a replica under load is left for the new one, and nothing is lost or doubled', async () => {
    await using pair = await startPair();
    await using queue = await queueAt(pair.link.port);
    await using producers = new Producers(queue, 8);
    await producers.more(200);

    pair.link.redirect(pair.replica.port);
    await pair.onMaster.call('FAILOVER'); // waits for the replica, then changes roles; ours stays connected to the old one
    await until(async () => (await pair.onReplica.info('replication')).includes('role:master'));
    await producers.more(200);
    await producers.stop();

    const kept = await drain(queue);
    expect(producers.missingIn(kept)).toEqual([]);
    expect(new Set(kept.map(({ taskId }) => taskId)).size).toBe(kept.length);
  });
});
