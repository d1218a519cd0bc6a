import { unreachable } from '@drydock/core';
import type { z } from 'zod';

/** A schema's complaint in the API's wording, for example `messages.0.role: Field required`. */
export function describeIssue(issue: z.core.$ZodIssue, body: unknown): string {
  const found = deepest(issue);
  const path = found.path.map(String);
  const place = path.length === 0 ? '' : `${pathName(path)}: `;
  switch (found.issue.code) {
    case 'unrecognized_keys':
      return `${pathName([...path, found.issue.keys[0] ?? ''])}: Extra inputs are not permitted`;
    case 'invalid_format':
      return `${place}String should match pattern '${found.issue.pattern?.replace(/^\/|\/$/g, '') ?? found.issue.format}'`;
    case 'invalid_type':
      return valueAt(body, path) === undefined
        ? `${place}Field required`
        : `${place}Input should be a valid ${found.issue.expected}`;
    case 'invalid_union': {
      const tag = valueAt(body, path);
      return `${place}Input tag '${String(tag)}' found using 'type' does not match any of the expected tags`;
    }
    case 'too_small':
      return found.issue.origin === 'array'
        ? `${place}List should have at least ${String(found.issue.minimum)} item after validation`
        : `${place}Input should be greater than or equal to ${String(found.issue.minimum)}`;
    case 'too_big':
      return `${place}Input should be less than or equal to ${String(found.issue.maximum)}`;
    case 'invalid_value':
      return valueAt(body, path) === undefined
        ? `${place}Field required`
        : `${place}Input should be ${found.issue.values.map((value) => `'${String(value)}'`).join(' or ')}`;
    case 'custom':
    case 'invalid_element':
    case 'invalid_key':
    case 'not_multiple_of':
      return `${place}${found.issue.message}`;
    default:
      return unreachable(found.issue);
  }
}

interface Found {
  readonly issue: z.core.$ZodIssue;
  readonly path: readonly PropertyKey[];
}

/** The complaint inside a union that got furthest: the variant the client meant. */
function deepest(issue: z.core.$ZodIssue): Found {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return { issue, path: issue.path };
  const inner = issue.errors.flatMap((issues) => issues.slice(0, 1)).map(deepest);
  const best = inner.reduce((left, right) => (right.path.length > left.path.length ? right : left));
  return { issue: best.issue, path: [...issue.path, ...best.path] };
}

/** Tools are named with their kind, as the API does: `tools.0.custom.name`. */
function pathName(path: readonly string[]): string {
  const isTool = path[0] === 'tools' && path.length > 2;
  return (isTool ? [...path.slice(0, 2), 'custom', ...path.slice(2)] : path).join('.');
}

function valueAt(body: unknown, path: readonly string[]): unknown {
  let value: unknown = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}
