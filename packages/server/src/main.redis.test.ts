import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, silentLog, systemClock } from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import { startProcess, startRedisServer, type RedisServer, type StartedProcess } from '@drydock/testkit';
import { aHook } from './testing/test-server.ts';

const main = new URL('./main.ts', import.meta.url);
const headers = { 'content-type': 'application/json', 'x-gitlab-token': 'token-canary' };

describe('the server as a process', () => {
  let redis: RedisServer;
  let queue: TaskQueue;
  let server: StartedProcess | null = null;

  beforeAll(async () => {
    redis = await startRedisServer({ password: 'password-canary' });
    queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog, commandTimeoutMs: 60_000 });
  });
  afterEach(async () => {
    await server?.[Symbol.asyncDispose]();
    server = null;
  });
  afterAll(async () => {
    await queue.close();
    await redis[Symbol.asyncDispose]();
  });

  const settings = () => ({
    DRYDOCK_SERVER_PORT: '0',
    DRYDOCK_SERVER_HOST: '127.0.0.1',
    DRYDOCK_REDIS_URL: redis.url,
    DRYDOCK_WEBHOOK_SECRETS: 'token-canary',
  });

  async function start(changes: Record<string, string> = {}): Promise<{ process: StartedProcess; port: number }> {
    server = startProcess(main, { ...settings(), ...changes });
    const { port } = await server.logged('server started');
    return { process: server, port: Number(port) };
  }

  function post(port: number, iid: number, agent: Agent): Promise<number | string> {
    return new Promise((resolve) => {
      const options = { host: '127.0.0.1', port, path: '/webhooks/gitlab', method: 'POST', headers, agent };
      const call = request(options, (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode ?? 0);
        });
      });
      call.on('error', (error: Error & { code?: string }) => {
        resolve(error.code ?? error.message);
      });
      call.end(aHook({ iid }));
    });
  }

  it('row 3: ends with 0 when it is told to, even twice, under load, and everything it accepted is in Redis', async () => {
    const { process, port } = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    const accepted: number[] = [];
    const others: (number | string)[] = [];
    const sender = async (first: number) => {
      for (let iid = first; ; iid += 20) {
        const answer = await post(port, iid, agent);
        if (answer === 200) accepted.push(iid);
        else others.push(answer);
        if (typeof answer === 'string') return;
        if (accepted.length === 300 || accepted.length === 310) process.kill('SIGTERM');
      }
    };

    await Promise.all(Array.from({ length: 20 }, (_, n) => sender(n + 1)));
    agent.destroy();

    expect(await process.ended).toEqual({ code: 0, signal: null });
    const kept = new Set((await queue.list({ limit: 1000 })).tasks.map(({ subject }) => subject.iid));
    expect(accepted.slice(-900).filter((iid) => !kept.has(iid))).toEqual([]);
    expect(others.filter((answer) => typeof answer === 'number')).toEqual([]);
  });

  it('ends though a sender keeps its connection, one hangs in its headers, and Redis does not answer', async () => {
    const { process, port } = await start();
    const agent = new Agent({ keepAlive: true });
    await post(port, 100_000, agent);
    const hanging = connect(port, '127.0.0.1');
    hanging.on('error', () => undefined);
    hanging.write('POST /webhooks/gitlab HTTP/1.1\r\nhost');
    redis.pause();

    process.kill('SIGTERM');
    const end = await process.ended;
    redis.resume();
    agent.destroy();
    hanging.destroy();

    expect(end).toEqual({ code: 0, signal: null });
  });

  it('rows 1, 2: has told nobody that it kept what it had not, when it is killed; sent again, it is one task', async () => {
    const killed = await start();
    const agent = new Agent();
    redis.pause(); // the delivery is on its way into Redis, which has not answered
    const cut = post(killed.port, 200_000, agent);
    await systemClock.sleep(200, new AbortController().signal);
    killed.process.kill('SIGKILL');
    expect(await cut).toBe('ECONNRESET');
    redis.resume();

    const { port } = await start();
    const again = await post(port, 200_000, agent);

    expect(again).toBe(200);
    const { tasks: kept } = await queue.list({ limit: 1000 });
    expect(kept.filter(({ subject }) => subject.iid === 200_000)).toHaveLength(1);
  });

  it('row 2: keeps what it accepted when it is killed right after', async () => {
    const { process, port } = await start();
    const agent = new Agent();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => post(port, 300_000 + n, agent)));
    process.kill('SIGKILL');
    await process.ended;

    expect(new Set(answers)).toEqual(new Set([200]));
    const kept = (await queue.list({ limit: 1000 })).tasks.filter(({ subject }) => subject.iid >= 300_000);
    expect(kept).toHaveLength(50);
  });

  it('row 16: answers 503 soon while Redis hangs, and goes on when it is back', async () => {
    const { port } = await start();
    const agent = new Agent({ keepAlive: true });
    redis.pause();

    const [delivery, ready] = await Promise.all([
      post(port, 100_001, agent),
      fetch(`http://127.0.0.1:${String(port)}/readyz`).then(({ status }) => status),
    ]);
    redis.resume();

    expect([delivery, ready]).toEqual([503, 503]);
    let answer: number | string = 0;
    while (answer !== 200) answer = await post(port, 100_002, agent);
    agent.destroy();
  });

  it('says nothing secret', async () => {
    const { process, port } = await start();
    const agent = new Agent();
    await post(port, 100_003, agent);
    redis.pause();
    await post(port, 100_004, agent);
    redis.resume();
    process.kill('SIGTERM');
    await process.ended;

    expect(process.stdout).toContain('"msg":"delivery taken"');
    expect(process.stdout + process.stderr).not.toContain('canary');
  });

  it.each<[string, Record<string, string>, number, RegExp]>([
    ['no settings', { DRYDOCK_REDIS_URL: '', DRYDOCK_WEBHOOK_SECRETS: '' }, 78, /REDIS_URL[^]*WEBHOOK_SECRETS/],
    ['a short secret', { DRYDOCK_WEBHOOK_SECRETS: 'canary' }, 78, /at least 8 characters/],
    ['a Redis that is not there', { DRYDOCK_REDIS_URL: 'redis://:canary@127.0.0.1:1' }, 69, /redis:\/\/127\.0\.0\.1:1/],
    ['a wrong password', { DRYDOCK_REDIS_URL: 'canary' }, 78, /form redis:/],
  ])('ends at its start with %s, in one message and without a stack', async (_name, changes, code, message) => {
    server = startProcess(main, { ...settings(), ...changes });

    expect(await server.ended).toEqual({ code, signal: null });
    expect(server.stderr).toMatch(message);
    expect(server.stdout + server.stderr).not.toMatch(/canary|\n {4}at /);
  });

  it('says what to do when its port is taken', async () => {
    const { port } = await start();
    const first = server;
    server = startProcess(main, { ...settings(), DRYDOCK_SERVER_PORT: String(port) });

    expect(await server.ended).toEqual({ code: 78, signal: null });
    expect(server.stderr).toMatch(/another program uses it/);
    await first?.[Symbol.asyncDispose]();
  });
});
