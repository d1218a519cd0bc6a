import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, TransientError, silentLog, systemClock } from '@drydock/core';
import { deliverySecrets } from '@drydock/forge';
import { MemoryTaskQueue, type TaskQueue } from '@drydock/queue';
import { Registry } from 'prom-client';
import { projectAllowList } from './allow-list.ts';
import { createServerMetrics } from './metrics.ts';
import { startServer, type RunningServer } from './start-server.ts';

const signingKey = Buffer.alloc(32, 5);
const maxBodyBytes = 64 * 1024;
const head = 'a'.repeat(40);

function hook(attributes: object = {}, project = 'shop/orders'): string {
  return JSON.stringify({
    object_kind: 'merge_request',
    project: { id: 42, path_with_namespace: project },
    object_attributes: { iid: 7, action: 'open', last_commit: { id: head }, ...attributes },
  });
}

const token = { 'content-type': 'application/json', 'x-gitlab-token': 'plain-token' };

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

  async function start(withQueue: TaskQueue, maxBytesInFlight = 1024 * 1024) {
    const registry = new Registry();
    const secrets = deliverySecrets(
      [`whsec_${signingKey.toString('base64')}`, 'plain-token'].map((text) => new Secret(text)),
    );
    return await startServer(
      {
        queue: withQueue,
        registry,
        metrics: createServerMetrics(registry),
        log: silentLog,
        clock: systemClock,
        version: '1.2.3',
        store: 'redis',
      },
      {
        hooks: new Map([['gitlab', secrets]]),
        isAllowed: projectAllowList(['shop/*']),
        debounceMs: 0,
        maxDebounceMs: 0,
        maxBodyBytes,
        maxBytesInFlight,
      },
      { host: '127.0.0.1', port: 0 },
    );
  }

  beforeEach(async () => {
    queue = new MemoryTaskQueue({ clock: systemClock });
    server = await start(queue);
  });
  afterEach(async () => {
    await server.stop();
  });

  const post = (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = token,
    path = '/webhooks/gitlab',
  ) => fetch(`${server.url}${path}`, { method: 'POST', headers, body });

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
      expect(await queue.list({ limit: 10 })).toMatchObject([
        { taskId: 'review:gitlab:42:7', trigger: 'opened', headSha: head, state: 'waiting' },
      ]);
    });

    it('takes a signed delivery', async () => {
      const timestamp = String(Math.floor(Date.now() / 1000));
      const body = hook({ title: 'Größe' });
      const mac = createHmac('sha256', signingKey).update(`id-1.${timestamp}.${body}`).digest('base64');
      const headers = {
        'content-type': 'application/json',
        'webhook-id': 'id-1',
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${mac}`,
      };

      expect(await outcomeOf(await post(body, headers))).toEqual([200, 'queued', '']);
      expect(
        (await post(body, { ...headers, 'webhook-signature': 'v1,AAAA', 'x-gitlab-token': 'plain-token' })).status,
      ).toBe(401);
    });

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
      const leased = await queue.lease({ owner: 'test', ttlMs: 1000, maxRunning: 1 });
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
      expect(await queue.list({ limit: 10 })).toEqual([]);
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
      await server.stop();
      server = await start(queue, 100);

      const response = await post(hook());

      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '10']);
    });

    it('answers 503 when the store is down, and tells no address of it', async () => {
      await server.stop();
      server = await start(new BrokenQueue({ clock: systemClock }));

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

    it('takes no other method', async () => {
      const response = await fetch(`${server.url}/webhooks/gitlab`);

      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    });
  });

  it('finishes what it has in hand when it is stopped, and takes nothing more', async () => {
    const body = hook();
    const socket = connect(server.port, '127.0.0.1');
    const answer = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('close', () => {
        resolve(text);
      });
    });
    const requestHead = [
      'POST /webhooks/gitlab HTTP/1.1',
      'host: x',
      'content-type: application/json',
      'x-gitlab-token: plain-token',
      `content-length: ${String(body.length)}`,
    ];
    socket.write(`${requestHead.join('\r\n')}\r\n\r\n${body.slice(0, 20)}`);
    await fetch(`${server.url}/healthz`); // the server has read what came before on the other connection

    const stopped = server.stop();
    socket.write(body.slice(20));

    expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
    await stopped;
    expect(await queue.list({ limit: 10 })).toHaveLength(1);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  it('cuts off a sender that is too slow with its headers', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('POST /webhooks/gitlab HTTP/1.1\r\nhost: x\r\n');
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    await new Promise((resolve) => socket.on('close', resolve));

    expect(text).toMatch(/^HTTP\/1\.1 408 /);
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
    expect(metrics).toContain('drydock_queue_depth 1');
  });

  it('says what to do when its port is taken', async () => {
    const registry = new Registry();
    const second = startServer(
      {
        queue,
        registry,
        metrics: createServerMetrics(registry),
        log: silentLog,
        clock: systemClock,
        version: '1',
        store: 'memory',
      },
      { hooks: new Map(), isAllowed: () => true, debounceMs: 0, maxDebounceMs: 0, maxBodyBytes, maxBytesInFlight: 1 },
      { host: '127.0.0.1', port: server.port },
    );

    await expect(second).rejects.toThrow(/another program uses it.*DRYDOCK_SERVER_PORT/);
  });
});
