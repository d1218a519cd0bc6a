import { afterEach, describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { Secret, silentLog, systemClock, type Log, type LogFacts } from '@drydock/core';
import { startRedisServer, whyNoRedisServer } from '@drydock/testkit';
import { connectRedis, refuseOldStore, type RedisConnection } from './redis-connection.ts';

/** Keeps every line. */
function keepingLog() {
  const lines: { readonly level: string; readonly message: string; readonly facts: LogFacts }[] = [];
  const at = (level: string) => (facts: LogFacts, message: string) => {
    lines.push({ level, message, facts });
  };
  const log: Log = { ...silentLog, info: at('info'), warn: at('warn'), error: at('error') };
  return { lines, log };
}

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

(whyNoRedisServer() === null ? describe : describe.skip)('connectRedis', () => {
  const open: RedisConnection[] = [];
  const connect = async (...request: Parameters<typeof connectRedis>) => {
    const redis = await connectRedis(...request);
    open.push(redis);
    return redis;
  };
  afterEach(() => {
    for (const redis of open.splice(0)) redis.disconnect();
  });

  it('uses the password and the database of its address', async () => {
    await using server = await startRedisServer({ password: 'p@ss/word' });
    const { lines, log } = keepingLog();

    const redis = await connect({ url: new Secret(`${server.url}/3`), name: 'drydock-test' }, log);

    await redis.set('key', 'value');
    expect(await redis.client('INFO')).toMatch(/ name=drydock-test .* db=3 /);
    expect(lines).toEqual([
      { level: 'info', message: 'redis connected', facts: { url: `redis://127.0.0.1:${server.port}` } },
    ]);
  });

  it('refuses a store that evicts, unless it may', async () => {
    await using server = await startRedisServer({ config: { 'maxmemory-policy': 'allkeys-lru' } });
    const url = new Secret(server.url);

    await expect(connect({ url }, silentLog)).rejects.toMatchObject({
      kind: 'config',
      code: 'queue.unsafe_store',
      message: expect.stringContaining('maxmemory-policy allkeys-lru'),
    });
    const allowed = await connect({ url, allowUnsafeStore: true }, silentLog);
    expect(await allowed.ping()).toBe('PONG');
  });

  it.each([
    ['redis_version:6.0.16', true],
    ['redis_version:5.0.7', true],
    ['redis_version:6.2.0', false],
    ['redis_version:7.2.4', false],
    ['redis_version:10.0.1', false],
    ['server_name:other', false],
  ])('asks for Redis 6.2 or newer: %s', (info, isRefused) => {
    const check = () => {
      refuseOldStore(`# Server\r\n${info}\r\n`, 'redis://store:6379');
    };

    if (isRefused) expect(check).toThrow(/needs 6\.2 or newer/);
    else expect(check).not.toThrow();
  });

  it('warns of a store without an append-only file, and says what may be lost', async () => {
    const warned = async (config: Record<string, string>) => {
      await using server = await startRedisServer({ config });
      const { lines, log } = keepingLog();
      const redis = await connectRedis({ url: new Secret(server.url) }, log);
      await redis.quit();
      return lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    };

    const snapshots = 'redis writes snapshots at most: its restart loses what it took since the last one';
    expect(await warned({ appendonly: 'no' })).toEqual(['redis keeps nothing on disk: its restart loses all tasks']);
    expect(await warned({ appendonly: 'no', save: '60 1' })).toEqual([snapshots]);
    expect(await warned({ appendonly: 'no', 'rename-command': 'CONFIG ""' })).toEqual([snapshots]);
    expect(await warned({})).toEqual([]);
  });

  it('names a wrong password as a wrong setting, and never the password', async () => {
    await using server = await startRedisServer({ password: 'right' });
    const { lines, log } = keepingLog();
    const address = server.url.replace('right', 'hunter2');

    const wrong = await thrownBy(connect({ url: new Secret(address) }, log));
    const none = await thrownBy(connect({ url: new Secret(`redis://127.0.0.1:${server.port}`) }, log));

    expect(wrong).toMatchObject({
      kind: 'config',
      message: expect.stringContaining('refuses the user name or password'),
    });
    expect(none).toMatchObject({ kind: 'config' });
    expect(inspect([wrong, none, lines], { depth: null, showHidden: true })).not.toContain('hunter2');
  });

  it('logs that the connection was lost and came back, once each, and nothing of its own end', async () => {
    await using server = await startRedisServer();
    const { lines, log } = keepingLog();
    const redis = await connect({ url: new Secret(server.url) }, log);

    await server.kill();
    await server.restart();
    while (redis.status !== 'ready') await systemClock.sleep(10, AbortSignal.timeout(10_000));
    await redis.quit();

    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'info redis connected',
      'warn redis connection lost',
      'info redis connected',
    ]);
  });

  it('says who does not answer', async () => {
    const server = await startRedisServer();
    await server[Symbol.asyncDispose]();

    await expect(
      connect({ url: new Secret(`redis://:hunter2@127.0.0.1:${server.port}`) }, silentLog),
    ).rejects.toMatchObject({
      kind: 'transient',
      code: 'queue.unreachable',
      message: expect.stringMatching(new RegExp(`^Redis at redis://127\\.0\\.0\\.1:${server.port} .*ECONNREFUSED`)),
    });
  });

  it('waits for one that starts beside us, as long as it is told to', async () => {
    await using server = await startRedisServer();
    await server.kill();
    const told: string[] = [];
    const log = { ...silentLog, warn: (_facts: object, message: string) => told.push(message) };

    const connecting = connect({ url: new Secret(server.url), waitMs: 20_000 }, log);
    while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await server.restart();

    expect(await (await connecting).ping()).toBe('PONG');
    expect(told.filter((message) => message === 'redis does not answer yet')).toHaveLength(1);
  }, 30_000);

  it('does not wait for one that hangs', async () => {
    await using server = await startRedisServer();
    server.pause();
    const startedAt = performance.now();

    await expect(
      connect({ url: new Secret(server.url), commandTimeoutMs: 200, connectTimeoutMs: 200 }, silentLog),
    ).rejects.toMatchObject({ kind: 'transient', code: 'queue.unreachable' });

    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it.each(['', 'localhost:6379', 'http://localhost', 'redis://', 'redis://:hunter2@'])(
    'refuses the address %j without repeating it',
    async (address) => {
      const error = await thrownBy(connect({ url: new Secret(address) }, silentLog));

      expect(error).toMatchObject({ kind: 'config', code: 'config.invalid' });
      expect(String(error)).not.toContain('hunter2');
    },
  );
});
