/** The whole control API on a real Redis, by two servers. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CancelAnswer,
  ControlStats,
  DeadLettersReplayed,
  EventList,
  PauseAnswer,
  PauseList,
  ProjectSummaryPage,
  ResumeAnswer,
  RetryAnswer,
  Secret,
  TaskDetail,
  TaskPage,
  silentLog,
} from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import { startRedisServer, type RedisServer } from '@drydock/testkit';
import type { RunningServer } from '../start-server.ts';
import { ControlClient, someControlTokens } from '../testing/control-client.ts';
import { enqueue, lease, letDie } from '../testing/fill-queue.ts';
import { startTestServer } from '../testing/test-server.ts';

describe('the control API on Redis', () => {
  let redis: RedisServer;
  let queue: TaskQueue;
  let other: TaskQueue;
  let servers: RunningServer[];
  let api: ControlClient;
  let otherApi: ControlClient;

  beforeAll(async () => {
    redis = await startRedisServer();
    const connect = () => connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog });
    [queue, other] = await Promise.all([connect(), connect()]);
    const start = (of: TaskQueue) => startTestServer({ queue: of, settings: { controlTokens: someControlTokens } });
    servers = await Promise.all([start(queue), start(other)]);
    api = new ControlClient(servers[0]?.url ?? '');
    otherApi = new ControlClient(servers[1]?.url ?? '');
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all([queue.close(), other.close()]);
    await redis[Symbol.asyncDispose]();
  });

  it('lists, tells, pauses, resumes, cancels, retries and replays, whichever server is asked', async () => {
    for (const iid of [1, 2, 3, 4, 5]) await enqueue(queue, { iid });
    await enqueue(queue, { iid: 9, projectId: '50', projectPath: 'bank/vault' });

    // A pause holds back what it names, on both.
    const scope = { kind: 'project', forge: 'gitlab', projectId: '50' } as const;
    expect((await api.ask(PauseAnswer, 'PUT', '/api/v1/pauses', { scope, why: 'audit' })).kind).toBe('paused');
    expect((await otherApi.ask(PauseAnswer, 'PUT', '/api/v1/pauses', { scope, why: 'audit' })).kind).toBe('already');
    expect((await otherApi.ask(PauseList, 'GET', '/api/v1/pauses')).pauses).toMatchObject([{ scope, by: 'ada' }]);
    const held = await otherApi.ask(TaskDetail, 'GET', '/api/v1/tasks/review:gitlab:50:9');
    expect(held.waiting).toEqual({ kind: 'paused', why: 'ada paused its project: audit' });

    // All others die, and are replayed in steps of two.
    for (let count = 0; count < 5; count += 1) await letDie(queue, 'model.refused');
    expect(await api.ask(ControlStats, 'GET', '/api/v1/stats')).toMatchObject({
      waiting: 1,
      running: 0,
      dead: 5,
      pauses: 1,
    });
    const retried: string[] = [];
    let cursor: string | null = null;
    do {
      const step: DeadLettersReplayed = await otherApi.ask(DeadLettersReplayed, 'POST', '/api/v1/dead-letters/retry', {
        filter: { project: 'shop/*', code: 'model.refused' },
        limit: 2,
        cursor,
      });
      retried.push(...step.retried);
      cursor = step.cursor;
    } while (cursor !== null);
    expect([...retried].sort()).toEqual([1, 2, 3, 4, 5].map((iid) => `review:gitlab:42:${String(iid)}`));

    // One is cancelled while it waits, one while it runs; one runs again.
    const { taskId } = await lease(queue);
    expect((await api.ask(CancelAnswer, 'POST', `/api/v1/tasks/${taskId}/cancel`)).kind).toBe('cancelling');
    const waiting = retried.find((id) => id !== taskId) ?? '';
    expect((await otherApi.ask(CancelAnswer, 'POST', `/api/v1/tasks/${waiting}/cancel`)).kind).toBe('cancelled');
    expect((await api.ask(CancelAnswer, 'POST', `/api/v1/tasks/${waiting}/cancel`)).kind).toBe('ended');
    expect((await api.ask(RetryAnswer, 'POST', `/api/v1/tasks/${waiting}/retry`)).kind).toBe('queued');
    expect((await api.ask(RetryAnswer, 'POST', `/api/v1/tasks/${waiting}/retry`)).kind).toBe('waiting');

    // The history has all of it, with who did it.
    const { events } = await otherApi.as('vera').ask(EventList, 'GET', `/api/v1/tasks/${waiting}/events`);
    expect(events.map(({ who, what }) => `${who} ${what}`)).toEqual(
      expect.arrayContaining([
        'server queued',
        'scheduler-1 launched',
        'scheduler-1 dead',
        'ada retried',
        'ada cancelled',
      ]),
    );
    const detail = await otherApi.ask(TaskDetail, 'GET', `/api/v1/tasks/${waiting}`);
    expect(detail.attempts).toMatchObject([{ attempt: 1, ending: 'dead' }]);
    expect(detail.task.attempt).toBe(1);

    // Pages are whole.
    const ids = new Set<string>();
    for (let next: string | null = ''; next !== null;) {
      const from: string = next === '' ? '' : `&cursor=${encodeURIComponent(next)}`;
      const page: TaskPage = await otherApi.ask(TaskPage, 'GET', `/api/v1/tasks?limit=2${from}`);
      for (const task of page.tasks) ids.add(task.taskId);
      next = page.cursor;
    }
    expect(ids.size).toBe(6);
    const { projects } = await api.ask(ProjectSummaryPage, 'GET', '/api/v1/projects?limit=10');
    expect(projects).toMatchObject([
      { projectId: '42', projectPath: 'shop/orders', running: 1, waiting: 4, isPaused: false },
      { projectId: '50', projectPath: 'bank/vault', running: 0, waiting: 1, isPaused: true },
    ]);

    const path = '/api/v1/pauses?kind=project&forge=gitlab&projectId=50';
    expect((await otherApi.ask(ResumeAnswer, 'DELETE', path)).kind).toBe('resumed');
    expect((await api.ask(ResumeAnswer, 'DELETE', path)).kind).toBe('absent');
  });

  it('says that the store is away, and is there again with it', async () => {
    await using stack = new AsyncDisposableStack();
    const lost = await startRedisServer();
    stack.defer(() => lost[Symbol.asyncDispose]());
    const away = await connectRedisTaskQueue({ url: new Secret(lost.url), log: silentLog });
    stack.defer(() => away.close());
    const server = await startTestServer({ queue: away, settings: { controlTokens: someControlTokens } });
    stack.defer(() => server.stop());
    const client = new ControlClient(server.url);
    expect((await client.send('GET', '/api/v1/tasks')).status).toBe(200);

    await lost[Symbol.asyncDispose]();

    const [status, code, message] = await client.refusal('GET', '/api/v1/tasks');
    expect([status, code]).toEqual([503, 'queue.unreachable']);
    expect(message).not.toContain('redis:');
  });
});
