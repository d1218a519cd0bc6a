import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { silentLog, systemClock } from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { createServerMetrics } from '../metrics.ts';
import { controlRoutes } from '../routes/control-routes.ts';
import { someControlTokens } from '../testing/control-client.ts';
import { openApiDocument } from './open-api.ts';

const Described = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ operationId: z.string(), description: z.string().optional() })),
  ),
});
const Layers = z.array(
  z.object({ route: z.object({ path: z.string(), methods: z.record(z.string(), z.boolean()) }).optional() }),
);

describe('the OpenAPI document', () => {
  const document = openApiDocument('1.2.3');

  it('is OpenAPI 3.1 by its official schema', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));

    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  it('has every reference that it uses', () => {
    const text = JSON.stringify(document);
    const { components } = z
      .object({ components: z.record(z.string(), z.record(z.string(), z.unknown())) })
      .parse(document);

    for (const [, kind = '', name = ''] of text.matchAll(/"#\/components\/(\w+)\/(\w+)"/g)) {
      expect([name, Object.hasOwn(components[kind] ?? {}, name)]).toEqual([name, true]);
    }
    expect(text).not.toContain('#/$defs');
  });

  it('describes every route of the app, and no other', () => {
    const registry = new Registry();
    const router = controlRoutes(
      {
        queue: new MemoryTaskQueue({ clock: systemClock }),
        clock: systemClock,
        log: silentLog,
        metrics: createServerMetrics(registry),
        version: '1.2.3',
        store: 'memory',
        isStopping: () => false,
      },
      { controlTokens: someControlTokens },
    );
    const routes = Layers.parse(router.stack).flatMap(({ route }) =>
      route === undefined
        ? []
        : Object.keys(route.methods)
            .filter((method) => method !== '_all') // what answers 405
            .map((method) => `${method} /api/v1${route.path.replace(/:(\w+)/g, '{$1}')}`),
    );
    const described = Object.entries(Described.parse(document).paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );

    expect(routes.sort()).toEqual(described.sort());
    expect(routes).toHaveLength(15);
  });

  it('is the one in the docs', async () => {
    const kept: unknown = JSON.parse(
      await readFile(new URL('../../../../docs/reference/openapi.json', import.meta.url), 'utf8'),
    );
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')));

    expect(kept).toEqual(openApiDocument(version));
  });
});
