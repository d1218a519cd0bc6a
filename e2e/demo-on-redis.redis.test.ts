import { connect } from 'node:net';
import { once } from 'node:events';
import { expect, it } from '@jest/globals';
import { startRedisServer } from '@drydock/testkit';
import { startDrydock } from './run-drydock.ts';

it('plays the demo with the queue in Redis, and leaves no key behind', async () => {
  await using redis = await startRedisServer();
  const drydock = startDrydock(['demo', '--json'], { DRYDOCK_REDIS_URL: redis.url });

  expect(await drydock.ended).toBe(0);
  expect(JSON.parse(drydock.stdout())).toMatchObject({
    state: 'done',
    problems: [],
    secondPush: { resolved: 1, repeated: 0 },
  });
  const socket = connect(redis.port, '127.0.0.1');
  socket.end('DBSIZE\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toBe(':0\r\n');
});
