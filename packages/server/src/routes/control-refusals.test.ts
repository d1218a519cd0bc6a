/** What the control API does not do, and for whom. */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WireError, systemClock } from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import { operations } from '../control/operations.ts';
import type { RunningServer } from '../start-server.ts';
import { ControlClient, someControlTokens } from '../testing/control-client.ts';
import { enqueue } from '../testing/fill-queue.ts';
import { rawConnection, startTestServer } from '../testing/test-server.ts';

const taskId = 'review:gitlab:42:7';
const all = Object.values(operations);
const pathOf = (path: string) => path.replace(':taskId', taskId);

describe('the control API refuses', () => {
  let queue: MemoryTaskQueue;
  let server: RunningServer;
  let api: ControlClient;

  beforeAll(async () => {
    queue = new MemoryTaskQueue({ clock: systemClock });
    await enqueue(queue);
    server = await startTestServer({ queue, settings: { controlTokens: someControlTokens } });
    api = new ControlClient(server.url);
  });
  afterAll(async () => {
    await server.stop();
  });

  it.each(all.map(({ id, method, path }) => [id, method.toUpperCase(), pathOf(path)]))(
    '%s to who is not known',
    async (_id, method, path) => {
      const answer = await new ControlClient(server.url, 'some-unknown-token').send(method, path);

      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="drydock"');
      expect(WireError.parse(answer.json).error).toMatchObject({ class: 'blocked', code: 'control.unauthorized' });
    },
  );

  it('even to tell which paths there are, to who is not known', async () => {
    const stranger = new ControlClient(server.url, 'some-unknown-token');

    expect((await stranger.send('GET', '/api/v1/nothing')).status).toBe(401);
    expect((await stranger.send('PATCH', '/api/v1/tasks')).status).toBe(401);
    expect((await fetch(`${server.url}/api/v1/openapi.json`)).status).toBe(401);
  });

  it.each(
    all.filter(({ role }) => role === 'admin').map(({ id, method, path }) => [id, method.toUpperCase(), pathOf(path)]),
  )('%s to a viewer, whose name it tells', async (_id, method, path) => {
    const [status, code, message] = await api.as('vera').refusal(method, path);

    expect([status, code]).toEqual([403, 'control.forbidden']);
    expect(message).toContain('the token of vera may only look');
    expect((await queue.get(taskId))?.state).toBe('waiting');
  });

  it('no viewer what is only looked at', async () => {
    for (const { role, path, method } of all) {
      if (role !== 'viewer' || path.endsWith('/logs')) continue;
      expect([path, (await api.as('vera').send(method, pathOf(path))).status]).toEqual([path, 200]);
    }
  });

  it.each([
    ['/api/v1/tasks?stat=dead', 'the query parameter "stat" is not known here'],
    ['/api/v1/tasks?__proto__=1', 'the query parameter "__proto__" is not known here'],
    ['/api/v1/tasks?constructor=1', 'the query parameter "constructor" is not known here'],
    ['/api/v1/tasks?%00=1', 'the query parameter "\\u0000" is not known here'],
    ['/api/v1/tasks?state=dead&state=done', 'the query parameter "state" is given twice'],
    ['/api/v1/tasks?state=', 'the query parameter "state.0": Invalid option'],
    ['/api/v1/tasks?state=dead,gone', 'the query parameter "state.1": Invalid option'],
    ['/api/v1/tasks?limit=0', 'the query parameter "limit"'],
    ['/api/v1/tasks?limit=501', 'the query parameter "limit"'],
    ['/api/v1/tasks?limit=1e2', 'the query parameter "limit": a whole number'],
    ['/api/v1/tasks?limit=', 'the query parameter "limit": a whole number'],
    ['/api/v1/tasks?forge=../x', 'the query parameter "forge"'],
    ['/api/v1/tasks?cursor=%0a', 'the query parameter "cursor": a cursor as the page before gave it'],
    ['/api/v1/tasks?cursor=abc', '"cursor" is not as the page before gave it'],
    ['/api/v1/tasks?cursor=gitlab:42', '"cursor" is not as the page before gave it'],
    ['/api/v1/tasks?cursor=x~review:gitlab:42:7', '"cursor" is not as the page before gave it'],
    ['/api/v1/projects?cursor=abc', '"cursor" is not as the page before gave it'],
    ['/api/v1/tasks?forge=github&project=gitlab:42', 'the project gitlab:42 is not of the forge "github"'],
    [`/api/v1/tasks?project=${'x'.repeat(301)}`, 'the query parameter "project"'],
    [`/api/v1/tasks?project=${'x'.repeat(3000)}`, 'the query is too long'],
    [`/api/v1/tasks/${taskId}?x=1`, 'the query parameter "x" is not known here'],
    [`/api/v1/tasks/${taskId}/logs?after=-1`, 'the query parameter "after": a whole number'],
    ['/api/v1/stats?limit=1', 'the query parameter "limit" is not known here'],
  ])('a query that is not of its form: %s', async (path, message) => {
    const refusal = await api.refusal('GET', path);

    expect(refusal.slice(0, 2)).toEqual([400, 'request.malformed']);
    expect(refusal[2]).toContain(message);
  });

  it.each([
    ['kind=forge', '"forge"'],
    ['kind=all&forge=gitlab', 'the query parameter "forge" is not known here'],
    ['kind=project&forge=gitlab&projectId=x', '"projectId"'],
    ['', '"kind"'],
  ])('to resume what is not named whole: %s', async (query, message) => {
    const refusal = await api.refusal('DELETE', `/api/v1/pauses?${query}`);

    expect(refusal.slice(0, 2)).toEqual([400, 'request.malformed']);
    expect(refusal[2]).toContain(message);
  });

  it.each([
    ['{"scope":{"kind":"all"},"why":"x","for":"1h"}', 'the field "for" is not known here'],
    ['{"scope":{"kind":"all","forge":"gitlab"},"why":"x"}', 'the field "forge" is not known here'],
    ['{"scope":{"kind":"all"}}', 'the field "why"'],
    ['{"scope":{"kind":"all"},"why":""}', 'the field "why"'],
    [`{"scope":{"kind":"all"},"why":"${'x'.repeat(201)}"}`, 'the field "why"'],
    ['{"v":2,"scope":{"kind":"all"},"why":"x"}', 'the field "v"'],
    ['{"__proto__":{"scope":1},"scope":{"kind":"all"},"why":"x"}', 'the field "__proto__" is not known here'],
    ['[]', 'expected object'],
    ['null', 'expected object'],
    ['', 'the body is no JSON'],
    ['{', 'the body is no JSON'],
    [`${'['.repeat(500)}${']'.repeat(500)}`, 'the body nests too deep'],
  ])('a body that is not of its form: %s', async (body, message) => {
    const refusal = await api.refusal('PUT', '/api/v1/pauses', body);

    expect(refusal.slice(0, 2)).toEqual([400, 'request.malformed']);
    expect(refusal[2]).toContain(message);
    expect(await queue.pauses()).toEqual([]);
  });

  it('a body that is too large, told or not, and another type', async () => {
    const large = JSON.stringify({ scope: { kind: 'all' }, why: 'x'.repeat(20_000) });
    expect((await api.refusal('PUT', '/api/v1/pauses', large)).slice(0, 2)).toEqual([413, 'request.too_large']);

    const raw = rawConnection(server.port);
    raw.write(
      `PUT /api/v1/pauses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer admin-token-canary-ada\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    raw.write(`5000\r\n${'x'.repeat(0x5000)}\r\n`);
    expect(await raw.received).toContain('HTTP/1.1 413 ');

    for (const headers of [
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    ]) {
      const { status } = await fetch(`${server.url}/api/v1/pauses`, {
        method: 'PUT',
        headers: { ...headers, authorization: 'Bearer admin-token-canary-ada' },
        body: '{}',
      });
      expect(status).toBe(400);
    }
  });

  it('other methods, and says which there are', async () => {
    const answers = await Promise.all([
      api.send('PATCH', '/api/v1/pauses'),
      api.send('DELETE', '/api/v1/tasks'),
      api.send('GET', `/api/v1/tasks/${taskId}/retry`),
      api.send('POST', '/api/v1/openapi.json'),
    ]);

    expect(answers.map(({ status, headers }) => [status, headers.get('allow')])).toEqual([
      [405, 'GET, HEAD, PUT, DELETE'],
      [405, 'GET, HEAD'],
      [405, 'POST'],
      [405, 'GET, HEAD'],
    ]);
  });

  it.each(['/api/v1', '/api/v1/', '/api/v1/tasks/', '/api/v1/TASKS', '/api/v1/nothing', `/api/v1/tasks/${taskId}/x`])(
    'what it does not know: %s',
    async (path) => {
      expect((await api.refusal('GET', path)).slice(0, 2)).toEqual([404, 'request.not_found']);
    },
  );

  it.each(['%2e%2e', 'review:gitlab:42:7%00', `review:gitlab:42:${'7'.repeat(200)}`, '%E0%A4%A', 'a%2fb'])(
    'a task that has no such name: %s',
    async (name) => {
      const { status } = await api.send('GET', `/api/v1/tasks/${name}`);

      expect([400, 404]).toContain(status);
    },
  );

  it('everything while no token is configured: the paths are as unknown as others', async () => {
    await using stack = new AsyncDisposableStack();
    const off = await startTestServer({ queue });
    stack.defer(() => off.stop());
    const found = await fetch(`${off.url}/api/v1/tasks`, { headers: { authorization: 'Bearer ' } });

    expect([found.status, await found.text()]).toEqual([404, '']);
  });

  it('no webhook its way: a connection may be used for both', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const send = (method: string, path: string, headers: Record<string, string>, body = '') =>
      new Promise<number>((resolve, reject) => {
        const call = request({ host: '127.0.0.1', port: server.port, method, path, headers, agent }, (response) => {
          response.resume().on('end', () => {
            resolve(response.statusCode ?? 0);
          });
        });
        call.on('error', reject).end(body);
      });
    const hook = { 'content-type': 'application/json', 'x-gitlab-token': 'plain-token' };

    expect(await send('GET', '/api/v1/stats', { authorization: 'Bearer admin-token-canary-ada' })).toBe(200);
    expect(await send('POST', '/webhooks/gitlab', hook, '{}')).toBe(200);
    expect(await send('GET', '/api/v1/stats', {})).toBe(401);
    expect(await send('POST', '/webhooks/gitlab', hook, '{}')).toBe(200);
    agent.destroy();
  });
});
