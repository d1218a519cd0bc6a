import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import { ControlClient } from './control-client.ts';
import { findTasks, type SearchEnd, type TaskSearch } from './find-tasks.ts';
import { parseSelector } from './selector.ts';
import { parseTaskName } from './task-name.ts';
import {
  aDeadLetter,
  aTask,
  adminToken,
  startFakeControlApi,
  type FakeControlApi,
} from './testing/fake-control-api.ts';

let api: FakeControlApi;
let client: ControlClient;
beforeEach(async () => {
  api = await startFakeControlApi();
  client = await ControlClient.create(
    {
      serverUrl: api.url,
      token: new Secret(adminToken),
      timeoutMs: 20_000,
      caPem: null,
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
    },
    new AbortController().signal,
  );
});
afterEach(async () => {
  await client.close();
  await api[Symbol.asyncDispose]();
});

async function find(search: Partial<TaskSearch>): Promise<{ iids: number[]; end: SearchEnd; pages: number[] }> {
  const found = findTasks(client, { names: null, selector: [], states: null, limit: null, ...search });
  const iids: number[] = [];
  const pages: number[] = [];
  for (;;) {
    const step = await found.next();
    if (step.done === true) return { iids, end: step.value, pages };
    pages.push(step.value.tasks.length);
    iids.push(...step.value.tasks.map(({ subject }) => subject.iid));
  }
}

const named = (...texts: string[]) => texts.map(parseTaskName);

describe('findTasks', () => {
  it('reads 10,000 tasks page by page, each of them once', async () => {
    api.tasks = Array.from({ length: 10_000 }, (_, index) => aTask(index + 1));

    const { iids, end, pages } = await find({});

    expect(iids).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
    expect(end).toEqual({ missing: [], isCut: false });
    expect(pages).toEqual(Array.from({ length: 20 }, () => 500));
    expect(api.seen).toHaveLength(20);
  });

  it('gives a task that moves between two pages once', async () => {
    api.tasks = Array.from({ length: 1100 }, (_, index) => aTask(index + 1));
    let count = 0;
    api.misbehave = () => {
      count += 1;
      // Something new pushes all others on by one.
      if (count > 1) api.tasks = [aTask(10_000 + count), ...api.tasks];
      return false;
    };

    const { iids } = await find({});

    expect(new Set(iids).size).toBe(iids.length);
    expect(iids).toEqual(expect.arrayContaining(Array.from({ length: 1100 }, (_, index) => index + 1)));
  });

  it('stops at a limit, and asks for little more', async () => {
    api.tasks = Array.from({ length: 2000 }, (_, index) => aTask(index + 1));

    const some = await find({ limit: 3 });
    const exact = await find({ limit: 2000 });

    expect(some).toMatchObject({ iids: [1, 2, 3], end: { isCut: true } });
    expect(api.seen[0]).toContain('limit=4');
    expect(exact.end.isCut).toBe(false);
  });

  it('finds names, globs and what a selector says, and tells which names are missing', async () => {
    api.tasks = [aTask(1), aTask(2, { state: 'running' }), aDeadLetter(3), aTask(4, { projectPath: 'other/web' })];

    expect((await find({ names: named('shop/*') })).iids).toEqual([1, 2, 3]);
    expect((await find({ names: named('shop/api!2', 'review:gitlab:42:1', 'shop/*') })).iids).toEqual([2, 1, 3]);
    expect(api.seen.filter((line) => line.includes('iid=2'))).toHaveLength(1);
    expect((await find({ selector: parseSelector('state!=waiting') })).iids).toEqual([2, 3]);
    expect((await find({ names: named('**'), selector: parseSelector('project=other/*') })).iids).toEqual([4]);
    expect((await find({ states: ['dead'], selector: parseSelector('state=running') })).iids).toEqual([]);
    expect(await find({ names: named('shop/api!9', 'review:gitlab:42:9', 'none/*'), states: ['dead'] })).toMatchObject({
      iids: [],
      end: { missing: ['shop/api!9', 'review:gitlab:42:9'] },
    });
    expect((await find({ names: named('review:gitlab:42:1'), states: ['dead'] })).end.missing).toHaveLength(1);
  });

  it('does not read the same page for ever', async () => {
    api.misbehave = (_request, response) => {
      response.end(JSON.stringify({ v: 1, nowMs: 0, tasks: [], cursor: 'again' }));
      return true;
    };

    await expect(find({})).rejects.toThrow(/same page/);
  });
});
