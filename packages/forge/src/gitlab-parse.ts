import type { z } from 'zod';
import { badAnswer } from './gitlab-error.ts';

/** An answer by its schema. Throws `forge.bad_answer`, naming places and no content. */
export function parse<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const parsed = schema.safeParse(answer, { reportInput: false });
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues
    .slice(0, 5)
    .map((issue) => issue.path.map(String).join('.').slice(0, 100) || 'all');
  throw badAnswer(`not as documented (${places.join(', ')})`);
}
