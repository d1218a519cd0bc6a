/**
 * Parameters as GitLab's API reads them: JSON, forms and query strings alike, `position[new_path]` nested, numbers and
 * booleans also as text, an empty text where a number belongs as none. Unlike GitLab, a name that the route does not
 * know is refused, so that a misspelt option is noticed.
 */
import { z } from 'zod';
import { GitLabApiError } from './gitlab-state.ts';

/** Text; a number counts as its digits. */
export const text = z.union([z.string(), z.number().transform(String), z.null().transform(() => '')]);

/** A whole number. */
export const integer = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d{1,15}$/)
    .transform(Number),
]);

/** True or false in any of Grape's spellings. */
export const boolean = z.union([
  z.boolean(),
  z.enum(['true', 't', '1', 'on']).transform(() => true),
  z.enum(['false', 'f', '0', 'off']).transform(() => false),
]);

/** May be absent or null; null means absent. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** A number that may also be null or empty, which counts as null. */
export const optionalInteger = z.union([integer, z.null(), z.literal('').transform(() => null)]).optional();

/** Page by page. */
export const paging = {
  page: z.union([integer, z.undefined()]).optional(),
  per_page: z.union([integer, z.undefined()]).optional(),
};

/** A request whose parameters do not fit. */
export class ParamsError extends GitLabApiError {
  /** Names that the route does not know; GitLab would have ignored them. */
  readonly unknownNames: readonly string[];

  constructor(message: string, unknownNames: readonly string[]) {
    super(400, { error: message });
    this.unknownNames = unknownNames;
  }
}

/** Reads parameters by a strict schema and words the faults like Grape. */
export function parseParams<T extends z.ZodType>(schema: T, input: Readonly<Record<string, unknown>>): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const unknownNames: string[] = [];
  const faults: string[] = [];
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      const names = issue.keys.map((key) => nameOf([...issue.path, key]));
      unknownNames.push(...names);
      faults.push(...names.map((name) => `${name} is not allowed`));
    } else {
      const isMissing = valueAt(input, issue.path) === undefined;
      const fault = isMissing
        ? 'is missing'
        : issue.code === 'invalid_value'
          ? 'does not have a valid value'
          : 'is invalid';
      faults.push(`${nameOf(issue.path)} ${fault}`);
    }
  }
  throw new ParamsError(faults.join(', '), unknownNames);
}

function nameOf(path: readonly PropertyKey[]): string {
  const [first, ...rest] = path.map(String);
  return `${first ?? ''}${rest.map((part) => `[${part}]`).join('')}`;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (isRecord(value) ? value[String(key)] : undefined), input);
}

/** A plain object of unknown content. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const maxDepth = 10;
const forbiddenNames = new Set(['__proto__', 'constructor', 'prototype']);

/** `a[b][]=c` pairs as nested objects and lists. */
export function nestParams(pairs: Iterable<readonly [string, string]>): Record<string, unknown> {
  const root: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of pairs) {
    const path = [name.replace(/\[.*$/s, ''), ...[...name.matchAll(/\[([^[\]]*)\]/g)].map((match) => match[1] ?? '')];
    if (path.length > maxDepth || path.some((part) => forbiddenNames.has(part))) {
      throw new GitLabApiError(400, { error: `${name} is invalid` });
    }
    put(root, path, value);
  }
  return root;
}

function put(target: Record<string, unknown>, path: readonly string[], value: string): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  if (rest[0] === '') {
    const list = Array.isArray(target[key]) ? (target[key] as unknown[]) : [];
    target[key] = [...list, value];
    return;
  }
  const inner = target[key];
  const next = isRecord(inner) ? inner : {};
  target[key] = next;
  put(next, rest, value);
}

/** The parameters in a request body. */
export function readBodyParams(contentType: string, body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  if (/^application\/(?:[\w.-]+\+)?json\b/i.test(contentType)) return parseJson(body);
  if (/^(?:multipart\/form-data|application\/x-www-form-urlencoded)\b/i.test(contentType)) {
    return nestParams(readForm(contentType, body));
  }
  throw new GitLabApiError(415, { error: `The provided content-type '${contentType}' is not supported.` });
}

function malformed(): GitLabApiError {
  return new GitLabApiError(400, { error: 'message body does not match declared format' });
}

function parseJson(body: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw malformed();
  }
  if (!isRecord(parsed)) throw malformed();
  return parsed;
}

function readForm(contentType: string, body: Buffer): [string, string][] {
  if (contentType.startsWith('application/x-www-form-urlencoded'))
    return [...new URLSearchParams(body.toString('utf8'))];
  const boundary = /boundary="?([^";]+)/i.exec(contentType)?.[1];
  const parts = body.toString('latin1').split(`--${boundary ?? ''}`);
  if (boundary === undefined || parts.length < 2 || !(parts.at(-1) ?? '').startsWith('--')) throw malformed();
  return parts.slice(1, -1).map((part): [string, string] => {
    const [, head = '', value] = /^\r\n([^]*?)\r\n\r\n([^]*)\r\n$/.exec(part) ?? [];
    const name = /name="((?:[^"\\]|\\.)*)"/.exec(head)?.[1];
    if (value === undefined || name === undefined) throw malformed();
    const decode = (latin1: string) => Buffer.from(latin1, 'latin1').toString('utf8');
    return [decode(name), decode(value)];
  });
}
