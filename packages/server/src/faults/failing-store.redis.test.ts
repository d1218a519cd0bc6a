/**
 * The server while its Redis is slow, hangs, is full, refuses, or is cut off. Two seconds are promised (G5); what was
 * seen is printed. Here is shown what they come from: who asks is answered while the fault lasts, and taken again when
 * it is over. The bound tells that from a server that waits for its store, on a machine that is ten times slower.
 */
import { open, readFile, writeFile } from 'node:fs/promises';
import { mountSmallDisk, startRedisServer, startTcpFaultProxy, whyNoSmallDisk } from '@drydock/testkit';
import { describe, expect, it } from '@jest/globals';
import { drain, operatorOf, queueOf, startServerProcess, until, type ServerProcess } from './server-process.ts';

const missing = whyNoSmallDisk();
if (missing !== null) process.stderr.write(`skipped: row 14: ${missing}\n`);

/** A server that waited for its store would take as long as the fault, or for ever. */
const slowMachineMs = 20_000;

/** Answers how long it took until deliveries are taken again. */
async function untilWell(server: ServerProcess, iid: number): Promise<number> {
  const startedAtMs = performance.now();
  await until(async () => (await server.post(iid)).status === 200);
  return performance.now() - startedAtMs;
}

describe('a server process whose store fails', () => {
  it('row 16, G5: answers 2,000 open requests with 503 while Redis hangs, in bounded memory, and is well again', async () => {
    await using redis = await startRedisServer();
    await using queue = await queueOf(redis.port);
    await using server = await startServerProcess(redis.port, {}, { maxSockets: 2_000 });
    await server.post(1);
    redis.pause();

    const answers = await Promise.all(Array.from({ length: 2_000 }, (_, n) => server.post(n + 2)));
    const refusedMs = Math.max(...answers.map(({ tookMs }) => tookMs));
    const ready = await server.page('readyz');
    const bytes = await server.metric('process_resident_memory_bytes');
    redis.resume();
    const backMs = await untilWell(server, 5_000);
    process.stderr.write(
      `G5: 2,000 refused after ${refusedMs.toFixed()} ms, well again ${backMs.toFixed()} ms after\n`,
    );

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(ready.status).toBe(503);
    expect(bytes).toBeLessThan(512 * 1024 * 1024);
    expect(backMs).toBeLessThan(slowMachineMs);
    // What Redis did late was refused to the sender, who sends it again: the same task.
    await server.post(2);
    const taken = (await drain(queue)).map(({ subject }) => subject.iid);
    expect(new Set(taken).size).toBe(taken.length);
    expect(taken).toEqual(expect.arrayContaining([1, 2, 5_000]));
  });

  it('row 16, G5: answers 503 within two seconds while Redis hangs, each time anew, and is well within two seconds', async () => {
    await using redis = await startRedisServer();
    await using server = await startServerProcess(redis.port);
    const refusedMs: number[] = [];
    const backMs: number[] = [];

    for (let iid = 1; iid <= 5; iid += 1) {
      redis.pause();
      const { status, tookMs } = await server.post(iid);
      expect(status).toBe(503);
      refusedMs.push(tookMs);
      redis.resume();
      backMs.push(await untilWell(server, 10 + iid));
    }

    // A loaded machine may take the processor away for seconds; hardly from all five.
    expect(Math.min(...refusedMs)).toBeLessThan(2_000);
    expect(Math.min(...backMs)).toBeLessThan(2_000);
    expect(Math.max(...refusedMs, ...backMs)).toBeLessThan(slowMachineMs);
  });

  it('row 15: takes deliveries over a slow link, and refuses those that it cannot before its store has answered', async () => {
    await using redis = await startRedisServer();
    await using proxy = await startTcpFaultProxy({ upstream: { port: redis.port } });
    await using server = await startServerProcess(proxy.port, {}, { maxSockets: 100 });
    const all = async (first: number) => Promise.all(Array.from({ length: 20 }, (_, n) => server.post(first + n)));

    proxy.add({ kind: 'latency', delayMs: 100, jitterMs: 50, direction: 'to-client' });
    const slow = await all(1);
    proxy.clear();
    const healer = proxy.add({ kind: 'latency', delayMs: 5_000, jitterMs: 500, direction: 'to-client' });
    const slower = await all(1_000);
    healer();
    await untilWell(server, 5_000);
    const well = await all(2_000);

    expect(new Set(slow.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(slower.map(({ status }) => status))).toEqual(new Set([503]));
    // Sooner than what it asked of its store comes.
    expect(Math.max(...slower.map(({ tookMs }) => tookMs))).toBeLessThan(4_500);
    expect(new Set(well.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('row 17: notices a half-open connection while it is one, and makes a new one', async () => {
    await using redis = await startRedisServer();
    await using proxy = await startTcpFaultProxy({ upstream: { port: redis.port } });
    await using server = await startServerProcess(proxy.port);
    await server.post(1);
    const { accepted } = proxy;
    proxy.add({ kind: 'black-hole', closeAfterMs: null });

    const { status } = await server.post(2);
    expect(status).toBe(503);
    await until(() => proxy.accepted > accepted);
    proxy.clear();

    await untilWell(server, 3);
  });

  it('row 13: refuses events while Redis is full, lets what waits be worked off, and takes events again by itself', async () => {
    await using redis = await startRedisServer();
    await using queue = await queueOf(redis.port);
    await using operator = await operatorOf(redis.port);
    await using server = await startServerProcess(redis.port);
    for (let iid = 1; iid <= 5; iid += 1) await server.post(iid);
    await operator.config('SET', 'maxmemory', '1');

    const refused = await server.post(6, { 'idempotency-key': 'six' });
    const ready = await server.page('readyz');
    const metrics = await server.page('metrics');
    const taken = await drain(queue);
    for (const task of taken) expect(await queue.complete(task, { kind: 'done' })).toMatchObject({ kind: 'completed' });
    await operator.config('SET', 'maxmemory', '0');

    expect(refused).toMatchObject({ status: 503, outcome: 'not-stored' });
    expect(ready).toMatchObject({ status: 503, text: 'queue.full\n' });
    expect(metrics.text).toMatch(/drydock_webhook_requests_total\{forge="gitlab",code="503"\} 1/);
    expect(server.process.stdout).toContain('"code":"queue.full"');
    expect(taken).toHaveLength(5);
    expect(await server.post(6, { 'idempotency-key': 'six' })).toMatchObject({ status: 200, outcome: 'queued' });
  });

  (missing === null ? it : it.skip)(
    'row 14: is not ready and refuses events while the disk of Redis is full',
    async () => {
      using disk = mountSmallDisk(4);
      await using redis = await startRedisServer({ dataFolder: disk.folder });
      await using queue = await queueOf(redis.port);
      await using server = await startServerProcess(redis.port);
      const accepted: number[] = [];
      disk.fill();
      let iid = 0;
      await until(async () => {
        iid += 1;
        const { status } = await server.post(iid);
        if (status === 200) accepted.push(iid);
        return status === 503;
      });

      expect(await server.page('readyz')).toMatchObject({ status: 503, text: 'queue.unreachable\n' });
      disk.free();
      await untilWell(server, 100_000);

      const kept = new Set((await drain(queue)).map(({ subject }) => subject.iid));
      expect(accepted.filter((one) => !kept.has(one))).toEqual([]);
    },
  );

  it('row 8: stays up and says that it is not ready while Redis cannot start with its damaged file', async () => {
    await using redis = await startRedisServer();
    await using server = await startServerProcess(redis.port);
    for (let iid = 1; iid <= 20; iid += 1) await server.post(iid);
    await redis.kill();
    const file = await redis.aofFile();
    const whole = await readFile(file);
    const handle = await open(file, 'r+');
    // More than fits into one value, where Redis would not see it.
    const damage = Buffer.alloc(Math.floor(whole.length / 4), 0xff);
    await handle.write(damage, 0, damage.length, Math.floor(whole.length / 2));
    await handle.close();
    await expect(redis.restart()).rejects.toThrow(/Bad file format/);

    expect(await server.post(21)).toMatchObject({ status: 503, outcome: 'not-stored' });
    expect(await server.page('readyz')).toMatchObject({ status: 503, text: 'queue.unreachable\n' });
    expect(JSON.parse((await server.page('health')).text)).toMatchObject({ status: 'degraded' });
    expect(await server.page('healthz')).toMatchObject({ status: 200 });
    await writeFile(file, whole);
    await redis.restart();
    await untilWell(server, 22);
  });

  it('row 20: refuses events while a foreign script holds Redis, says BUSY, and goes on after', async () => {
    await using redis = await startRedisServer({ config: { 'lua-time-limit': '100' } });
    await using operator = await operatorOf(redis.port);
    await using foreign = await operatorOf(redis.port);
    await using server = await startServerProcess(redis.port);
    const looping = foreign.eval('while true do end', 0).catch((error: unknown) => error);
    await until(async () => (await server.page('readyz')).status === 503);

    const refused = await server.post(1);
    await operator.script('KILL');
    await looping;

    expect(refused.status).toBe(503);
    expect(server.process.stdout).toMatch(/"level":(40|50)[^\n]*BUSY/);
    await untilWell(server, 2);
  });
});
