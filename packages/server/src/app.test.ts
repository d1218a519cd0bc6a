import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlockedError, TransientError, silentLog, systemClock, type Log } from '@drydock/core';
import { MemoryTaskQueue, type TaskQueue } from '@drydock/queue';
import type { RunningServer } from './start-server.ts';
import {
  aHook as hook,
  head,
  signedHeaders,
  startTestServer,
  tokenHeaders as token,
  type TestServerOptions,
} from './testing/test-server.ts';

const maxBodyBytes = 64 * 1024;

/** A queue whose store is down. */
class BrokenQueue extends MemoryTaskQueue {
  override enqueue(): Promise<never> {
    return Promise.reject(new TransientError('queue.unreachable', 'redis://:canary@host is down'));
  }
  override ping(): Promise<never> {
    return Promise.reject(new TransientError('queue.unreachable', 'redis://:canary@host is down'));
  }
  override stats(): Promise<never> {
    return Promise.reject(new TransientError('queue.unreachable', 'redis://:canary@host is down'));
  }
}

describe('server', () => {
  let queue: TaskQueue;
  let server: RunningServer;

  /** Replaces the server by one that differs. */
  async function restart(options: TestServerOptions): Promise<void> {
    await server.stop();
    server = await startTestServer({ queue, ...options });
  }

  beforeEach(async () => {
    queue = new MemoryTaskQueue({ clock: systemClock });
    server = await startTestServer({ queue });
  });
  afterEach(async () => {
    await server.stop();
  });

  const post = (body: string, headers: Record<string, string> = token, path = '/webhooks/gitlab') =>
    fetch(`${server.url}${path}`, { method: 'POST', headers, body });

  const outcomeOf = async (response: Response) => [
    response.status,
    response.headers.get('x-drydock-outcome'),
    await response.text(),
  ];

  describe('POST /webhooks/:forge', () => {
    it('queues a merge request, once, and answers with an empty body', async () => {
      const headers = { ...token, 'idempotency-key': 'delivery-1' };

      expect(await outcomeOf(await post(hook(), headers))).toEqual([200, 'queued', '']);
      expect(await outcomeOf(await post(hook({ title: 'resent with other bytes' }), headers))).toEqual([
        200,
        'duplicate',
        '',
      ]);
      expect(await outcomeOf(await post(hook(), { ...token, 'idempotency-key': 'delivery-2' }))).toEqual([
        200,
        'duplicate',
        '',
      ]);
      expect((await queue.list({ limit: 10 })).tasks).toMatchObject([
        { taskId: 'review:gitlab:42:7', trigger: 'opened', headSha: head, state: 'waiting' },
      ]);
    });

    it('takes a signed delivery', async () => {
      const body = hook({ title: 'Größe' });
      const headers = signedHeaders(body, 'id-1');

      expect(await outcomeOf(await post(body, headers))).toEqual([200, 'queued', '']);
      expect(
        (await post(body, { ...headers, 'webhook-signature': 'v1,AAAA', 'x-gitlab-token': 'plain-token' })).status,
      ).toBe(401);
    });

    it.each(['webhook-signature', 'webhook-id', 'webhook-timestamp', 'x-gitlab-token'])(
      'refuses a delivery whose %s comes twice',
      async (name) => {
        const body = hook();
        const proof = name === 'x-gitlab-token' ? token : signedHeaders(body, 'id-1');
        const headers = new Headers(proof);
        headers.append(name, headers.get(name) ?? '');

        const response = await fetch(`${server.url}/webhooks/gitlab`, { method: 'POST', headers, body });

        expect(response.status).toBe(401);
      },
    );

    it('queues a command with who gave it, and ignores other comments', async () => {
      const note = (text: string, id: number) =>
        JSON.stringify({
          object_kind: 'note',
          user: { id: 3 },
          project: { id: 42, path_with_namespace: 'shop/orders' },
          object_attributes: { id, note: text, noteable_type: 'MergeRequest', action: 'create' },
          merge_request: { iid: 7, last_commit: { id: head } },
        });

      expect(await outcomeOf(await post(note('nice work', 10)))).toEqual([200, 'ignored-no-command', '']);
      expect(await outcomeOf(await post(note('again please\n/drydock review', 11)))).toEqual([200, 'queued', '']);
      const leased = await queue.lease({
        owner: 'test',
        ttlMs: 1000,
        limits: { total: 1, perForge: null, perProject: null },
      });
      expect(leased?.command).toEqual({ verb: 'review', noteId: '11', userId: '3' });
    });

    it.each<[string, string, Record<string, string>, string, number, string]>([
      ['an unknown event', '{"object_kind":"pipeline"}', token, '/webhooks/gitlab', 200, 'ignored-unknown-event'],
      ['a shape of the future', '{"object_kind":"merge_request"}', token, '/webhooks/gitlab', 200, 'unreadable'],
      [
        'a project that is not on the list',
        hook({}, 'other/project'),
        token,
        '/webhooks/gitlab',
        200,
        'project-not-allowed',
      ],
      ['no proof', hook(), { 'content-type': 'application/json' }, '/webhooks/gitlab', 401, 'unsigned'],
      ['a wrong token', hook(), { ...token, 'x-gitlab-token': 'plain-tokem' }, '/webhooks/gitlab', 401, 'bad-token'],
      ['no JSON', '{"object_kind"', token, '/webhooks/gitlab', 400, 'bad-json'],
      ['no body', '', token, '/webhooks/gitlab', 400, 'bad-json'],
      ['65 levels', `${'['.repeat(65)}${']'.repeat(65)}`, token, '/webhooks/gitlab', 400, 'too-deep'],
      [
        'a form',
        hook(),
        { ...token, 'content-type': 'application/x-www-form-urlencoded' },
        '/webhooks/gitlab',
        415,
        'wrong-type',
      ],
      ['a compressed body', hook(), { ...token, 'content-encoding': 'gzip' }, '/webhooks/gitlab', 415, 'encoded'],
      ['too much', `"${'x'.repeat(maxBodyBytes)}"`, token, '/webhooks/gitlab', 413, 'too-large'],
      ['an unknown forge', hook(), token, '/webhooks/github', 404, 'unknown-forge'],
      ['a forge by a name of the language', hook(), token, '/webhooks/__proto__', 404, 'unknown-forge'],
    ])('answers %s', async (_name, body, headers, path, status, outcome) => {
      expect(await outcomeOf(await post(body, headers, path))).toEqual([status, outcome, '']);
      expect((await queue.list({ limit: 10 })).tasks).toEqual([]);
    });

    it('stops reading a body without a length at the cap', async () => {
      const endless = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new Uint8Array(16 * 1024).fill(0x20));
        },
      });

      const answered = fetch(`${server.url}/webhooks/gitlab`, {
        method: 'POST',
        headers: token,
        body: endless,
        duplex: 'half',
      });

      expect((await answered).status).toBe(413);
    });

    it('answers 503 when there is too much in hand', async () => {
      await restart({ settings: { maxBytesInFlight: 100 } });

      const response = await post(hook());

      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '10']);
    });

    it('answers 503 when the store is down, and tells no address of it', async () => {
      await restart({ queue: new BrokenQueue({ clock: systemClock }) });

      const response = await post(hook());

      expect(await outcomeOf(response)).toEqual([503, 'not-stored', '']);
      for (const path of ['/readyz', '/health']) {
        const page = await fetch(`${server.url}${path}`);
        expect(page.status).toBe(503);
        expect(await page.text()).not.toContain('canary');
      }
      expect((await fetch(`${server.url}/metrics`)).status).toBe(200);
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    });

    it.each([
      ['a store that holds something else', new BlockedError('queue.wrong_type', 'a key of ours')],
      ['a bug', new TypeError('undefined is not a function')],
    ])('answers 503 to %s: nobody is told that it was kept', async (_name, error) => {
      queue.enqueue = () => Promise.reject(error);

      expect(await outcomeOf(await post(hook()))).toEqual([503, 'not-stored', '']);
    });

    it('stays up when the store fails between two questions', async () => {
      queue.stats = () => Promise.reject(new TransientError('queue.unreachable', 'gone since the ping'));

      const page = await fetch(`${server.url}/health`);

      expect([page.status, await page.json()]).toEqual([
        503,
        { status: 'degraded', redis: 'queue.unreachable', version: '1.2.3' },
      ]);
    });

    it('counts every refusal, and writes of few', async () => {
      const lines: (number | undefined)[] = [];
      const log: Log = { ...silentLog, warn: (facts) => lines.push(facts.count) };
      await restart({ log });

      for (let attempt = 0; attempt < 20; attempt += 1) await post(hook(), { 'content-type': 'application/json' });

      expect(lines).toEqual([1]);
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      expect(metrics).toContain('drydock_webhook_events_total{outcome="unsigned"} 20');
    });

    it('takes no other method', async () => {
      const response = await fetch(`${server.url}/webhooks/gitlab`);

      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    });
  });

  it('says who it is and how it is', async () => {
    await post(hook());

    const json = async (path: string): Promise<unknown> => (await fetch(`${server.url}${path}`)).json();

    expect(await json('/')).toEqual({
      name: 'drydock',
      version: '1.2.3',
      webhooks: '/webhooks/:forge',
      health: '/health',
      metrics: '/metrics',
    });
    expect(await json('/version')).toEqual({ name: 'drydock', version: '1.2.3' });
    expect(await json('/health')).toEqual({
      status: 'ok',
      redis: 'ok',
      waiting: 1,
      running: 0,
      processedToday: 0,
      dead: 0,
      version: '1.2.3',
    });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect((await fetch(`${server.url}/no-such-page`)).status).toBe(404);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('drydock_webhook_requests_total{forge="gitlab",code="200"} 1');
    expect(metrics).toContain('drydock_queue_depth{class="review"} 1');
  });
});
