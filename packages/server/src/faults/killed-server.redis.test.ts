/** The server dies between a delivery and its answer, is one of two, has its secrets changed, or meets a newer build. */
import { startRedisServer, startTcpFaultProxy, type RedisServer } from '@drydock/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { signedHeaders } from '../testing/test-server.ts';
import { aHook } from '../testing/test-server.ts';
import { drain, operatorOf, queueOf, startServerProcess, until, type Answer } from './server-process.ts';

describe('a server process', () => {
  let redis: RedisServer;
  let operator: Awaited<ReturnType<typeof operatorOf>>;
  beforeAll(async () => {
    redis = await startRedisServer();
    operator = await operatorOf(redis.port);
  });
  beforeEach(async () => {
    await operator.flushall();
  });
  afterAll(async () => {
    operator.disconnect();
    await redis[Symbol.asyncDispose]();
  });

  const key = { 'idempotency-key': 'delivery-1' };

  it('row 1, reported 35: killed before it stored has told nobody that it did, and left nothing behind', async () => {
    await using proxy = await startTcpFaultProxy({ upstream: { port: redis.port } });
    await using queue = await queueOf(redis.port);
    await using server = await startServerProcess(proxy.port);
    proxy.add({ kind: 'black-hole', closeAfterMs: null, direction: 'to-upstream' }); // the script never arrives
    const sent = server.post(7, key);
    await until(async () => (await server.page('healthz')).status === 200); // it has read what came before

    server.process.kill('SIGKILL');

    expect((await sent).status).toBe('ECONNRESET');
    expect(await queue.stats()).toMatchObject({ waiting: 0 });
    await using next = await startServerProcess(redis.port);
    expect(await next.post(7, key)).toMatchObject({ status: 200, outcome: 'queued' });
  });

  it('row 2, reported 35: killed after it stored and before it answered has queued once; sent again is a duplicate', async () => {
    await using proxy = await startTcpFaultProxy({ upstream: { port: redis.port } });
    await using queue = await queueOf(redis.port);
    await using server = await startServerProcess(proxy.port);
    proxy.add({ kind: 'black-hole', closeAfterMs: null, direction: 'to-client' }); // the answer of Redis never arrives
    const sent = server.post(7, key);
    await until(async () => (await queue.stats()).waiting === 1);

    server.process.kill('SIGKILL');

    expect((await sent).status).toBe('ECONNRESET');
    await using next = await startServerProcess(redis.port);
    expect(await next.post(7, key)).toMatchObject({ status: 200, outcome: 'duplicate' });
    expect(await drain(queue)).toHaveLength(1);
  });

  it('row 4: is one of two that get a thousand copies of a delivery at once: one entry', async () => {
    await using queue = await queueOf(redis.port);
    await using one = await startServerProcess(redis.port);
    await using two = await startServerProcess(redis.port);
    const servers = [one, two];

    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, copy) => servers[copy % 2]?.post(7, key) ?? Promise.reject(new Error())),
    );

    expect(answers.filter(({ outcome }) => outcome === 'queued')).toHaveLength(1);
    expect(answers.filter(({ outcome }) => outcome === 'duplicate')).toHaveLength(999);
    expect(await drain(queue)).toHaveLength(1);
  });

  it('row 45, G6: five thousand events on one merge request are one waiting task, or one running and one more after it', async () => {
    await using queue = await queueOf(redis.port);
    await using server = await startServerProcess(redis.port);
    const burst = async (first: number) => {
      const answers: Answer[] = [];
      for (let n = first; n < first + 2_500; n += 250) {
        const bodies = Array.from({ length: 250 }, (_, at) => aHook({ iid: 7, title: `title ${String(n + at)}` }));
        answers.push(...(await Promise.all(bodies.map((body) => server.post(7, {}, body)))));
      }
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    };

    await burst(0);
    const [running, ...others] = await drain(queue);
    if (running === undefined) throw new Error('nothing to lease');
    await burst(2_500);

    expect(others).toEqual([]);
    expect(await queue.stats()).toMatchObject({ waiting: 0, running: 1 });
    expect(await queue.complete(running, { kind: 'done' })).toEqual({ kind: 'completed', requeued: true });
    expect(await drain(queue)).toHaveLength(1);
  });

  it('row 62: takes old and new secret while they are changed under load, and refuses nobody who knows either', async () => {
    const secrets = ['old-token-of-hook', 'old-token-of-hook,new-token-of-hook', 'new-token-of-hook'];
    const answers: Answer[] = [];
    for (const [step, active] of secrets.entries()) {
      await using server = await startServerProcess(redis.port, { DRYDOCK_WEBHOOK_SECRETS: active });
      for (const sender of active.split(',')) {
        const posts = Array.from({ length: 50 }, (_, n) =>
          server.post(1 + step * 1_000 + n, { 'x-gitlab-token': sender }),
        );
        answers.push(...(await Promise.all(posts)));
      }
      if (step === 2) {
        expect(await server.post(9_000, { 'x-gitlab-token': 'old-token-of-hook' })).toMatchObject({ status: 401 });
      }
    }

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('row 62: takes signatures by the old and by the new key', async () => {
    const own = `whsec_${Buffer.alloc(32, 5).toString('base64')}`; // the key of signedHeaders
    const other = `whsec_${Buffer.alloc(32, 6).toString('base64')}`;
    for (const active of [`${other},${own}`, `${own},${other}`]) {
      await using server = await startServerProcess(redis.port, { DRYDOCK_WEBHOOK_SECRETS: active });
      const body = aHook({ iid: 7 });

      expect(await server.post(7, signedHeaders(body, `id-${active.slice(-4)}`), body)).toMatchObject({ status: 200 });
    }
  });

  it('row 60: meets what a newer build left for a merge request, and takes its events in all the same', async () => {
    await using queue = await queueOf(redis.port);
    await using server = await startServerProcess(redis.port);
    await server.post(7, key);
    const taskKey = '{drydock}:task:review:gitlab:42:7';
    const addField = `local task = cmsgpack.unpack(redis.call('GET', KEYS[1]))
      task.fieldOfTheFuture = 'precious'
      redis.call('SET', KEYS[1], cmsgpack.pack(task))`;
    await operator.eval(addField, 1, taskKey);

    expect(await server.post(7, {}, aHook({ iid: 7, title: 'other' }))).toMatchObject({ outcome: 'coalesced' });

    const readField = `return cmsgpack.unpack(redis.call('GET', KEYS[1])).fieldOfTheFuture`;
    expect(await operator.eval(readField, 1, taskKey)).toBe('precious');
    expect(await drain(queue)).toHaveLength(1);
  });
});
