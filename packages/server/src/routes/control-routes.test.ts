import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CancelAnswer,
  ControlStats,
  DeadLettersReplayed,
  EventList,
  ParkedList,
  PauseAnswer,
  PauseEventList,
  PauseList,
  ProjectSummaryPage,
  ResumeAnswer,
  RetryAnswer,
  TaskDetail,
  TaskPage,
  TransientError,
  systemClock,
  type Log,
} from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import { Registry } from 'prom-client';
import type { RunningServer } from '../start-server.ts';
import { ControlClient, someControlTokens, tokens } from '../testing/control-client.ts';
import { enqueue, lease, letDie } from '../testing/fill-queue.ts';
import { startTestServer } from '../testing/test-server.ts';

const taskId = 'review:gitlab:42:7';

/** Keeps every line as the JSON that would be written. */
function recordingLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (facts: object, message: string) => void lines.push(JSON.stringify({ ...facts, message }));
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  return { log, lines };
}

describe('the control API', () => {
  let queue: MemoryTaskQueue;
  let server: RunningServer;
  let registry: Registry;
  let recorded: ReturnType<typeof recordingLog>;
  let api: ControlClient;

  beforeEach(async () => {
    queue = new MemoryTaskQueue({ clock: systemClock });
    registry = new Registry();
    recorded = recordingLog();
    const settings = { controlTokens: someControlTokens };
    server = await startTestServer({ queue, registry, log: recorded.log, settings });
    api = new ControlClient(server.url);
  });
  afterEach(async () => {
    await server.stop();
  });

  describe('lists', () => {
    it('gives tasks by state, forge and project, page by page, each once', async () => {
      for (const iid of [1, 2, 3]) await enqueue(queue, { iid });
      await enqueue(queue, { iid: 4, projectId: '43', projectPath: 'shop/carts' });
      await enqueue(queue, { iid: 5, projectId: '44', projectPath: 'bank/vault', forge: 'gitlab-eu' });
      await lease(queue);

      const found = async (query: string) => {
        const ids: string[] = [];
        for (let cursor: string | null = ''; cursor !== null;) {
          const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
          const page = await api.as('vera').ask(TaskPage, 'GET', `/api/v1/tasks?limit=2${query}${from}`);
          ids.push(...page.tasks.map(({ subject }) => String(subject.iid)));
          cursor = page.cursor;
        }
        return ids.sort().join();
      };

      expect(await found('')).toBe('1,2,3,4,5');
      expect((await found('&state=leased')).length).toBe(1);
      expect((await found('&state=waiting,leased')).length).toBe(9);
      expect(await found('&forge=gitlab-eu')).toBe('5');
      expect(await found('&project=shop/*')).toBe('1,2,3,4');
      expect(await found('&project=gitlab:43')).toBe('4');
      expect(await found('&project=gitlab:99')).toBe('');
      expect(await found('&project=shop/*&iid=2')).toBe('2');
      expect(await found('&project=shop/carts&iid=2')).toBe('');
    });

    it('gives projects with their counts, and the queue in numbers', async () => {
      await enqueue(queue, { iid: 1 });
      await enqueue(queue, { iid: 2 });
      await lease(queue);
      await api.ask(PauseAnswer, 'PUT', '/api/v1/pauses', {
        scope: { kind: 'forge', forge: 'gitlab' },
        why: 'upgrade',
      });

      const { projects } = await api.ask(ProjectSummaryPage, 'GET', '/api/v1/projects');
      const stats = await api.ask(ControlStats, 'GET', '/api/v1/stats');

      expect(projects).toMatchObject([
        {
          forge: 'gitlab',
          projectId: '42',
          projectPath: 'shop/orders',
          waiting: 1,
          running: 1,
          isPaused: true,
          weight: 1,
        },
      ]);
      expect(stats).toMatchObject({ waiting: 1, running: 1, dead: 0, pauses: 1, version: '1.2.3', store: 'redis' });
    });
  });

  describe('a task', () => {
    it('is told with its attempts, its last error, its events and why it waits', async () => {
      await enqueue(queue);
      await letDie(queue, 'model.refused');
      await api.ask(RetryAnswer, 'POST', `/api/v1/tasks/${taskId}/retry`);
      await api.ask(PauseAnswer, 'PUT', '/api/v1/pauses', { scope: { kind: 'all' }, why: 'fire drill' });

      const detail = await api.as('vera').ask(TaskDetail, 'GET', `/api/v1/tasks/${taskId}`);
      const { events } = await api.as('vera').ask(EventList, 'GET', `/api/v1/tasks/${taskId}/events`);

      expect(detail.task).toMatchObject({ taskId, state: 'waiting', attempt: 1, projectPath: 'shop/orders' });
      expect(detail.waiting).toEqual({ kind: 'paused', why: 'ada paused everything: fire drill' });
      expect(detail.attempts).toMatchObject([{ attempt: 1, ending: 'dead' }]);
      expect(detail.events).toEqual(events);
      expect(events.map(({ who, what }) => `${who} ${what}`)).toEqual([
        'server queued',
        'scheduler-1 leased',
        'scheduler-1 launched',
        'scheduler-1 dead',
        'ada retried',
      ]);
    });

    it('is 404 when it is not known, with its name', async () => {
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/events'],
        ['GET', '/logs'],
        ['POST', '/retry'],
        ['POST', '/cancel'],
      ] as const) {
        const refusal = await api.refusal(method, `/api/v1/tasks/${taskId}${path}`);
        expect(refusal.slice(0, 2)).toEqual([404, 'request.not_found']);
        expect(refusal[2]).toContain(taskId);
      }
      expect(await api.refusal('GET', '/api/v1/tasks/review:gitlab:42')).toEqual([
        404,
        'request.not_found',
        'a task is named like review:gitlab:42:7',
      ]);
    });

    it('is cancelled when it waits, told to stop when it runs, and left alone when it has ended', async () => {
      await enqueue(queue);
      expect(await api.ask(CancelAnswer, 'POST', `/api/v1/tasks/${taskId}/cancel`)).toEqual({
        v: 1,
        kind: 'cancelled',
      });
      expect((await queue.get(taskId))?.state).toBe('cancelled');
      expect((await api.ask(CancelAnswer, 'POST', `/api/v1/tasks/${taskId}/cancel`)).kind).toBe('ended');

      expect((await api.ask(RetryAnswer, 'POST', `/api/v1/tasks/${taskId}/retry`)).kind).toBe('queued');
      const held = await lease(queue);
      expect((await api.ask(CancelAnswer, 'POST', `/api/v1/tasks/${taskId}/cancel`)).kind).toBe('cancelling');
      expect(await queue.extend(held, 60_000)).toEqual({ kind: 'held', interrupt: 'cancelled' });
    });
  });

  describe('dead letters', () => {
    beforeEach(async () => {
      for (let iid = 1; iid <= 7; iid += 1) {
        const isShop = iid <= 5;
        await enqueue(queue, isShop ? { iid } : { iid, projectId: '50', projectPath: 'bank/vault' });
        await letDie(queue, iid % 2 === 0 ? 'model.refused' : 'run.crashed');
      }
    });

    const replay = (body: object) => api.ask(DeadLettersReplayed, 'POST', '/api/v1/dead-letters/retry', body);

    async function replayAll(body: object): Promise<{ readonly retried: string[]; readonly steps: number }> {
      const retried: string[] = [];
      let steps = 0;
      for (let cursor: string | null = null; steps === 0 || cursor !== null; steps += 1) {
        const answer = await replay({ ...body, cursor });
        retried.push(...answer.retried);
        cursor = answer.cursor;
      }
      return { retried, steps };
    }

    it('are told, and stay, in a dry run', async () => {
      const { retried } = await replayAll({ filter: { project: 'shop/*' }, limit: 2, isDryRun: true });

      expect([...retried].sort()).toEqual([1, 2, 3, 4, 5].map((iid) => `review:gitlab:42:${String(iid)}`));
      expect(await queue.stats()).toMatchObject({ dead: 7, waiting: 0 });
    });

    it('run again by filter, step by step, each once', async () => {
      const first = await replay({ filter: { code: 'run.crashed', project: 'shop/*' }, limit: 1 });
      expect(first.retried).toHaveLength(1);
      expect(await queue.stats()).toMatchObject({ dead: 6, waiting: 1 });

      const { retried } = await replayAll({ filter: { code: 'run.crashed', project: 'shop/*' }, limit: 1 });

      expect([...first.retried, ...retried].sort()).toEqual([1, 3, 5].map((iid) => `review:gitlab:42:${String(iid)}`));
      expect(await queue.stats()).toMatchObject({ dead: 4, waiting: 3 });
    });

    it('run again all, and the history says by whom', async () => {
      const { retried } = await replayAll({ filter: {}, limit: 3 });

      expect(new Set(retried).size).toBe(7);
      expect(await queue.stats()).toMatchObject({ dead: 0, waiting: 7 });
      expect((await queue.events('review:gitlab:50:6')).at(-1)).toMatchObject({ who: 'ada', what: 'retried' });
      expect(recorded.lines.filter((line) => line.includes('"event":"retryDeadLetters"'))[0]).toContain('"count":3');
    });

    it('are chosen by when they ended', async () => {
      const endedAtMs = (await queue.get('review:gitlab:42:1'))?.endedAtMs ?? 0;

      const before = await replay({ filter: { endedBeforeMs: endedAtMs }, isDryRun: true });
      const from = await replay({ filter: { endedFromMs: endedAtMs }, isDryRun: true });

      expect([before.retried.length, from.retried.length]).toEqual([0, 7]);
    });
  });

  describe('pauses', () => {
    it('hold back what they name, are listed with who and why, and end', async () => {
      await enqueue(queue);
      const scope = { kind: 'project', forge: 'gitlab', projectId: '42' };
      const request = { scope, why: 'its pipeline is broken' };

      expect((await api.ask(PauseAnswer, 'PUT', '/api/v1/pauses', request)).kind).toBe('paused');
      expect((await api.ask(PauseAnswer, 'PUT', '/api/v1/pauses', request)).kind).toBe('already');
      const { pauses } = await api.as('vera').ask(PauseList, 'GET', '/api/v1/pauses');
      expect(pauses).toMatchObject([{ scope, by: 'ada', why: 'its pipeline is broken' }]);
      await expect(lease(queue)).rejects.toThrow('nothing to lease');

      const path = '/api/v1/pauses?kind=project&forge=gitlab&projectId=42';
      expect((await api.ask(ResumeAnswer, 'DELETE', path)).kind).toBe('resumed');
      expect((await api.ask(ResumeAnswer, 'DELETE', path)).kind).toBe('absent');
      expect((await lease(queue)).taskId).toBe(taskId);
    });
  });

  describe('the audit', () => {
    it('are told of afterwards: who began and who ended each', async () => {
      const scope = { kind: 'forge', forge: 'gitlab' } as const;
      await api.send('PUT', '/api/v1/pauses', { scope, why: 'upgrade' });
      await api.send('DELETE', '/api/v1/pauses?kind=forge&forge=gitlab');

      const { events } = await api.as('vera').ask(PauseEventList, 'GET', '/api/v1/pauses/events');

      expect(events).toMatchObject([
        { what: 'paused', who: 'ada', scope, why: 'upgrade' },
        { what: 'resumed', who: 'ada', scope },
      ]);
      expect((await api.as('vera').ask(ParkedList, 'GET', '/api/v1/parked')).parked).toEqual([]);
    });

    it('has a line for every order with the name of its token, done or not', async () => {
      await enqueue(queue);
      await api.send('POST', `/api/v1/tasks/${taskId}/cancel`);
      await api.send('PUT', '/api/v1/pauses', { scope: { kind: 'forge', forge: 'gitlab' }, why: 'upgrade' });
      await api.send('DELETE', '/api/v1/pauses?kind=forge&forge=gitlab');
      await api.as('vera').send('POST', `/api/v1/tasks/${taskId}/retry`);
      await api.send('PUT', '/api/v1/pauses', '{');

      const lines = recorded.lines.map((line): unknown => JSON.parse(line));
      expect(lines).toMatchObject([
        { who: 'ada', event: 'cancelTask', taskId, outcome: 'cancelled', message: 'order carried out' },
        { who: 'ada', event: 'pause', kind: 'forge', forge: 'gitlab', reason: 'upgrade', outcome: 'paused' },
        { who: 'ada', event: 'resume', kind: 'forge', forge: 'gitlab', outcome: 'resumed' },
        { who: 'vera', event: 'retryTask', taskId, code: 'control.forbidden', message: 'order not carried out' },
        { who: 'ada', event: 'pause', code: 'request.malformed' },
      ]);
    });

    it('has no token in logs, answers or metrics', async () => {
      const answers: unknown[] = [];
      for (const client of [api, api.as('vera'), new ControlClient(server.url, 'unknown-token-canary')]) {
        for (const [method, path] of [
          ['GET', '/api/v1/tasks'],
          ['GET', `/api/v1/tasks?token=${tokens.ada}`],
          ['POST', `/api/v1/tasks/${tokens.ada}/retry`],
          ['PUT', '/api/v1/pauses'],
          ['GET', '/api/v1/openapi.json'],
        ] as const) {
          answers.push((await client.send(method, path, method === 'PUT' ? `{"why":"${tokens.ada}"` : undefined)).json);
        }
      }

      const seen = [...recorded.lines, JSON.stringify(answers), await registry.metrics()].join('\n');
      expect(seen).not.toContain('canary');
      expect(seen).toContain('drydock_control_requests_total{operation="listTasks",code="200"} 2');
    });
  });

  it('hides what the store says of itself', async () => {
    queue.list = () => Promise.reject(new TransientError('queue.unreachable', 'redis://:canary@host is down'));

    const answer = await api.send('GET', '/api/v1/tasks');

    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '10']);
    expect(JSON.stringify(answer.json)).toContain('queue.unreachable');
    expect(JSON.stringify(answer.json)).not.toContain('canary');
  });

  it('answers a bug with 500 and tells the reason to the log alone', async () => {
    queue.list = () => Promise.reject(new Error('canary'));

    const [status, code, message] = await api.refusal('GET', '/api/v1/tasks');

    expect([status, code]).toEqual([500, 'control.failed']);
    expect(message).not.toContain('canary');
    expect(recorded.lines.join()).toContain('request failed: a bug');
  });
});
