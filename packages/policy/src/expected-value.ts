/** What may stand at a place of a file, read from the JSON schema of its zod schema, and said in words for people. */
import { z } from 'zod';
import type { YamlPath } from './yaml-document.ts';

/** The parts of a JSON schema that our schemas come to. */
export const ExpectedValue = z.object({
  type: z.enum(['string', 'number', 'integer', 'boolean', 'array', 'object', 'null']).optional(),
  const: z.union([z.string(), z.number(), z.boolean()]).optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maxLength: z.number().optional(),
  maxItems: z.number().optional(),
  propertyNames: z.object({ enum: z.array(z.string()).optional() }).optional(),
  get items(): z.ZodOptional<typeof ExpectedValue> {
    return ExpectedValue.optional();
  },
  get anyOf(): z.ZodOptional<z.ZodArray<typeof ExpectedValue>> {
    return z.array(ExpectedValue).optional();
  },
  get properties(): z.ZodOptional<z.ZodRecord<z.ZodString, typeof ExpectedValue>> {
    return z.record(z.string(), ExpectedValue).optional();
  },
  get additionalProperties(): z.ZodOptional<z.ZodUnion<readonly [z.ZodBoolean, typeof ExpectedValue]>> {
    return z.union([z.boolean(), ExpectedValue]).optional();
  },
});
export type ExpectedValue = z.infer<typeof ExpectedValue>;

/** What a schema takes as a whole. */
export function expectedBy(schema: z.ZodType): ExpectedValue {
  return ExpectedValue.parse(z.toJSONSchema(schema, { io: 'input' }));
}

/** What is expected at a path; null where nothing may stand. */
export function expectedAt(whole: ExpectedValue, path: YamlPath): ExpectedValue | null {
  const [step, ...rest] = path;
  if (step === undefined) return whole;
  const other = typeof whole.additionalProperties === 'object' ? whole.additionalProperties : undefined;
  const { properties = {} } = whole;
  const named = Object.hasOwn(properties, step) ? properties[String(step)] : other;
  const inner = typeof step === 'number' ? whole.items : named;
  return inner === undefined ? null : expectedAt(inner, rest);
}

/** The keys that may stand in a group; none where it takes none, or any. */
export function keysOf(expected: ExpectedValue | null): readonly string[] {
  return expected?.propertyNames?.enum ?? Object.keys(expected?.properties ?? {});
}

/** Such as "a number between 0 and 1" or "one of low, medium, high, critical". */
export function describeExpected(expected: ExpectedValue): string {
  if (expected.anyOf !== undefined) return expected.anyOf.map(describeExpected).join(', or ');
  if (expected.const !== undefined) return String(expected.const);
  if (expected.enum !== undefined) return `one of ${expected.enum.join(', ')}`;
  switch (expected.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `a whole number${range(expected)}`;
    case 'number':
      return `a number${range(expected)}`;
    case 'string':
      return expected.maxLength === undefined ? 'a text' : `a text of at most ${String(expected.maxLength)} characters`;
    case 'array':
      return 'a list of texts';
    case 'object':
      return `a group of keys (${keysOf(expected).join(', ')})`;
    case 'null':
      return 'null';
    case undefined:
      return 'something else';
  }
}

function range({ minimum, maximum = Infinity, exclusiveMinimum }: ExpectedValue): string {
  const isBounded = maximum < Number.MAX_SAFE_INTEGER;
  if (exclusiveMinimum !== undefined) {
    return ` greater than ${String(exclusiveMinimum)}${isBounded ? `, at most ${String(maximum)}` : ''}`;
  }
  if (minimum === undefined) return isBounded ? ` of at most ${String(maximum)}` : '';
  return isBounded ? ` between ${String(minimum)} and ${String(maximum)}` : `, ${String(minimum)} or more`;
}
