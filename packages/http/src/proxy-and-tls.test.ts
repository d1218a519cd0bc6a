import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as forwardRequest, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createHttpClient, type HttpClient, type HttpClientSettings } from './http-client.ts';
import { trustedCaPem } from './trusted-ca.ts';

const never = new AbortController().signal;
const closers: (() => Promise<unknown>)[] = [];
let folder = '';
let cert = '';
let key = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'drydock-tls-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:gitlab.test'];
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  execFileSync('openssl', ['req', '-x509', ...newKey, '-out', certFile, '-days', '1', ...subject], { stdio: 'ignore' });
  cert = readFileSync(certFile, 'utf8');
  key = readFileSync(keyFile, 'utf8');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function aClient(settings: Partial<HttpClientSettings>): HttpClient {
  const none = { httpProxy: null, httpsProxy: null, noProxy: null };
  const client = createHttpClient({ upstream: 'forge', proxy: none, caPem: null, ...settings });
  closers.push(() => client.close());
  return client;
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const hello = (_: IncomingMessage, response: { end(text: string): void }) => {
  response.end('hello');
};
const get = (url: string) => ({ method: 'GET' as const, url, headers: { authorization: 'canary' }, signal: never });
const failure = (promise: Promise<unknown>) => promise.then(() => null).catch((error: unknown) => error);

/** Tunnels CONNECT and forwards absolute-form requests, always to `port`; keeps what it was told. */
async function startProxy(port: number, status = 200) {
  const seen: { what: string; auth: string | undefined; headers: IncomingMessage['headers'] }[] = [];
  const note = (request: IncomingMessage) =>
    seen.push({
      what: `${request.method ?? ''} ${request.url ?? ''}`,
      auth: request.headers['proxy-authorization'],
      headers: request.headers,
    });
  const proxy = createServer((request, response) => {
    note(request);
    const { pathname } = new URL(request.url ?? '');
    forwardRequest({ host: '127.0.0.1', port, path: pathname, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    }).end();
  });
  proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
    note(request);
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
  });
  return { host: `127.0.0.1:${await listen(proxy)}`, seen };
}

describe('TLS', () => {
  it('trusts a private authority only when it is handed in', async () => {
    const port = await listen(createTlsServer({ cert, key }, hello));

    const trusting = await aClient({ caPem: cert }).request(get(`https://127.0.0.1:${port}`));
    const refusing = await failure(aClient({}).request(get(`https://127.0.0.1:${port}`)));

    expect(trusting.body.toString()).toBe('hello');
    expect(refusing).toMatchObject({ kind: 'blocked', code: 'forge.tls' });
    expect(String(refusing)).toContain('Set DRYDOCK_CA_FILE');
  });

  it('refuses a certificate for another name, and a server that speaks no TLS', async () => {
    const tlsPort = await listen(createTlsServer({ cert, key }, hello));
    const plainPort = await listen(createServer(hello));
    const client = aClient({ caPem: cert });

    const otherName = await failure(client.request(get(`https://localhost:${tlsPort}`)));
    const plain = await failure(client.request(get(`https://127.0.0.1:${plainPort}`)));

    expect(String(otherName)).toContain('for another host name');
    expect(otherName).toMatchObject({ kind: 'blocked', code: 'forge.tls' });
    expect(plain).toMatchObject({ kind: 'blocked', code: 'forge.tls' });
  });

  it.each(['', 'no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])(
    'says at start that a CA file holds no certificate: %j',
    (caPem) => {
      expect(() => aClient({ caPem })).toThrow('DRYDOCK_CA_FILE');
    },
  );

  it('gives other programs the whole set of authorities as PEM', () => {
    const blocks = trustedCaPem(cert).match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];

    expect(blocks.length).toBeGreaterThan(50);
    expect(new X509Certificate(blocks.at(-1) ?? '').fingerprint256).toBe(new X509Certificate(cert).fingerprint256);
  });
});

describe('proxies', () => {
  it('tunnels https through HTTPS_PROXY with its credential, which the target does not see', async () => {
    const targetHeaders: IncomingMessage['headers'][] = [];
    const port = await listen(
      createTlsServer({ cert, key }, (request, response) => {
        targetHeaders.push(request.headers);
        response.end('hello');
      }),
    );
    const proxy = await startProxy(port);
    const httpsProxy = `http://user:p%40ss@${proxy.host}`;
    const client = aClient({ caPem: cert, proxy: { httpProxy: null, httpsProxy, noProxy: null } });

    const answer = await client.request(get('https://gitlab.test/x'));

    expect(answer.body.toString()).toBe('hello');
    expect(proxy.seen).toMatchObject([{ what: 'CONNECT gitlab.test:443' }]);
    expect(proxy.seen[0]?.auth).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
    expect(proxy.seen[0]?.headers.authorization).toBeUndefined();
    expect(targetHeaders[0]?.['proxy-authorization']).toBeUndefined();
    expect(targetHeaders[0]?.authorization).toBe('canary');
  });

  it('forwards http through HTTP_PROXY, also when it is written without a scheme', async () => {
    const port = await listen(createServer(hello));
    const proxy = await startProxy(port);
    const client = aClient({ proxy: { httpProxy: proxy.host, httpsProxy: null, noProxy: null } });

    const answer = await client.request(get('http://gitlab.test/x'));

    expect(answer.body.toString()).toBe('hello');
    expect(proxy.seen.map((entry) => entry.what)).toEqual(['GET http://gitlab.test/x']);
  });

  it('goes around the proxy for hosts of NO_PROXY', async () => {
    const port = await listen(createServer(hello));
    const proxy = await startProxy(port);
    const client = aClient({ proxy: { httpProxy: proxy.host, httpsProxy: null, noProxy: 'x.test, 127.0.0.1' } });

    const answer = await client.request(get(`http://127.0.0.1:${port}/`));

    expect(answer.body.toString()).toBe('hello');
    expect(proxy.seen).toEqual([]);
  });

  it.each([
    [407, 'blocked', 'user name and password'],
    [403, 'transient', 'the proxy answered 403'],
  ])('says what a proxy that answers %i wants, without its password', async (status, kind, message) => {
    const proxy = await startProxy(1, status);
    const httpsProxy = `http://user:canary-pass@${proxy.host}`;
    const client = aClient({ proxy: { httpProxy: null, httpsProxy, noProxy: null } });

    const error = await failure(client.request(get('https://gitlab.test/')));

    expect(error).toMatchObject({ kind, code: 'forge.unreachable' });
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain('canary-pass');
  });

  it('says at start that a proxy address cannot be read, without repeating it', () => {
    const start = () => aClient({ proxy: { httpProxy: null, httpsProxy: 'http://user:secret@:99999', noProxy: null } });

    expect(start).toThrow('HTTPS_PROXY is not an address');
    expect(start).not.toThrow('secret');
  });
});
