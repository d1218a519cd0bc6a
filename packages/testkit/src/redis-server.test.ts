import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedisServer, whyNoRedisServer, type RedisServer } from './redis-server.ts';

const missing = whyNoRedisServer();
if (missing !== null) process.stderr.write(`skipped: ${missing}\n`);

/** Sends inline commands, answers the last line of the reply. */
async function ask(server: RedisServer, command: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`${command}\r\nQUIT\r\n`);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('utf8').split('\r\n').slice(0, -2).join(' ');
}

(missing === null ? describe : describe.skip)('startRedisServer', () => {
  it('keeps what was written over a kill and a restart', async () => {
    await using server = await startRedisServer();
    await ask(server, 'SET key kept');
    const firstPid = server.pid;

    await server.kill();
    await server.restart();

    expect(await ask(server, 'GET key')).toBe('$4 kept');
    expect(server.pid).not.toBe(firstPid);
  });

  it('keeps its data where it is told to, and names the file that grows', async () => {
    const dataFolder = await mkdtemp(join(tmpdir(), 'drydock-redis-data-'));
    {
      await using server = await startRedisServer({ dataFolder, config: { appendfsync: 'always' } });
      await ask(server, 'SET key some-value');

      const file = await server.aofFile();

      expect(file.startsWith(dataFolder)).toBe(true);
      expect(await readFile(file, 'utf8')).toContain('some-value');
      await ask(server, 'SHUTDOWN NOSAVE');
      await server.exited;
    }
    await rm(dataFolder, { recursive: true });
  });

  it('asks for the password it was given and takes lines of configuration', async () => {
    await using server = await startRedisServer({ password: 'p w#1', config: { 'maxmemory-policy': 'allkeys-lru' } });

    expect(await ask(server, 'PING')).toContain('NOAUTH');
    expect(await ask(server, 'AUTH "p w#1"\r\nCONFIG GET maxmemory-policy')).toContain('allkeys-lru');
    expect(server.url).toBe(`redis://:p%20w%231@127.0.0.1:${server.port}`);
  });

  it('says why it could not start', async () => {
    await expect(startRedisServer({ config: { 'no-such-setting': '1' } })).rejects.toThrow(
      /redis-server ended[^]*no-such-setting/,
    );
  });
});
