import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { aRunRecord } from './runs/run-builders.ts';
import { createRunToken, hashRunToken } from './runs/run-token.ts';
import { TestGateway } from './test-gateway.ts';

describe('what is no route of the gateway', () => {
  let gateway: TestGateway;
  const token = createRunToken(randomBytes);

  beforeAll(async () => {
    gateway = await TestGateway.start({ gitlab: { url: 'http://127.0.0.1:1', token: 'none' } });
    const deadlineAtMs = Date.now() + 3_600_000;
    await gateway.store.start({ ...aRunRecord(), deadlineAtMs }, hashRunToken(token));
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it('is told apart from what is one', async () => {
    expect((await request('/run/v1/context')).split('\r\n', 1)[0]).toBe('HTTP/1.1 200 OK');
  });

  /** The bytes as they are, which no client library would send. */
  const raw = (lines: readonly string[]) =>
    new Promise<string>((resolve, reject) => {
      const { hostname, port } = new URL(gateway.url);
      const socket = connect(Number(port), hostname, () => socket.write(`${lines.join('\r\n')}\r\n\r\n`));
      let text = '';
      socket.setTimeout(60_000, () => socket.destroy());
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (text.includes('\r\n\r\n')) socket.end();
      });
      socket.on('error', reject);
      socket.on('close', () => {
        resolve(text);
      });
    });
  const request = (target: string, method = 'GET') =>
    raw([`${method} ${target} HTTP/1.1`, 'host: gateway', `authorization: Bearer ${token}`]);

  it.each([
    '/',
    '/run/v1',
    '/run/v1/',
    '/run/v1/context/',
    '/RUN/v1/context',
    '/run/v1/%63ontext',
    '/run/v1/context%2f',
    '/run/v1/git/../context',
    '/run/v1//context',
    '/run/v1/./context',
    '/run/v1/context;x=1',
    '/run/v1/context#x',
    '/run/v1/context?x=%2e',
    '/run/v1/git/HEAD',
    '/run/v1/git/objects/info/packs',
    '/run/v1/git/git-receive-pack',
    '/run/v1/anthropic/v1/models',
    '/run/v1/anthropic/v1/messages/count_tokens',
    '/run/v1/anthropic/v1/messages/batches',
    '/run/v1/anthropic/v1/files',
    '/control/v1/merge-requests/gitlab/1%2f2/3',
    '/control/v1/../../run/v1/context',
    '//evil.example/run/v1/context',
    'http://evil.example/run/v1/context',
    'https://169.254.169.254/latest/meta-data/',
    `/${'a'.repeat(2000)}`,
    '*',
  ])('is 404 in the same words: %s', async (target) => {
    const answer = await request(target, target === '*' ? 'OPTIONS' : 'GET');

    expect(answer.split('\r\n', 1)[0]).toBe('HTTP/1.1 404 Not Found');
    expect(answer).toContain('"code":"request.not_found","message":"there is nothing here"');
  });

  it.each(['POST', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('is 404 for another method: %s', async (method) => {
    expect((await request('/run/v1/context', method)).split('\r\n', 1)[0]).toBe('HTTP/1.1 404 Not Found');
  });

  it('tunnels nothing', async () => {
    expect(await request('evil.example:443', 'CONNECT')).not.toContain(' 200 ');
  });

  it('takes no smuggled lengths and no flood of headers', async () => {
    const smuggled = await raw([
      'POST /run/v1/progress HTTP/1.1',
      'host: gateway',
      'content-length: 5',
      'transfer-encoding: chunked',
    ]);
    const flood = await raw(['GET /healthz HTTP/1.1', 'host: gateway', `x: ${'a'.repeat(20_000)}`]);

    expect(smuggled).toMatch(/^HTTP\/1\.1 400 /);
    expect(flood).toMatch(/^HTTP\/1\.1 431 /);
  });
});
