import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { Secret, projectAllowList, silentLog, systemClock } from '@drydock/core';
import { deliverySecrets } from '@drydock/forge';
import { MemoryTaskQueue } from '@drydock/queue';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { createServerMetrics } from '../metrics.ts';
import { startServer } from '../start-server.ts';

const signingKey = Buffer.alloc(32, 5);
const runs = 100_000;
const batch = 500;
/** The server answered early and closed, before we had sent everything. */
const cutShort = 0;

/** A delivery as it goes on the wire. */
interface Delivery {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

describe('webhooks under 100,000 mutated deliveries', () => {
  it('never crashes, never answers 5xx and pollutes nothing', async () => {
    const registry = new Registry();
    const secrets = deliverySecrets([new Secret(`whsec_${signingKey.toString('base64')}`), new Secret('plain-token')]);
    const server = await startServer(
      {
        queue: new MemoryTaskQueue({ clock: systemClock }),
        registry,
        metrics: createServerMetrics(registry),
        log: silentLog,
        clock: systemClock,
        version: '0.0.0',
        store: 'memory',
      },
      {
        hooks: new Map([['gitlab', secrets]]),
        isAllowed: projectAllowList(['*']),
        debounceMs: 0,
        maxDebounceMs: 0,
        maxBodyBytes: 1024 * 1024,
        maxBytesInFlight: 1024 * 1024 * 1024,
      },
      { host: '127.0.0.1', port: 0 },
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const seen = new Map<number, number>();

    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
    for (let done = 0; done < runs; done += batch) {
      const deliveries = fc.sample(aDelivery, { numRuns: batch, seed: seed + done });
      const statuses = await Promise.all(deliveries.map((delivery) => send(server.port, agent, delivery)));
      for (const status of statuses) seen.set(status, (seen.get(status) ?? 0) + 1);
    }

    const health = await fetch(`${server.url}/health`);
    agent.destroy();
    await server.stop();
    expect({
      seed,
      unexpected: [...seen.keys()].filter(
        (status) => ![cutShort, 200, 400, 401, 404, 405, 413, 415, 431].includes(status),
      ),
    }).toEqual({ seed, unexpected: [] });
    expect(seen.get(200)).toBeGreaterThan(runs / 10); // the mutants do reach the parser, not just the guard
    expect(seen.get(400)).toBeGreaterThan(runs / 100);
    expect(seen.get(401)).toBeGreaterThan(runs / 100);
    expect(seen.get(cutShort) ?? 0).toBeLessThan(runs / 50);
    expect(health.status).toBe(200);
    expect({}).not.toHaveProperty('polluted');
  }, 300_000);
});

const mergeRequestHook = {
  object_kind: 'merge_request',
  user: { id: 3, username: 'ada' },
  project: { id: 42, path_with_namespace: 'shop/orders', web_url: 'https://gitlab.example/shop/orders' },
  object_attributes: {
    iid: 7,
    action: 'update',
    oldrev: 'b'.repeat(40),
    title: 'Größe – 😀',
    last_commit: { id: 'a'.repeat(40) },
    updated_at: '2026-11-21 14:12:11 UTC',
  },
  labels: [{ id: 1, title: 'bug' }],
  changes: { labels: { previous: [], current: [{ id: 1 }] }, draft: { previous: true, current: false } },
};
const noteHook = {
  object_kind: 'note',
  user: { id: 3 },
  project: { id: 42, path_with_namespace: 'shop/orders' },
  object_attributes: { id: 11, note: 'please\n/drydock review', noteable_type: 'MergeRequest', action: 'create' },
  merge_request: { iid: 7, last_commit: { id: 'a'.repeat(40) } },
};

const poison = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    -1,
    0,
    2 ** 53,
    1e308,
    '',
    null,
    [],
    {},
    'x'.repeat(5000),
    Array.from({ length: 600 }, (_, id) => ({ id })),
    '\u202e\u0000\ud800',
  ),
);

/** Replaces one value somewhere in a hook. */
const mutatedHook = fc
  .tuple(fc.constantFrom(mergeRequestHook, noteHook), fc.nat(40), poison)
  .map(([hook, at, value]) => {
    let left = at;
    const text = JSON.stringify(hook, (_key, inner: unknown) => (left-- === 0 ? value : inner));
    return Buffer.from(text);
  });

