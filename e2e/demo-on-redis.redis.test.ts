import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from '@jest/globals';
import { startRedisServer } from '@drydock/testkit';

const bin = new URL('../packages/cli/bin/drydock.js', import.meta.url).pathname;

it('plays the demo with the queue in Redis', async () => {
  await using redis = await startRedisServer();
  const child = spawn(process.execPath, [bin, 'demo', '--json'], {
    env: { PATH: process.env['PATH'] ?? '', DRYDOCK_REDIS_URL: redis.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'done', problems: [], secondPush: { resolved: 1, repeated: 0 } });
}, 120_000);
