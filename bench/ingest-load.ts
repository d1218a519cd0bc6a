/** Sends signed deliveries over keep-alive connections, as fast as they are answered, and prints what it measured. */
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { z } from 'zod';

const Load = z.object({
  port: z.int(),
  requests: z.int(),
  connections: z.int(),
  bodyBytes: z.int(),
  signingKey: z.string(),
});
type Load = z.infer<typeof Load>;

/** What bodies begin with: something new each time. */
function bodyStart(iid: number): string {
  return JSON.stringify({
    object_kind: 'merge_request',
    user: { id: 3, username: 'ada', name: 'Ada', email: 'ada@example.com' },
    project: { id: 42, path_with_namespace: 'shop/orders', web_url: 'https://gitlab.example/shop/orders' },
    object_attributes: {
      iid,
      action: 'open',
      title: 'Größe',
      last_commit: { id: 'a'.repeat(40) },
      updated_at: '2026-11-21 14:12:11 UTC',
    },
    changes: {},
  }).slice(0, -1);
}

/** What brings bodies to about the wished size, the same in all, and in memory once. */
function bodyRest(bodyBytes: number): Buffer {
  const labels = Array.from({ length: Math.floor(bodyBytes / 300) }, (_, id) => ({
    id,
    title: 'x'.repeat(200),
    color: '#dc143c',
    type: 'ProjectLabel',
  }));
  return Buffer.from(`,"labels":${JSON.stringify(labels)}}`);
}

/** A request up to the rest of its body. */
function requestOf(load: Load, iid: number, rest: Buffer): Buffer {
  const start = Buffer.from(bodyStart(iid));
  const id = `delivery-${String(process.pid)}-${String(iid)}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', Buffer.from(load.signingKey, 'base64'))
    .update(`${id}.${timestamp}.`)
    .update(start)
    .update(rest)
    .digest('base64');
  const head = [
    'POST /webhooks/gitlab HTTP/1.1',
    'host: localhost',
    'content-type: application/json',
    `content-length: ${String(start.length + rest.length)}`,
    `idempotency-key: ${id}`,
    `webhook-id: ${id}`,
    `webhook-timestamp: ${timestamp}`,
    `webhook-signature: v1,${mac}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), start]);
}

async function run(load: Load): Promise<{ perSecond: number; p50: number; p99: number; failed: number }> {
  // Made before the clock starts: what is measured is the server.
  const rest = bodyRest(load.bodyBytes);
  const requests = Array.from({ length: load.requests }, (_, index) => requestOf(load, index + 1, rest));
  const latencies: number[] = [];
  let failed = 0;
  const startedAtMs = performance.now();
  const clients = Array.from({ length: load.connections }, () => {
    const socket = connect(load.port, '127.0.0.1').setNoDelay(true);
    return new Promise<void>((resolve, reject) => {
      let sentAtMs = 0;
      let received = '';
      const next = () => {
        const request = requests.pop();
        if (request === undefined) {
          socket.destroy();
          resolve();
          return;
        }
        sentAtMs = performance.now();
        socket.cork();
        socket.write(request);
        socket.write(rest);
        socket.uncork();
      };
      socket.on('connect', next).on('error', reject);
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (!received.includes('\r\n\r\n')) return;
        if (!received.startsWith('HTTP/1.1 200 ')) failed += 1;
        received = '';
        latencies.push(performance.now() - sentAtMs);
        next();
      });
    });
  });
  await Promise.all(clients);
  const seconds = (performance.now() - startedAtMs) / 1000;
  latencies.sort((left, right) => left - right);
  const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { perSecond: load.requests / seconds, p50: percentile(0.5), p99: percentile(0.99), failed };
}

const load = Load.parse(JSON.parse(process.argv[2] ?? '{}'));
process.stdout.write(`${JSON.stringify(await run(load))}\n`);
