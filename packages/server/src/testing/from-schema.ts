import { z } from 'zod';
import fc from 'fast-check';

type Json = Readonly<Record<string, unknown>>;

const Node = z.looseObject({
  $ref: z.string().optional(),
  type: z.string().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  anyOf: z.array(z.record(z.string(), z.unknown())).optional(),
  oneOf: z.array(z.record(z.string(), z.unknown())).optional(),
  pattern: z.string().optional(),
  minLength: z.int().optional(),
  maxLength: z.int().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  items: z.record(z.string(), z.unknown()).optional(),
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  required: z.array(z.string()).optional(),
});

/** Values that a JSON schema allows, as far as the API's document uses its words. */
export function fromSchema(schema: Json, named: Readonly<Record<string, Json>>): fc.Arbitrary<unknown> {
  const node = Node.parse(schema);
  const follow = (inner: Json) => fromSchema(inner, named);
  if (node.$ref !== undefined) return follow(named[node.$ref.split('/').at(-1) ?? ''] ?? {});
  if ('const' in node) return fc.constant(node.const);
  if (node.enum !== undefined) return fc.constantFrom(...node.enum);
  const variants = node.anyOf ?? node.oneOf;
  if (variants !== undefined) return fc.oneof(...variants.map(follow));
  switch (node.type) {
    case 'string':
      if (node.pattern !== undefined) return fc.stringMatching(new RegExp(node.pattern));
      return fc.string({
        minLength: node.minLength ?? 0,
        maxLength: Math.min(node.maxLength ?? 40, 400),
        unit: 'grapheme',
      });
    case 'integer':
      return fc.integer({ min: node.minimum ?? 0, max: Math.min(node.maximum ?? 2 ** 31 - 1, 2 ** 31 - 1) });
    case 'number':
      return fc.double({ noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(follow(node.items ?? {}), { minLength: 1, maxLength: 4 });
    case 'object': {
      const properties = Object.entries(node.properties ?? {}).map(([key, inner]) => [key, follow(inner)] as const);
      return fc.record(Object.fromEntries(properties), { requiredKeys: node.required ?? [] });
    }
    case undefined:
    default:
      return fc.jsonValue();
  }
}
