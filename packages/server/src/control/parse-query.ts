import { TerminalError } from '@drydock/core';
import type { z } from 'zod';

const maxQueryLength = 2000;
const namePattern = /^[A-Za-z]{1,40}$/;

/** The query of a request target by its schema. Throws `TerminalError` (`request.malformed`) that names what is wrong. */
export function parseQuery<Schema extends z.ZodType>(schema: Schema, url: string): z.output<Schema> {
  const mark = url.indexOf('?');
  const query = mark < 0 ? '' : url.slice(mark + 1);
  if (query.length > maxQueryLength) throw malformed('the query is too long');
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!namePattern.test(name))
      throw malformed(`the query parameter ${JSON.stringify(name.slice(0, 40))} is not known here`);
    if (values.has(name)) throw malformed(`the query parameter "${name}" is given twice`);
    values.set(name, value);
  }
  return parseBy(schema, Object.fromEntries(values), 'the query parameter');
}

/** A body by its schema. Throws `TerminalError` (`request.malformed`) that names what is wrong. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  return parseBy(schema, body, 'the field');
}

function parseBy<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value, { reportInput: false });
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map((issue) => {
    const place = issue.path.map(String).join('.').slice(0, 100);
    if (issue.code === 'unrecognized_keys') {
      const keys = issue.keys.slice(0, 5).map((key) => JSON.stringify(key.slice(0, 40)));
      return `${what} ${keys.join(', ')} is not known here`;
    }
    return place === '' ? issue.message : `${what} "${place}": ${issue.message}`;
  });
  throw malformed(issues.join('; ').slice(0, 1000));
}

function malformed(message: string): TerminalError {
  return new TerminalError('request.malformed', message);
}