/** Damages the bytes: flips, cuts, doubles, nests, adds keys that pollute. */
const damagedBytes = fc
  .tuple(
    mutatedHook,
    fc.constantFrom('flip', 'cut', 'double', 'nest', 'proto', 'utf8', 'empty', 'none'),
    fc.nat(10_000),
    fc.nat(255),
  )
  .map(([bytes, damage, at, byte]) => {
    const place = bytes.length === 0 ? 0 : at % bytes.length;
    switch (damage) {
      case 'flip':
        return Buffer.concat([bytes.subarray(0, place), Buffer.from([byte]), bytes.subarray(place + 1)]);
      case 'cut':
        return bytes.subarray(0, place);
      case 'double':
        return Buffer.concat([bytes, bytes]);
      case 'nest':
        return Buffer.concat([Buffer.from('{"a":'.repeat(at % 200)), bytes, Buffer.from('}'.repeat(at % 200))]);
      case 'proto':
        return Buffer.from(
          bytes.toString().replace('{', '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},'),
        );
      case 'utf8':
        return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
      case 'empty':
        return Buffer.alloc(0);
      case 'none':
        return bytes;
    }
  });

const oddHeader = fc.record({
  name: fc.constantFrom(
    'content-type',
    'content-encoding',
    'webhook-id',
    'webhook-timestamp',
    'webhook-signature',
    'x-gitlab-token',
    'idempotency-key',
    'x-gitlab-event',
    'expect-ct',
  ),
  value: fc.oneof(
    fc.constantFrom(
      '',
      'application/json',
      'application/json; charset=utf-16',
      'text/plain',
      'gzip',
      'identity',
      'v1,',
      'v1,AAAA',
      '0',
      'NaN',
      '99999999999999',
      'x'.repeat(9000),
      'x'.repeat(20_000),
    ),
    fc.string({ maxLength: 60 }).map((text) => text.replace(/[^\t\x20-\x7e]/g, '?')),
  ),
});

const aDelivery: fc.Arbitrary<Delivery> = fc
  .record({
    body: damagedBytes,
    proof: fc.constantFrom('signature', 'signature', 'signature', 'token', 'none', 'wrong'),
    odd: fc.array(oddHeader, { maxLength: 2 }),
    isOdd: fc.nat(3).map((n) => n === 0),
    path: fc.oneof(
      { weight: 30, arbitrary: fc.constant('/webhooks/gitlab') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '/webhooks/other',
          '/webhooks/__proto__',
          '/webhooks/%E0%A4%A',
          '/webhooks/a%2fb',
          '/webhooks/../health',
          '//webhooks/gitlab',
          '/webhooks/gitlab?x=1',
          '/',
        ),
      },
    ),
    method: fc.oneof(
      { weight: 40, arbitrary: fc.constant('POST') },
      { weight: 1, arbitrary: fc.constantFrom('GET', 'PUT', 'DELETE', 'OPTIONS') },
    ),
    id: fc.uuid(),
  })
  .map(({ body, proof, odd, isOdd, path, method, id }) => {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const key = proof === 'wrong' ? Buffer.alloc(32, 6) : signingKey;
    const signature = `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
    const proofs: Record<string, Record<string, string>> = {
      signature: { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature },
      wrong: { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature },
      token: { 'x-gitlab-token': 'plain-token', 'idempotency-key': id },
      none: {},
    };
    const headers: Record<string, string> = { 'content-type': 'application/json', ...proofs[proof] };
    if (isOdd) for (const { name, value } of odd) headers[name] = value;
    return { path, method, headers, body };
  });

function send(port: number, agent: Agent, { path, method, headers, body }: Delivery): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, path, method, headers: { ...headers, 'content-length': String(body.length) }, agent },
      (response) => {
        response.resume();
        response.on('end', () => {
          resolve(response.statusCode ?? 0);
        });
      },
    );
    // A server that refuses a request early may close while the rest is being sent; the next one shows whether it lives.
    call.on('error', (error: Error & { code?: string }) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(cutShort);
      else reject(error);
    });
    call.end(body);
  });
}
