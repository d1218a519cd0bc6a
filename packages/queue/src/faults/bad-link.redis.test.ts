/** Between us and Redis: slow, dead, cut. */
import { startRedisServer, startTcpFaultProxy, type RedisServer, type TcpFaultProxy } from '@drydock/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { aTaskRequest, atOnce } from '../contract/queue-under-test.ts';
import type { RedisConnection } from '../redis-connection.ts';
import {
  Producers,
  describeFaults,
  drain,
  eventually,
  mustTake,
  operatorOf,
  queueAt,
  take,
  type QueueOfTest,
} from './fault-stage.ts';

/** How long this took, in milliseconds, whether it went well or not. */
async function timed(work: Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work.catch(() => undefined);
  return performance.now() - startedAtMs;
}

describeFaults('a link to Redis', () => {
  let server: RedisServer;
  let operator: RedisConnection;
  let proxy: TcpFaultProxy;
  let queue: QueueOfTest;
  beforeAll(async () => {
    server = await startRedisServer();
    operator = await operatorOf(server);
  });
  beforeEach(async () => {
    await operator.flushall();
    proxy = await startTcpFaultProxy({ upstream: { port: server.port } });
    queue = await queueAt(proxy.port);
  });
  afterEach(async () => {
    proxy.clear();
    await queue.close();
    await proxy[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    operator.disconnect();
    await server[Symbol.asyncDispose]();
  });

  it.each([
    ['200 ms', { delayMs: 200, jitterMs: 0 }],
    ['50 to 350 ms', { delayMs: 200, jitterMs: 150 }],
  ])('row 15: with %s of latency keeps leases, a third of their life at a time', async (_name, latency) => {
    await using other = await queueAt(server.port);
    await queue.enqueue(aTaskRequest(), atOnce);
    const held = await mustTake(queue, { ttlMs: 1_500 });
    proxy.add({ kind: 'latency', ...latency, direction: 'to-upstream' });

    for (let beat = 0; beat < 3; beat += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(await queue.extend(held, 1_500)).toEqual({ kind: 'held', interrupt: null });
      expect(await take(other)).toBeNull();
    }
  });

  it('row 15: with 2 s of latency answers within its limit that it cannot, without a pile, and is well at once afterwards', async () => {
    const heal = proxy.add({ kind: 'latency', delayMs: 2_000, jitterMs: 0 });

    const times = await Promise.all(
      Array.from({ length: 200 }, (_, iid) =>
        timed(
          expect(queue.enqueue(aTaskRequest({ iid }), atOnce)).rejects.toMatchObject({ code: 'queue.unreachable' }),
        ),
      ),
    );
    heal();

    expect(Math.max(...times)).toBeLessThan(2_000);
    expect(await timed(eventually(() => queue.ping()))).toBeLessThan(4_000);
    expect(await timed(queue.enqueue(aTaskRequest({ iid: 1 }), atOnce))).toBeLessThan(500);
  });

  it('row 15: to a Redis that is paused for 1,500 ms answers or refuses in time, and what it did late is harmless', async () => {
    await operator.client('PAUSE', 1_500);
    const asked = Array.from({ length: 50 }, () =>
      queue.enqueue(aTaskRequest(), { ...atOnce, deliveryKeys: ['gitlab:one'] }),
    );

    const settled = await Promise.all(asked.map((work) => timed(work)));

    expect(Math.max(...settled)).toBeLessThan(2_000);
    await eventually(() => queue.enqueue(aTaskRequest(), { ...atOnce, deliveryKeys: ['gitlab:one'] }));
    expect(await drain(queue)).toHaveLength(1);
  });

  it('row 17: that is half open is noticed within 3 s, left, and made anew', async () => {
    await queue.enqueue(aTaskRequest(), atOnce);
    const { accepted } = proxy;
    const heal = proxy.add({ kind: 'black-hole', closeAfterMs: null });

    const tookMs = await timed(expect(queue.ping()).rejects.toMatchObject({ code: 'queue.unreachable' }));

    expect(tookMs).toBeLessThan(3_000);
    await eventually(() => {
      expect(proxy.accepted).toBeGreaterThan(accepted);
    });
    heal();
    expect(await timed(eventually(() => queue.ping()))).toBeLessThan(4_000);
    expect(await drain(queue)).toHaveLength(1);
  });

  it.each([
    // The client may send it once more by itself, later.
    ['in the middle of an event', { direction: 'to-upstream', afterBytes: 40 }, ['queued', 'duplicate']],
    ['before the answer', { direction: 'to-client', afterBytes: 0 }, ['duplicate']],
  ] as const)('row 18: that is reset %s leaves one effect of each', async (_name, reset, secondKinds) => {
    const kinds = new Set<string>();
    for (let iid = 1; iid <= 3; iid += 1) {
      const enqueue = () => queue.enqueue(aTaskRequest({ iid }), { ...atOnce, deliveryKeys: [`gitlab:${iid}`] });
      const heal = proxy.add({ kind: 'reset', ...reset });
      await expect(enqueue()).rejects.toMatchObject({ kind: 'transient', code: 'queue.unreachable' });
      heal();
      kinds.add((await eventually(enqueue)).kind);
    }

    expect(secondKinds).toEqual(expect.arrayContaining([...kinds]));
    expect(await drain(queue)).toHaveLength(3);
  });

  it('row 18: that is reset right when a lease was granted loses nothing: it runs out and is taken again', async () => {
    await take(queue);
    await queue.enqueue(aTaskRequest(), atOnce);
    const heal = proxy.add({ kind: 'reset', afterBytes: 0, direction: 'to-client' });
    await expect(take(queue, { ttlMs: 100 })).rejects.toMatchObject({ code: 'queue.unreachable' });
    heal();

    const task = await eventually(() => mustTake(queue));

    expect(task.adopted).not.toBeNull();
    expect(await queue.complete(task, { kind: 'done' })).toMatchObject({ kind: 'completed' });
  });

  it.each([
    ['in slices of 3 bytes', { kind: 'slicer', bytes: 3, pauseMs: 0 }],
    ['at 50 kB a second', { kind: 'bandwidth', bytesPerSecond: 50_000 }],
  ] as const)('row 15: that passes bytes %s is slow and right', async (_name, toxic) => {
    proxy.add(toxic);

    await queue.enqueue(aTaskRequest(), atOnce);

    expect(await drain(queue)).toHaveLength(1);
  });

  it('row 19: whose scripts are forgotten all the time under load goes on as if nothing were', async () => {
    await using producers = new Producers(queue, 8);
    const over = new AbortController();
    const flushing = (async () => {
      while (!over.signal.aborted) await operator.script('FLUSH');
    })();

    await producers.more(400);
    await producers.stop();
    const kept = await drain(queue);
    over.abort();
    await flushing;

    expect(producers.refused).toBe(0);
    expect(producers.missingIn(kept)).toEqual([]);
  });
});
