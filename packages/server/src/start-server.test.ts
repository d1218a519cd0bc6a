import { afterEach, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { silentLog, systemClock } from '@drydock/core';
import { MemoryTaskQueue, type TaskPage } from '@drydock/queue';
import { Registry } from 'prom-client';
import { createServerMetrics } from './metrics.ts';
import { serverTimes, startServer, type RunningServer } from './start-server.ts';
import { aHook, rawConnection, requestHead, startTestServer, type TestServerOptions } from './testing/test-server.ts';

const ok = /^HTTP\/1\.1 200 /;

describe('startServer', () => {
  let server: RunningServer | null = null;
  afterEach(async () => {
    await server?.stop();
    server = null;
  });

  async function start(options: TestServerOptions = {}): Promise<RunningServer> {
    server = await startTestServer(options);
    return server;
  }

  /** What comes back for these bytes until the server closes. */
  async function answerTo(text: string, options: TestServerOptions = {}): Promise<string> {
    const connection = rawConnection((await start(options)).port);
    connection.write(text);
    return connection.received;
  }

  const body = aHook();
  const length = String(Buffer.byteLength(body));

  describe('limits', () => {
    it('are those that the threat model names', () => {
      expect(serverTimes).toMatchObject({ headers: 5000, wholeRequest: 10_000 });
    });

    (existsSync('/proc/net/tcp') ? it : it.skip)('let no burst of connections wait for a second try', async () => {
      const { port } = await start();

      const sockets = Array.from({ length: 1000 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
      // All have asked for a connection, and nothing was accepted yet: that is for the next turn of the event loop.
      const states = await new Promise<string[]>((resolve) => {
        process.nextTick(() => resolve(statesOfConnectionsTo(port)));
      });
      for (const socket of sockets) socket.destroy();

      const established = '01';
      expect(states).toEqual(Array.from({ length: 1000 }, () => established));
    });

    it('cut off a sender that is too slow with its headers', async () => {
      const times = { headers: 50, wholeRequest: 1000, check: 20 };

      expect(await answerTo('POST /webhooks/gitlab HTTP/1.1\r\nhost: x\r\n', { times })).toMatch(/^HTTP\/1\.1 408 /);
    });

    it('cut off a sender that trickles its body, and let others through meanwhile', async () => {
      const { port, url } = await start({ times: { headers: 1500, wholeRequest: 1500, check: 20 } });
      const slow = Array.from({ length: 50 }, () => rawConnection(port));
      for (const { write } of slow) write(requestHead({ 'content-length': String(50 * 1024) }));
      const trickle = setInterval(() => {
        for (const { write } of slow) write(' ');
      }, 50);

      const other = await fetch(`${url}/webhooks/gitlab`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-gitlab-token': 'plain-token' },
        body,
      });
      const answers = await Promise.all(slow.map(({ received }) => received));
      clearInterval(trickle);

      expect(other.status).toBe(200); // though 50 × 50 KiB were announced, more than may be held
      expect(new Set(answers.map((text) => text.slice(0, 12)))).toEqual(new Set(['HTTP/1.1 408']));
    });

    it.each<[string, string, number]>([
      ['headers of 17 KiB', requestHead({ 'x-flood': 'x'.repeat(17 * 1024) }), 431],
      [
        'a hundred headers too many',
        requestHead(Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`a${String(n)}`, '1']))),
        431,
      ],
      ['a path of 17 KiB', `POST /${'x'.repeat(17 * 1024)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431],
      [
        'a length and chunks at once',
        `${requestHead({ 'content-length': length, 'transfer-encoding': 'chunked' })}0\r\n\r\n${body}`,
        400,
      ],
      ['two lengths', `${requestHead({ 'content-length': `${length}\r\ncontent-length: 5` })}${body}`, 400],
      ['a length that is no number', `${requestHead({ 'content-length': '+5' })}${body}`, 400],
      ['a chunk without a size', `${requestHead({ 'transfer-encoding': 'chunked' })}zz\r\n`, 400],
      [
        'another transfer encoding',
        `${requestHead({ 'transfer-encoding': 'gzip, chunked', connection: 'close' })}0\r\n\r\n`,
        415,
      ],
      ['a header that is folded', requestHead({ 'x-a': 'b\r\n c' }), 400],
      ['no HTTP', 'hello\r\n\r\n', 400],
      ['no host', requestHead({ host: null }), 400],
    ])('answer %s without reading on', async (_name, text, status) => {
      const answer = await answerTo(text);

      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
      expect(answer.match(/^HTTP/gm)).toHaveLength(1);
      expect(answer).not.toMatch(/express|node|Error/i);
    });

    it.each<[string, string]>([
      ['another host in the target', 'POST http://gitlab.evil/webhooks/gitlab HTTP/1.1'],
      ['a way up', 'POST /healthz/../webhooks/gitlab HTTP/1.1'],
      ['two slashes', 'POST //webhooks/gitlab HTTP/1.1'],
      ['an encoded slash', 'POST /webhooks%2fgitlab HTTP/1.1'],
    ])('find no webhook at a path with %s', async (_name, line) => {
      const queue = new MemoryTaskQueue({ clock: systemClock });
      const text = requestHead({ 'content-length': length, connection: 'close' });

      const answer = await answerTo(`${text.replace(/^.*/, line)}${body}`, { queue });

      expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
      expect((await queue.list({ limit: 1 })).tasks).toEqual([]);
    });

    it('answer what is sent in one go in its order', async () => {
      const first = requestHead({ 'content-length': length }) + body;
      const second = requestHead({ 'content-length': '1', connection: 'close' }) + '{';

      const answer = await answerTo(first + second);

      expect(answer.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
    });
  });

  describe('stop', () => {
    it('finishes what it has in hand, and takes nothing more', async () => {
      const queue = new MemoryTaskQueue({ clock: systemClock });
      const { port, url, stop } = await start({ queue });
      const connection = rawConnection(port);
      connection.write(requestHead({ 'content-length': length }) + body.slice(0, 20));
      await fetch(`${url}/healthz`); // the server has read what came before on the other connection

      const stopped = stop();
      connection.write(body.slice(20));
      const answer = await connection.received;
      await stopped;

      expect(answer).toMatch(ok);
      expect(answer).toMatch(/connection: close/i);
      expect((await queue.list({ limit: 10 })).tasks).toHaveLength(1);
      await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    });

    it('tells a load balancer at once, and senders with their next answer', async () => {
      const { port, url, stop } = await start({ times: { lastCall: 500 } });
      const connection = rawConnection(port);
      connection.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
      await fetch(`${url}/healthz`);

      const stopped = stop();
      connection.write('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n');
      const answer = await connection.received;
      await stopped;

      expect(answer).toMatch(/HTTP\/1\.1 503 [^]*connection: close[^]*stopping/i);
    });

    it('does not wait for senders that keep their connections, nor for ever for those that do not end', async () => {
      const { port, url, stop } = await start({ times: { grace: 300 } });
      const agent = new Agent({ keepAlive: true });
      await new Promise((resolve) => request(`${url}/healthz`, { agent }, (r) => r.resume().on('end', resolve)).end());
      const endless = rawConnection(port);
      endless.write(requestHead({ 'content-length': length }) + body.slice(0, 20));
      await fetch(`${url}/healthz`);

      await stop();

      expect(await endless.received).not.toMatch(ok);
      agent.destroy();
    });

    it('row 3: loses nothing that it accepted, under load', async () => {
      const queue = new MemoryTaskQueue({ clock: systemClock });
      const { url, stop } = await start({ queue, times: { lastCall: 100 } });
      const agent = new Agent({ keepAlive: true, maxSockets: 16 });
      const accepted: number[] = [];
      const answers: (number | string)[] = [];
      let isOver = false;
      const sender = async (first: number) => {
        for (let iid = first; !isOver; iid += 16) {
          const answer = await post(`${url}/webhooks/gitlab`, aHook({ iid }), agent);
          answers.push(answer);
          if (answer === 200) accepted.push(iid);
          if (typeof answer === 'string') return;
        }
      };

      const senders = Array.from({ length: 16 }, (_, n) => sender(n + 1));
      while (accepted.length < 200) await new Promise((resolve) => setImmediate(resolve));
      await stop();
      isOver = true;
      await Promise.all(senders);
      agent.destroy();

      const kept = new Set<number>();
      for (let cursor: string | undefined = ''; cursor !== undefined;) {
        const page: TaskPage = await queue.list({ limit: 1_000, cursor });
        for (const { subject } of page.tasks) kept.add(subject.iid);
        cursor = page.cursor ?? undefined;
      }
      expect(accepted.filter((iid) => !kept.has(iid))).toEqual([]);
      // Whoever came too late found the door shut, or was not let in any more.
      expect(answers.filter((answer) => ![200, 'ECONNREFUSED', 'ECONNRESET'].includes(answer))).toEqual([]);
    });
  });

  it('says what to do when its port is taken', async () => {
    const { port } = await start();
    const registry = new Registry();
    const queue = new MemoryTaskQueue({ clock: systemClock });
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
      {
        hooks: new Map(),
        isAllowed: () => true,
        debounceMs: 0,
        maxDebounceMs: 0,
        maxBodyBytes: 1,
        maxBytesInFlight: 1,
      },
      { host: '127.0.0.1', port },
    );

    await expect(second).rejects.toThrow(/another program uses it.*DRYDOCK_SERVER_PORT/);
  });
});

/** The status, or the code of what went wrong on the way. */
function post(url: string, body: string, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const call = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json', 'x-gitlab-token': 'plain-token' } },
      (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode ?? 0);
        });
      },
    );
    call.on('error', (error: Error & { code?: string }) => {
      resolve(error.code ?? error.message);
    });
    call.end(body);
  });
}

/** As Linux tells of them, in its own codes. */
function statesOfConnectionsTo(port: number): string[] {
  const asHex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, , remote = '', state = ''] = line.trim().split(/\s+/);
    return remote.endsWith(`:${asHex}`) ? [state] : [];
  });
}
