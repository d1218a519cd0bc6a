/**
 * Bits of schema that mean the same to zod and to a Kubernetes API server: what zod checks by a function stands beside it
 * in the words of OpenAPI or CEL, as metadata from which the CRD is generated.
 */
import { z } from 'zod';

/** A check that a schema in OpenAPI cannot say. */
export interface ApiRule<Value> {
  /** In CEL, of `self`. */
  readonly rule: string;
  readonly message: string;
  /** The key that it is about, where `self` is a group. */
  readonly path?: readonly string[];
  /** The same in TypeScript. */
  readonly holds: (value: Value) => boolean;
}

/** The schema with rules that both sides check. */
export function withRules<Schema extends z.ZodType>(
  schema: Schema,
  rules: readonly ApiRule<z.output<Schema>>[],
): Schema {
  const checked = rules.reduce<Schema>(
    (ruled, { holds, message, path = [] }) => ruled.refine(holds, { error: message, path: [...path] }),
    schema,
  );
  const validations = rules.map(({ rule, message, path = [] }) => ({
    rule,
    message,
    ...(path.length === 0 ? {} : { fieldPath: path.map((key) => `.${key}`).join('') }),
  }));
  return checked.meta({ 'x-kubernetes-validations': validations });
}

/** A text whose length is counted as the API server does: in code points, not in units of UTF-16. */
export function apiText(minLength: number, maxLength: number): z.ZodString {
  return z
    .string()
    .refine((text) => codePoints(text) >= minLength && codePoints(text) <= maxLength, {
      error: `a text of ${String(minLength)} to ${String(maxLength)} characters`,
    })
    .meta({ minLength, maxLength });
}

/** A list in which nothing stands twice. */
export function apiSet<Element extends z.ZodType<string>>(element: Element, maxItems: number): z.ZodArray<Element> {
  return z
    .array(element)
    .max(maxItems)
    .refine((entries) => new Set(entries).size === entries.length, { error: 'nothing may stand twice in it' })
    .meta({ 'x-kubernetes-list-type': 'set' });
}

function codePoints(text: string): number {
  return Array.from(text).length;
}
