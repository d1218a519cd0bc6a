import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { structuralSchema } from './structural-schema.ts';

describe('structuralSchema', () => {
  it('says what zod says in the words of a CRD', () => {
    const schema = z.strictObject({
      v: z.literal(1).default(1),
      share: z.number().positive().max(2),
      level: z.enum(['low', 'high']).nullable().default(null),
      caps: z.partialRecord(z.enum(['a', 'b']), z.string()),
      labels: z.record(z.string(), z.string().min(1)),
      amount: z
        .union([z.int().min(0).max(9), z.string().regex(/^x$/)])
        .meta({ 'x-kubernetes-int-or-string': true })
        .optional(),
    });

    expect(structuralSchema(schema)).toEqual({
      type: 'object',
      properties: {
        v: { type: 'number', enum: [1], default: 1 },
        share: { type: 'number', minimum: 0, exclusiveMinimum: true, maximum: 2 },
        level: { type: 'string', pattern: '^(low|high)$', nullable: true },
        caps: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } },
        labels: { type: 'object', additionalProperties: { type: 'string', minLength: 1 } },
        amount: { 'x-kubernetes-int-or-string': true, minimum: 0, maximum: 9, pattern: '^x$' },
      },
      required: ['share', 'caps', 'labels'],
    });
  });

  it('fills the default of a group with those of its keys', () => {
    const inner = z.strictObject({ a: z.int().min(1).max(2).default(1), b: z.string().optional() }).prefault({});

    expect(structuralSchema(z.strictObject({ inner }).prefault({}))).toMatchObject({
      default: { inner: { a: 1 } },
      properties: { inner: { default: { a: 1 } } },
    });
  });

  it.each([
    ['a choice', z.union([z.string(), z.boolean()])],
    ['keys by a pattern', z.record(z.string().regex(/^a/), z.string())],
    ['a step', z.number().multipleOf(5)],
    ['a tuple', z.tuple([z.string()])],
  ])('refuses %s, which would be lost', (_, schema) => {
    expect(() => structuralSchema(z.object({ key: schema }))).toThrow(/a CRD/);
  });
});
