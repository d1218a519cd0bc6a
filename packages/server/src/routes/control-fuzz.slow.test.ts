/** Requests made of the OpenAPI document, right ones and spoilt ones: what is answered is what the document says. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { noUsage, systemClock, type ProgressEntry } from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { z } from 'zod';
import { openApiDocument } from '../control/open-api.ts';
import type { RunningServer } from '../start-server.ts';
import { ControlClient, someControlTokens, tokens } from '../testing/control-client.ts';
import { enqueue, lease, letDie } from '../testing/fill-queue.ts';
import { fromSchema } from '../testing/from-schema.ts';
import { head, startTestServer } from '../testing/test-server.ts';

const JsonObject = z.record(z.string(), z.unknown());
const Content = z.object({ 'application/json': z.object({ schema: JsonObject }) });
const Described = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        parameters: z
          .array(
            z.object({ name: z.string(), in: z.enum(['query', 'path']), required: z.boolean(), schema: JsonObject }),
          )
          .default([]),
        requestBody: z.object({ content: Content }).optional(),
        responses: z.record(z.string(), z.looseObject({ content: Content.optional() })),
      }),
    ),
  ),
  components: z.object({ schemas: z.record(z.string(), JsonObject) }),
});

const document = Described.parse(openApiDocument('1.2.3'));
const { schemas } = document.components;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
);
type Described = (typeof operations)[number];

interface FuzzedRequest {
  readonly operation: Described;
  readonly path: string;
  readonly body: string | undefined;
  readonly isViewer: boolean;
}

const oddText = fc.oneof(
  fc.string({ maxLength: 30, unit: 'binary' }),
  fc.constantFrom(
    '',
    '-1',
    '1e3',
    'NaN',
    '%00',
    '../..',
    '__proto__',
    '9'.repeat(30),
    'a,b',
    '\u202e',
    'x'.repeat(600),
  ),
);
const knownTask = fc.constantFrom(
  'review:gitlab:42:1',
  'review:gitlab:42:2',
  'review:gitlab:42:3',
  'review:gitlab:50:9',
);

/** Mostly what the schema says, now and then anything. */
const rarely = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 6, arbitrary: usual }, { weight: 1, arbitrary: odd });

function aRequest(operation: Described): fc.Arbitrary<FuzzedRequest> {
  const values = operation.parameters.map(({ name, in: place, required, schema }) => {
    const usual = fromSchema(schema, schemas).map((value) => (Array.isArray(value) ? value.join(',') : String(value)));
    const value = place === 'path' ? fc.oneof({ weight: 5, arbitrary: knownTask }, usual) : usual;
    const wanted = rarely(value, oddText).map((text) => ({ name, place, text }));
    return place === 'path' ? wanted : fc.option(wanted, { freq: required ? 9 : 2, nil: null });
  });
  const extra = fc.option(fc.record({ name: oddText, place: fc.constant('query' as const), text: oddText }), {
    freq: 1,
    nil: null,
  });
  const schema = operation.requestBody?.content['application/json'].schema;
  const body =
    schema === undefined
      ? fc.constant(undefined)
      : fc.oneof(
          { weight: 5, arbitrary: fromSchema(schema, schemas).map((value) => JSON.stringify(value)) },
          { weight: 2, arbitrary: spoilt(fromSchema(schema, schemas)) },
          { weight: 1, arbitrary: fc.oneof(fc.json(), oddText) },
        );
  return fc
    .record({
      parts: fc.tuple(...values, rarely(fc.constant(null), extra)),
      body,
      isViewer: fc.nat(5).map((n) => n === 0),
    })
    .map(({ parts, body: sent, isViewer }) => {
      let { path } = operation;
      const query = new URLSearchParams();
      for (const part of parts) {
        if (part === null) continue;
        if (part.place === 'path') path = path.replace(`{${part.name}}`, encodeURIComponent(part.text.toWellFormed()));
        else query.append(part.name, part.text);
      }
      return { operation, path: query.size === 0 ? path : `${path}?${query.toString()}`, body: sent, isViewer };
    });
}

/** One value somewhere in it is another. */
function spoilt(right: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc.tuple(right, fc.integer({ min: 2, max: 10 }), fc.jsonValue({ maxDepth: 2 })).map(([value, at, odd]) => {
    let left = at;
    return JSON.stringify({ value }, (_key, inner: unknown) => (left-- === 1 ? odd : inner)).slice(
      '{"value":'.length,
      -1,
    );
  });
}

describe('requests made of the OpenAPI document', () => {
  let queue: MemoryTaskQueue;
  let server: RunningServer;
  const validators = new Map<string, ValidateFunction>();
  const entry: ProgressEntry = {
    seq: 1,
    atMs: 1,
    event: { kind: 'turn', turn: 1 },
    usage: { calls: 1, reusedCalls: 0, tokens: noUsage, costUsd: null },
  };

  beforeAll(async () => {
    queue = new MemoryTaskQueue({ clock: systemClock });
    for (const iid of [1, 2, 3]) await enqueue(queue, { iid });
    await letDie(queue);
    await queue.beginLaunch(await lease(queue), head);
    await enqueue(queue, { projectId: '50', projectPath: 'bank/vault', iid: 9 });
    server = await startTestServer({
      queue,
      runLogs: { progressAfter: async () => [entry] },
      settings: { controlTokens: someControlTokens },
    });
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    for (const { operationId, responses } of operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        if (content === undefined) continue;
        const { schema } = content['application/json'];
        validators.set(`${operationId} ${status}`, ajv.compile({ ...schema, components: { schemas } }));
      }
    }
  });
  afterAll(async () => {
    await server.stop();
  });

  it.each(operations.map((operation) => [operation.operationId, operation] as const))(
    'are answered as it says, never with 5xx: %s',
    async (operationId, operation) => {
      const seen = new Map<number, number>();
      await fc.assert(
        fc.asyncProperty(aRequest(operation), async ({ path, body, isViewer }) => {
          const api = new ControlClient(server.url, isViewer ? tokens.vera : tokens.ada);
          const { status, json } = await api.send(operation.method, path, body);
          seen.set(status, (seen.get(status) ?? 0) + 1);

          expect(status).toBeLessThan(500);
          const isNoPath = status === 404 || status === 405 || (status === 400 && json === null); // a name of `/` or of broken UTF-8
          const validate = validators.get(`${operationId} ${String(status)}`) ?? validators.get('listEvents 404');
          if (!validators.has(`${operationId} ${String(status)}`))
            expect([operationId, status, isNoPath]).toEqual([operationId, status, true]);
          if (json !== null) expect([validate?.(json), validate?.errors]).toEqual([true, null]);
        }),
        { numRuns: 100 },
      );
      expect([operationId, seen.has(200)]).toEqual([operationId, true]); // the requests are not all refused
    },
    60_000,
  );
});
