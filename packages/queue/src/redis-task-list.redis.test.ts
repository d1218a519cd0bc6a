import { describe, expect, it } from '@jest/globals';
import { Secret, silentLog } from '@drydock/core';
import { startRedisServer, whyNoRedisServer } from '@drydock/testkit';
import { aTaskRequest, atOnce } from './contract/queue-under-test.ts';
import { connectRedisTaskQueue } from './redis-task-queue.ts';

const missing = whyNoRedisServer();
if (missing !== null) process.stderr.write(`skipped: ${missing}\n`);

(missing === null ? describe : describe.skip)('lists of a real Redis', () => {
  it('reads so much for one page and no more, and leads on', async () => {
    await using server = await startRedisServer();
    const queue = await connectRedisTaskQueue({ url: new Secret(server.url), log: silentLog });
    const count = 4500;
    const enqueue = async (iid: number) => {
      await queue.enqueue(aTaskRequest({ iid }), atOnce);
    };
    for (let iid = 1; iid <= count; iid += 100) {
      await Promise.all(Array.from({ length: Math.min(100, count - iid + 1) }, (_, at) => enqueue(iid + at)));
    }

    const pages: number[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Awaited<ReturnType<typeof queue.list>> = await queue.list({
        projectPath: 'another/*',
        limit: 500,
        cursor,
      });
      pages.push(page.tasks.length);
      ({ cursor } = page);
    }
    const one = await queue.list({ projectPath: 'group/*', iid: 7, limit: 500 });
    await queue.close();

    expect(pages).toEqual([0, 0, 0]);
    expect(one.tasks.map(({ subject }) => subject.iid)).toEqual([7]);
    expect(one.cursor).toBeNull();
  });
});
