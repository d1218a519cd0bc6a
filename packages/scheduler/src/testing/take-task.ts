/** Another scheduler, reduced to its lease, in a process of its own: takes the next task and holds it. Argument: the address of Redis. */
import { Secret, systemClock } from '@drydock/core';
import { connectRedisTaskQueue } from '@drydock/queue';

const [url = ''] = process.argv.slice(2);
const queue = await connectRedisTaskQueue({ url: new Secret(url) });
const limits = { total: 10, perForge: null, perProject: null };
for (;;) {
  const task = await queue.lease({ owner: 'other', ttlMs: 600_000, limits });
  if (task !== null) {
    process.stdout.write(`${JSON.stringify({ lease: task.lease, msg: 'taken' })}\n`);
    break;
  }
  await systemClock.sleep(10, new AbortController().signal);
}
await queue.close();
