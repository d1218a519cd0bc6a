import { z } from 'zod';
import { ConfigError } from './errors.ts';

/** The environment name of a setting: `redisUrl` is `DRYDOCK_REDIS_URL`, unless its schema says `.meta({ env })`. */
export function environmentName(key: string, schema: z.ZodType): string {
  const named = schema.meta()?.['env'];
  if (typeof named === 'string') return named;
  return `DRYDOCK_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** A setting that holds several texts, separated by commas. */
export const TextList = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

/**
 * Reads a process's settings from environment variables. White space around a value does not belong to it (files of
 * secrets end in a line feed), and an empty one counts as unset.
 * Throws one `ConfigError` that names every bad setting by its environment name; values are never repeated.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  environment: Readonly<Record<string, string | undefined>>,
): z.output<z.ZodObject<Shape>> {
  const names = new Map<string, string>();
  const input: Record<string, string> = {};
  for (const [key, field] of Object.entries(schema.shape)) {
    const name = environmentName(key, field as z.ZodType);
    names.set(key, name);
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') input[key] = value;
  }
  const parsed = schema.safeParse(input, { reportInput: false });
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => {
    const key = String(issue.path[0] ?? '');
    const name = names.get(key) ?? 'settings';
    if (key in input) return `  ${name}: ${issue.message}`;
    const field = schema.shape[key] as z.ZodType | undefined;
    return `  ${name} (not set): ${field?.description ?? issue.message}`;
  });
  throw new ConfigError(`Wrong settings:\n${lines.join('\n')}`);
}
