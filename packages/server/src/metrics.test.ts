import { expect, it } from '@jest/globals';
import { MemoryTaskQueue } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { enqueue, lease } from './testing/fill-queue.ts';
import { startTestServer } from './testing/test-server.ts';

it('reported 6: tell for how long nobody has taken what could begin, and no more once somebody has', async () => {
  const clock = new ManualClock();
  const queue = new MemoryTaskQueue({ clock });
  const server = await startTestServer({ queue });
  const oldest = async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^drydock_queue_oldest_seconds (\S+)$/m.exec(text)?.[1]);
  };
  try {
    await enqueue(queue);
    await clock.advance(1_800_000);
    const waiting = await oldest();
    await lease(queue);

    expect(waiting).toBe(1800);
    expect(await oldest()).toBe(0);
  } finally {
    await server.stop();
  }
});
