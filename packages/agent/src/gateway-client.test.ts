import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { Secret, TransientError, type AgentResult } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { GatewayClient } from './gateway-client.ts';
import { aContext } from './testing/builders.ts';

const never = new AbortController().signal;
const context = aContext({ baseSha: 'a'.repeat(40), startSha: 'a'.repeat(40), headSha: 'b'.repeat(40) });
const result: AgentResult = {
  v: 1,
  result: { kind: 'failed', class: 'terminal', code: 'model.refused', message: 'Refused.', retryAfterMs: null },
};

interface Heard {
  readonly method: string;
  readonly url: string;
  readonly authorization: string;
  readonly body: string;
}

/** Answers each request with the next of these, the last one from then on. */
async function startServer(...answers: readonly ((response: ServerResponse) => void)[]) {
  const heard: Heard[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    heard.push({ method, url, authorization: headers.authorization ?? '', body: Buffer.concat(chunks).toString() });
    answers[Math.min(heard.length, answers.length) - 1]?.(response);
  };
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = new GatewayClient(
    { baseUrl: `http://127.0.0.1:${address.port}`, token: new Secret('run-token') },
    new InstantClock(),
    () => 0.5,
  );
  const stop = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { heard, client, url: `http://127.0.0.1:${address.port}`, [Symbol.asyncDispose]: stop };
}

/** Sleeps take no time. */
class InstantClock extends ManualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

const json = (status: number, body: unknown) => (response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};
const wire = (status: number, kind: string, code: string) =>
  json(status, { error: { class: kind, code, message: 'why', retryAfterMs: null } });
const reset = (response: ServerResponse) => response.destroy();

describe('GatewayClient', () => {
  it('reads the context with its token', async () => {
    await using server = await startServer(json(200, context));

    expect(await server.client.readContext(never)).toEqual(context);
    expect(server.heard).toEqual([
      { method: 'GET', url: '/run/v1/context', authorization: 'Bearer run-token', body: '' },
    ]);
  });

  it('repeats what may work later, with the same bytes', async () => {
    await using server = await startServer(
      wire(503, 'transient', 'queue.unreachable'),
      reset,
      json(502, '<html>'),
      json(200, { v: 1, stored: true }),
    );

    await server.client.submit(result, never);

    expect(server.heard.map(({ body }) => body)).toEqual(Array.from({ length: 4 }, () => JSON.stringify(result)));
  });

  it('gives up after five times', async () => {
    await using server = await startServer(reset);

    await expect(server.client.readContext(never)).rejects.toMatchObject({ code: 'gateway.unreachable' });
    expect(server.heard).toHaveLength(5);
  });

  it('never repeats a report', async () => {
    await using server = await startServer(reset);
    const report = { v: 1, events: [{ kind: 'turn', turn: 1 }] } as const;

    await expect(server.client.report({ ...report, events: [...report.events] }, never)).rejects.toBeInstanceOf(
      TransientError,
    );
    expect(server.heard).toHaveLength(1);
  });

  it.each([
    [wire(410, 'stale', 'run.revoked'), { kind: 'stale', code: 'run.revoked' }],
    [wire(424, 'blocked', 'model.billing'), { kind: 'blocked', code: 'model.billing' }],
    [wire(422, 'terminal', 'request.malformed'), { kind: 'terminal', code: 'request.malformed' }],
    [json(401, {}), { kind: 'stale', code: 'run.unknown' }],
    [json(403, {}), { kind: 'blocked', code: 'gateway.unauthorized' }],
    [json(404, {}), { kind: 'terminal', code: 'gateway.bad_answer' }],
    [json(200, { v: 2 }), { kind: 'terminal', code: 'gateway.bad_answer' }],
    [json(200, 'no json at all'), { kind: 'terminal', code: 'gateway.bad_answer' }],
  ])('takes the class that it is told, and repeats nothing else', async (answer, error) => {
    await using server = await startServer(answer);

    await expect(server.client.readContext(never)).rejects.toMatchObject(error);
    expect(server.heard).toHaveLength(1);
  });

  it('follows no redirect and sends its token nowhere else', async () => {
    await using elsewhere = await startServer(json(200, context));
    await using server = await startServer((response) => {
      response.writeHead(307, { location: `${elsewhere.url}/run/v1/context` }).end();
    });

    await expect(server.client.readContext(never)).rejects.toBeInstanceOf(TransientError);
    expect(elsewhere.heard).toEqual([]);
  });

  it('reads no answer without end', async () => {
    await using server = await startServer((response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(1 << 20))) if (response.destroyed) return;
      };
      response.on('drain', more);
      more();
    });

    await expect(server.client.readContext(never)).rejects.toMatchObject({ code: 'gateway.bad_answer' });
  });

  it('ends at once when it is told to, with the reason', async () => {
    await using server = await startServer(() => undefined);
    const stop = new AbortController();
    const asked = server.client.readContext(stop.signal);
    const reason = new TransientError('aborted', 'told to');

    stop.abort(reason);

    await expect(asked).rejects.toBe(reason);
  });
});
